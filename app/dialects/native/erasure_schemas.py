"""The shape of an erasure's question and answer; the same is the OpenAPI."""

from marshmallow import fields

from app.dialects.native.schemas import OneNumber
from app.http.forms import Parameter
from app.http.schemas import Answer, Part, number, text


class Erase(OneNumber):
    """A number whose owner wants to be forgotten."""

    reason = Parameter(
        "Why, such as a ticket's number; it is kept, so it must name nobody.",
        maxLength=255,
        example="ticket 4711",
    )


class Erasure(Part):
    """How much of a number was forgotten."""

    entries = number("Entries that block the number still, by a keyed hash.", 1)
    versions = number("Versions that ended, now or before.", 2)
    leads = number("Leads, which are removed.", 0)
    operation_id = text("The operation that records the erasure.", "77")


class EraseAnswer(Answer):
    """What was forgotten, in its envelope."""

    data = fields.Nested(
        Erasure,
        metadata={"description": "What was forgotten; only where success is true."},
    )
