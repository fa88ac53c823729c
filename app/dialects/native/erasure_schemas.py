"""The shape of an erasure's question and answer; the same is the OpenAPI."""

from marshmallow import EXCLUDE, Schema, fields

from app.domain.errors import CallingCodeInvalid, NumberInvalid
from app.http.forms import Parameter
from app.http.schemas import Answer, Request


class Erase(Request):
    """A number whose owner wants to be forgotten."""

    phone_number = Parameter(
        "The number within its phone_code, in any spelling.",
        missed=NumberInvalid,
        maxLength=64,
        example="5551234567",
    )
    phone_code = Parameter(
        "The number's ITU calling code.",
        missed=CallingCodeInvalid,
        maxLength=4,
        example="1",
    )
    reason = Parameter(
        "Why, such as a ticket's number; it is kept, so it must name nobody.",
        maxLength=255,
        example="ticket 4711",
    )


def _count(description: str, example: int) -> fields.Integer:
    return fields.Integer(
        required=True, metadata={"description": description, "example": example}
    )


class Erasure(Schema):
    """How much of a number was forgotten."""

    class Meta:
        """A client must bear an answer that has grown."""

        unknown = EXCLUDE

    entries = _count("Entries that block the number still, by a keyed hash.", 1)
    versions = _count("Versions that ended, now or before.", 2)
    leads = _count("Leads, which are removed.", 0)
    operation_id = fields.String(
        required=True,
        metadata={
            "description": "The operation that records the erasure.",
            "example": "77",
        },
    )


class EraseAnswer(Answer):
    """What was forgotten, in its envelope."""

    data = fields.Nested(
        Erasure,
        metadata={"description": "What was forgotten; only where success is true."},
    )
