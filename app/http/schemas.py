"""What every request and answer in the envelope carries, as marshmallow and OpenAPI."""

from marshmallow import EXCLUDE, Schema, fields

from app.http.forms import Parameter
from app.http.paging import LARGEST_LIMIT, LARGEST_OFFSET


class Request(Schema):
    """What every request carries; what it carries besides is not looked at."""

    class Meta:
        """Clients send parameters of their own, which are no fault."""

        unknown = EXCLUDE

    auth_token = Parameter(
        "The token's secret. `Authorization: Bearer` is understood in its place.",
        needed=True,
        writeOnly=True,
        format="password",
        example="dncd_0123456789abcdefghijkl012345",
    )


class Paged(Request):
    """Which part of a long answer is wanted."""

    offset = Parameter(
        "How many matches to pass over.",
        type="integer",
        minimum=0,
        maximum=LARGEST_OFFSET,
        default=0,
        example=0,
    )
    limit = Parameter(
        "How many matches to answer at the most.",
        type="integer",
        minimum=1,
        maximum=LARGEST_LIMIT,
        default=100,
        example=100,
    )


class Part(Schema):
    """Something that an answer tells."""

    class Meta:
        """A client must bear an answer that has grown."""

        unknown = EXCLUDE


class Answer(Part):
    """What every answer carries; a refusal has its code and text besides."""

    success = fields.Boolean(
        required=True,
        metadata={"description": "Whether it was done.", "example": True},
    )
    code = fields.Integer(
        metadata={"description": "Why it was refused; only where success is false."}
    )
    text = fields.String(
        metadata={"description": "The refusal in words; only where success is false."}
    )
    message = fields.String(metadata={"description": "The same as text."})


def text(description: str, example: str, **more: object) -> fields.String:
    """Return a text that every answer has; *more* is told of it."""
    metadata = {"description": description, "example": example, **more}
    return fields.String(required=True, metadata=metadata)


def text_or_null(description: str, example: str, **more: object) -> fields.String:
    """Return one that may be null in its place."""
    metadata = {"description": description, "example": example, **more}
    return fields.String(required=True, allow_none=True, metadata=metadata)


def number(description: str, example: int, **more: object) -> fields.Integer:
    """Return a whole number that every answer has."""
    metadata = {"description": description, **more, "example": example}
    return fields.Integer(required=True, metadata=metadata)
