"""The shape of the workspace API's requests and answers; the same is the OpenAPI."""

from collections.abc import Mapping

from marshmallow import fields

from app.dialects.workspace.wire import DEFAULT_LIMIT, LARGEST_LIMIT
from app.domain.texts import EVIDENCE_LENGTH, REASON_LENGTH
from app.http.documentation import Answers, Body, query
from app.http.forms import JSON
from app.http.properties import text
from app.http.schemas import Part

ADDED = "Phone number added to DNC successfully"
DELETED = "DNC record deleted successfully"
SWITCHED = "DNC setting updated successfully"

_WHY = "Why numbers may be called again; history keeps it."

_ID = "^[0-9A-Fa-f]{24}$"
_EXAMPLE_ID = "0000000000000000000013db"


class WorkspaceRefusal(Part):
    """What is answered where something was not done."""

    message = fields.String(
        required=True, metadata={"description": "Empty.", "example": ""}
    )
    status = fields.Boolean(
        required=True, metadata={"description": "Always false.", "example": False}
    )
    code = fields.Integer(
        required=True, metadata={"description": "The HTTP status.", "example": 400}
    )
    errorMessage = fields.String(  # noqa: N815  the vendor's spelling
        required=True, metadata={"description": "What is wrong.", "example": "…"}
    )


def _body(
    required: str, properties: Mapping[str, object], example: Mapping[str, object]
) -> Body:
    return Body(
        media_types=(JSON,),
        too_large="The body is larger than 64 KiB.",
        unsupported="The body is not JSON.",
        schema={
            "type": "object",
            "required": [required],
            "properties": dict(properties),
        },
        example=dict(example),
    )


ADD_BODY = _body(
    "phoneNumber",
    {
        "phoneNumber": text(
            "The number with its country code, with or without `+`.",
            "12125551234",
            minLength=1,
            maxLength=64,
        ),
        "type": text(
            "Why: the reason, in every dialect.",
            "customer_request",
            maxLength=REASON_LENGTH,
            nullable=True,
        ),
        "batchId": text(
            "Evidence, kept and shown: the batch of the call.",
            "64e5f12345abcdef98765432",
            maxLength=EVIDENCE_LENGTH,
            nullable=True,
        ),
        "requestUUID": text(
            "Evidence, kept and shown: the record of the call.",
            "550e8400-e29b-41d4-a716-446655440000",
            maxLength=EVIDENCE_LENGTH,
            nullable=True,
        ),
    },
    {
        "phoneNumber": "12125551234",
        "type": "customer_request",
        "batchId": "64e5f12345abcdef98765432",
        "requestUUID": "550e8400-e29b-41d4-a716-446655440000",
    },
)

SWITCH_BODY = _body(
    "enable",
    {
        "enable": {
            "type": "boolean",
            "description": "Whether calls are checked.",
            "example": True,
        },
        "reason": text(_WHY, "Maintenance", maxLength=REASON_LENGTH),
    },
    {"enable": True},
)


def _envelope(message: str) -> dict[str, object]:
    return {
        "message": text("What was done.", message),
        "status": {"type": "boolean", "enum": [True]},
        "code": {"type": "integer", "enum": [200]},
        "errorMessage": text("Empty.", "", maxLength=0),
    }


def _answer(
    description: str, message: str, data: Mapping[str, object], example: object
) -> Answers:
    properties = {**_envelope(message), **data}
    return Answers(
        media_type=JSON,
        description=description,
        schema={
            "type": "object",
            "required": list(properties),
            "properties": properties,
        },
        example=example,
    )


def done(message: str) -> Answers:
    """Return the description of an answer that only says that it is done."""
    example = {"message": message, "status": True, "code": 200, "errorMessage": ""}
    return _answer("Done.", message, {}, example)


_RECORD = {
    "_id": text("The record's id.", _EXAMPLE_ID, pattern=_ID),
    "phoneNumber": text("The number with its country code.", "12125551234"),
    "type": text("The reason, or empty.", "customer_request"),
    "orgId": text("The organisation's id.", "000000000000000000000001", pattern=_ID),
    "batchId": text("As it was added, or empty.", "64e5f12345abcdef98765432"),
    "requestUUID": text(
        "As it was added, or empty.", "550e8400-e29b-41d4-a716-446655440000"
    ),
    "callRecording": text("Always empty: no calls are kept here.", ""),
    "transcription": text("Always empty.", ""),
    "createdAt": text(
        "The instant of the opt-out.", "2026-11-21T09:30:00.123Z", format="date-time"
    ),
}
_PAGINATION = {
    name: {"type": "integer", "description": description}
    for name, description in (
        ("total", "How many records match in all, exactly."),
        ("page", "Which page this is."),
        ("limit", "How many records a page has."),
        ("totalPages", "How many pages there are."),
    )
}


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": dict(properties),
    }


LIST_ANSWER = _answer(
    "A page of the records that match.",
    "DNC list fetched successfully",
    {
        "data": _object(
            {
                "dncList": {"type": "array", "items": _object(_RECORD)},
                "pagination": _object(_PAGINATION),
            }
        )
    },
    {
        "message": "DNC list fetched successfully",
        "status": True,
        "code": 200,
        "errorMessage": "",
        "data": {
            "dncList": [
                {name: schema["example"] for name, schema in _RECORD.items()},
            ],
            "pagination": {"total": 1, "page": 1, "limit": 10, "totalPages": 1},
        },
    },
)

LIST_PARAMETERS = (
    query(
        "page",
        "Which page, counted from 1; its first record is at most the 100,001st.",
        type="integer",
        minimum=1,
        default=1,
    ),
    query(
        "limit",
        "How many records a page has.",
        type="integer",
        minimum=1,
        maximum=LARGEST_LIMIT,
        default=DEFAULT_LIMIT,
    ),
    query(
        "search",
        "A part of the number, the type or the requestUUID, in any case. A part of a "
        "number is one of its digits, calling code and all; a whole one may be spelt "
        "in any way, and is looked for among the numbers alone.",
        maxLength=REASON_LENGTH,
        example="customer",
    ),
)

DELETE_PARAMETERS = (
    {
        "name": "record_id",
        "in": "path",
        "required": True,
        "description": "The record's `_id`.",
        "schema": {"type": "string", "pattern": _ID, "example": _EXAMPLE_ID},
    },
    query("reason", _WHY, maxLength=REASON_LENGTH, example="ConsentGiven"),
)
