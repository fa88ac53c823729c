"""The shape of what the native dialect asks and tells of a number's history."""

from marshmallow import fields

from app.domain.errors import EntryUnknown
from app.http.forms import Parameter
from app.http.schemas import Answer, Paged, Part, Request, number, text, text_or_null

_INSTANT = {"format": "date-time"}


class History(Paged):
    """A number or an entry; one of them is needed."""

    phone_number = Parameter(
        "The number within its phone_code, in any spelling.",
        in_example=True,
        maxLength=64,
        example="5551234567",
    )
    phone_code = Parameter(
        "The number's ITU calling code; absent: whatever code it is listed under.",
        in_example=True,
        maxLength=4,
        example="1",
    )
    id = Parameter(
        "One entry alone, in the number's place.",
        pattern="^[0-9]{0,18}$",
    )


class Restore(Request):
    """Which entry is to be listed again."""

    id = Parameter(
        "The entry's id, which search and history tell.",
        missed=EntryUnknown,
        pattern="^[0-9]{1,18}$",
        example="5083",
    )


class Restored(Answer):
    """The entry that is listed again, or the one that is in the way."""

    id = fields.Integer(
        metadata={
            "description": "The entry's id; with 6008 the id of the entry by which "
            "the list holds the number again.",
            "format": "int64",
            "example": 5083,
        }
    )


class Operation(Part):
    """One changing request: what it did, who sent it, when and from where."""

    id = text("The operation's id.", "7")
    kind = text(
        "What was done: `entry:suppressed`, `entry:revised`, `entry:released`, "
        "`entry:restored`, `entries:imported` and others.",
        "entry:suppressed",
    )
    at = text(
        "When, by the database's clock.", "2026-11-21T09:30:00.123456+00:00", **_INSTANT
    )
    token = text_or_null(
        "The name of the token that was shown; null at the command line.", "dialer"
    )
    actor = text("Who it was: the token's name, or `cli:` and a user.", "dialer")
    dialect = text("Through which door it came.", "convoso")
    address = text_or_null("From which address; null if not over HTTP.", "192.0.2.7")
    request_id = text("The request's `X-Request-ID`, or empty.", "qpcnkodejzrrtbvnthla")
    why = text_or_null("The reason that was given; of an import the file.", "DNC")
    touched = number("How many entries it made, changed or ended.", 1, format="int64")


class Version(Part):
    """An entry as it was from one instant up to, and without, another."""

    id = text("The entry's id; all versions of an entry have the same.", "5083")
    phone_number = text("The number without its calling code.", "5551234567")
    phone_code = text("Its calling code.", "1")
    campaign_id = text("The list: 0, -1 or a campaign.", "0")
    campaign_uid = text("The campaign's code.", "0")
    campaign_name = text("The campaign's name.", "Global DNC")
    purpose = text("The purpose, or empty.", "")
    reason = text("The reason, or empty.", "ConsentRevoked")
    evidence = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={
            "description": "What was told of the request, by name.",
            "example": {},
        },
    )
    inserted_at = text(
        "The instant of the opt-out.", "2026-11-21T09:30:00.123456+00:00", **_INSTANT
    )
    valid_from = text(
        "Since when it was so.", "2026-11-21T09:30:00.123456+00:00", **_INSTANT
    )
    valid_until = text_or_null(
        "Up to when, that instant not included; null: it is so now.",
        "2026-11-21T10:00:00.654321+00:00",
        **_INSTANT,
    )
    made_by = fields.Nested(
        Operation,
        required=True,
        allow_none=True,
        metadata={"description": "What made this version."},
    )
    ended_by = fields.Nested(
        Operation,
        required=True,
        allow_none=True,
        metadata={"description": "What ended it; null: it is so now."},
    )


class HistoryData(Part):
    """A page of versions."""

    offset = fields.Integer(required=True, metadata={"example": 0})
    limit = fields.Integer(required=True, metadata={"example": 100})
    total = number("How many versions there are in all.", 1, format="int64")
    versions = fields.List(
        fields.Nested(Version),
        required=True,
        metadata={"description": "In the order in which they began."},
    )


class HistoryAnswer(Answer):
    """The versions in their envelope."""

    data = fields.Nested(
        HistoryData, metadata={"description": "Only where success is true."}
    )
