"""The files that the native dialect takes and gives, as the OpenAPI has them."""

from typing import Any

from marshmallow import fields

from app.http import limits
from app.http.documentation import Answers, Body, query
from app.http.schemas import Answer

SCRUB_BODY = Body(
    media_types=("text/csv",),
    most_bytes=None,
    too_large="",
    unsupported="The body is not `text/csv`.",
    schema={
        "type": "string",
        "description": "CSV in UTF-8 with a first row of names, "
        "at most 500 columns, "
        "no row longer than 65,536 characters.",
    },
    example="name,phone\nAda,5551234567\nBen,5551234568\n",
)

PHONE_CODE = query(
    "phone_code",
    "The calling code of numbers that have none; the organisation's if absent.",
)

SCRUB_PARAMETERS = [
    PHONE_CODE,
    query("campaign_id", "The campaign that the calls are for, by its id or code."),
    query("phone_column", "The column of numbers; found by its name if absent."),
    query("phone_code_column", "The column of calling codes, likewise."),
    query(
        "only", "Which rows to return.", enum=["all", "callable", "listed", "invalid"]
    ),
]

SCRUB_ANSWER = Answers(
    media_type="text/csv",
    description="The rows with what is said of them. `X-DNC-Checking: off` where the "
    "organisation has switched its checking off; listed numbers are told all the same.",
    schema={"type": "string"},
    example="name,phone,dnc_status,dnc_rule,dnc_entry_id,dnc_since\n"
    "Ada,5551234567,listed,organisation,1,2026-11-21T09:30:00.123456+00:00\n"
    "Ben,5551234568,callable,,,\n",
)

_EXPORTED = (
    "phone_number,phone_code,campaign_id,campaign_uid,purpose,reason,inserted_at,"
    "evidence\n"
    "5551234567,1,0,0,,ConsentRevoked,2026-01-05T09:30:00.123456Z,\n"
)


def _count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


_REPORT = {
    "outcome": {
        "type": "string",
        "enum": ["stored", "unchanged", "refused", "dry run"],
    },
    "read": _count("Rows that were read."),
    "inserted": _count("Entries that are new; or would be."),
    "already_listed": _count("Left as they were."),
    "repeated": _count("Rows that mean an entry of an earlier row."),
    "rejected": _count("Rows that cannot be taken."),
    "causes": {
        "type": "object",
        "description": "How many were rejected for which cause.",
        "additionalProperties": {"type": "integer"},
    },
    "rejects": {
        "type": "array",
        "maxItems": 20,
        "description": "The first of them.",
        "items": {
            "type": "object",
            "required": ["line", "cause"],
            "properties": {
                "line": {"type": "integer", "minimum": 1},
                "cause": {"type": "string"},
            },
        },
    },
    "operation_id": {
        "type": "string",
        "nullable": True,
        "description": "The operation in history; null if nothing was stored.",
    },
}


class ImportRefused(Answer):
    """An import that stored nothing."""

    data = fields.Dict(
        metadata={
            "description": "What became of the rows; only of code 6068.",
            "properties": _REPORT,
        }
    )


IMPORT_BODY = Body(
    media_types=(
        "text/csv",
        "text/plain",
        "application/gzip",
        "application/zip",
        "application/octet-stream",
    ),
    most_bytes=limits.IMPORT_BYTES,
    too_large="The body is larger than 2 GiB.",
    unsupported="The body is none of text/csv, text/plain, application/gzip, "
    "application/zip and application/octet-stream.",
    schema={
        "type": "string",
        "description": "CSV as it is exported, or with any of its columns; one number "
        "a line; or the registry's flat file. UTF-8, at most 500 columns, no row "
        "longer than 64 KiB; also in gzip or alone in a zip, which unpacks to at most "
        "200 times its size (beyond 100 MiB).",
    },
    example=_EXPORTED,
    refused=ImportRefused,
)

_FLAG = {"enum": ["true", "false", "1", "0"]}

IMPORT_PARAMETERS = [
    query("campaign_id", "The list of rows that name none, by id or code; `0`."),
    query("purpose", "The purpose of rows that name none.", maxLength=64),
    query("reason", "The reason of rows that give none.", maxLength=255),
    PHONE_CODE,
    query("skip_invalid", "Import the rest where rows are rejected.", **_FLAG),
    query("dry_run", "Tell what would change, change nothing.", **_FLAG),
    query("file_name", "What history shall call the file.", maxLength=255),
]


IMPORT_ANSWER = Answers(
    media_type="application/json",
    description="What became of the rows. Where one was rejected, and skip_invalid was "
    "not asked for, nothing is stored and the answer is a 400 with the same report.",
    schema={
        "type": "object",
        "required": ["success", "data"],
        "properties": {
            "success": {"type": "boolean"},
            "data": {"type": "object", "properties": _REPORT},
        },
    },
    example={
        "success": True,
        "data": {
            "outcome": "stored",
            "read": 1,
            "inserted": 1,
            "already_listed": 0,
            "repeated": 0,
            "rejected": 0,
            "causes": {},
            "operation_id": "7",
            "rejects": [],
        },
    },
)

EXPORT_PARAMETERS = [
    query("campaign_id", "One list alone, by its id or code; every list if absent."),
    query(
        "as_of",
        "The list as it was at this instant, ISO 8601 with a zone; now if absent.",
        maxLength=40,
    ),
]

EXPORT_ANSWER = Answers(
    media_type="text/csv",
    description="The list as of one moment; what is exported can be imported as it is.",
    schema={"type": "string"},
    example=_EXPORTED,
)
