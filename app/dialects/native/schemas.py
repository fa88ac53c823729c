"""The shape of the native dialect's questions and answers; the same is the OpenAPI."""

from marshmallow import fields

from app.domain.errors import CallingCodeInvalid, NumberInvalid
from app.http import limits
from app.http.documentation import Answers, Body
from app.http.forms import Parameter
from app.http.schemas import Answer, Part, Request, text


class OneNumber(Request):
    """A number and its calling code."""

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


class Check(OneNumber):
    """A number, and the campaign for which it is to be called."""

    campaign_id = Parameter(
        "The campaign that the call is for, by its id or code; absent, empty or `0`: "
        "for none in particular.",
        maxLength=30,
        example="111",
    )
    as_of = Parameter(
        "An instant that has passed, ISO 8601 with a zone: what the list said then, "
        "whether or not checking is switched off. Absent or empty: now.",
        maxLength=40,
        example="2026-11-21T09:45:00Z",
    )


class CheckMatch(Part):
    """An entry that blocks calls to the number."""

    id = text("The entry's id.", "5083")
    rule = text("Why it blocks: `organisation`, `campaign`, `purpose`.", "campaign")
    campaign_id = text("Which list it is on: `0`, `-1` or a campaign's id.", "111")
    campaign_name = text("The name of that list.", "Spring sale")
    purpose = text("The purpose, or empty.", "")
    reason = text("The reason, or empty.", "ConsentRevoked")
    since = text(
        "The instant of the opt-out, ISO 8601.", "2026-11-21T09:30:00.123456+00:00"
    )


class CheckVerdict(Part):
    """Whether the number may be called, and what that rests on."""

    callable = fields.Boolean(
        required=True,
        metadata={"description": "Whether the call may be made.", "example": False},
    )
    phone_code = text("The calling code.", "1")
    phone_number = text("The number within it, digits only.", "5551234567")
    checked_at = text(
        "The instant of the database that was read, ISO 8601.",
        "2026-11-21T10:00:00.654321+00:00",
    )
    as_of = fields.String(
        metadata={
            "description": "The instant that was asked about; only if one was.",
            "format": "date-time",
        }
    )
    matches = fields.List(
        fields.Nested(CheckMatch),
        required=True,
        metadata={
            "description": "Every entry that blocks the call. Asked without a campaign "
            "also entries of campaigns and purposes, which would block theirs."
        },
    )
    checking = fields.String(
        metadata={
            "description": "`off` where the organisation has switched its checking "
            "off: then every number counts as callable, and each answer is recorded.",
            "enum": ["off"],
        }
    )


class CheckAnswer(Answer):
    """The verdict in its envelope."""

    data = fields.Nested(
        CheckVerdict,
        metadata={"description": "The verdict; only where success is true."},
    )


BATCH_MEMBERS = {
    "phone_code": {
        "type": "string",
        "maxLength": 4,
        "description": "The calling code of all the numbers.",
    },
    "campaign_id": {
        "type": "string",
        "maxLength": 30,
        "description": "The campaign that the calls are for, by id or code.",
    },
    "as_of": {
        "type": "string",
        "maxLength": 40,
        "description": "An instant that has passed, ISO 8601 with a zone: what "
        "the list said then. Absent or empty: now.",
    },
    "numbers": {
        "type": "array",
        "maxItems": limits.BATCH_NUMBERS,
        "items": {"type": "string"},
        "description": "The numbers, in any spelling; one of more than 64 "
        "characters counts as invalid.",
    },
}

BATCH_BODY = Body(
    media_types=("application/json",),
    most_bytes=limits.BATCH_BYTES,
    too_large="The body is larger than 4 MiB.",
    unsupported="The body is not JSON.",
    schema={
        "type": "object",
        "required": ["phone_code", "numbers"],
        "additionalProperties": False,
        "properties": BATCH_MEMBERS,
    },
    example={
        "phone_code": "1",
        "campaign_id": "0",
        "numbers": ["5551234567", "(555) 123-4568", "555"],
    },
)

_COUNTED = ("numbers", "callable", "listed", "invalid")
_COUNT = {"type": "integer", "minimum": 0}
_INDEX = {**_COUNT, "description": "Where in `numbers` it stands, from 0."}
_INSTANT = {"type": "string", "format": "date-time"}

BATCH_ANSWER = Answers(
    media_type="application/json",
    description="Counts, and what stands out; or `success` false with one of these "
    "codes. 6006 Invalid phone number (the phone_code), 6008 Invalid parameter (the "
    "as_of), 6026 Invalid campaign ID, "
    f"6061 Too many numbers: at most {limits.BATCH_NUMBERS} a request.",
    schema={
        "type": "object",
        "required": ["success"],
        "properties": {
            "success": {"type": "boolean"},
            "code": {"type": "integer"},
            "text": {"type": "string"},
            "message": {"type": "string"},
            "data": {
                "type": "object",
                "required": ["checked_at", "snapshot", "counts", "listed", "invalid"],
                "properties": {
                    "checked_at": {
                        **_INSTANT,
                        "description": "The instant of the snapshot.",
                    },
                    "snapshot": {
                        "type": "string",
                        "description": "PostgreSQL's name of the one snapshot that "
                        "everything was read from.",
                    },
                    "as_of": {
                        **_INSTANT,
                        "description": "The instant that was asked about, if one was.",
                    },
                    "checking": {
                        "type": "string",
                        "enum": ["off"],
                        "description": "There if the organisation has switched its "
                        "checking off; listed numbers are told all the same.",
                    },
                    "counts": {
                        "type": "object",
                        "required": list(_COUNTED),
                        "properties": dict.fromkeys(_COUNTED, _COUNT),
                    },
                    "listed": {
                        "type": "array",
                        "maxItems": limits.BATCH_NUMBERS,
                        "description": "What may not be called, by the strongest rule.",
                        "items": {
                            "type": "object",
                            "required": ["index", "rule", "entry_id", "since"],
                            "properties": {
                                "index": _INDEX,
                                "rule": {
                                    "type": "string",
                                    "enum": ["organisation", "campaign", "purpose"],
                                },
                                "entry_id": {"type": "string"},
                                "since": _INSTANT,
                            },
                        },
                    },
                    "invalid": {
                        "type": "array",
                        "maxItems": limits.BATCH_NUMBERS,
                        "description": "What is no number, and why.",
                        "items": {
                            "type": "object",
                            "required": ["index", "cause"],
                            "properties": {
                                "index": _INDEX,
                                "cause": {"type": "string"},
                            },
                        },
                    },
                },
            },
        },
    },
    example={
        "success": True,
        "data": {
            "checked_at": "2026-11-21T10:00:00.654321+00:00",
            "snapshot": "751:751:",
            "counts": {"numbers": 3, "callable": 1, "listed": 1, "invalid": 1},
            "listed": [
                {
                    "index": 0,
                    "rule": "organisation",
                    "entry_id": "1",
                    "since": "2026-11-21T09:30:00.123456+00:00",
                }
            ],
            "invalid": [
                {"index": 2, "cause": "not a possible phone number of its calling code"}
            ],
        },
    },
)
