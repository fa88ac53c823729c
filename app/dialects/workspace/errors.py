"""
Every condition in the workspace API's words, a table for each operation.

Its code is the HTTP status, in the body as before it.
"""

from collections.abc import Mapping

from flask import Response

from app.domain.access import Edition
from app.domain.errors import (
    AlreadySuppressed,
    ApprovalPending,
    EntryForeign,
    EntryUnknown,
    EvidenceInvalid,
    EvidenceMissing,
    Forbidden,
    IdInvalid,
    LimitInvalid,
    NumberInvalid,
    OffsetInvalid,
    ParameterInvalid,
    ReasonInvalid,
    ReleaseReasonMissing,
    ReleasesCapped,
    RequestMalformed,
    StoreUnavailable,
    TokenInvalid,
    TooManyRequests,
)
from app.http import envelope
from app.http.dialect import Failure
from app.http.envelope import WireError, Words


def _error(status: int, text: str) -> WireError:
    return WireError(status, text, status)


_EVERYWHERE: Words = {
    TokenInvalid: _error(401, "The bearer token is missing or invalid"),
    Forbidden: _error(403, "The token lacks the permission that this needs"),
    RequestMalformed: _error(400, "The request cannot be read"),
    StoreUnavailable: _error(503, "Service unavailable, try again"),
    TooManyRequests: _error(429, "Too many requests, try again later"),
}

_GUARDS: Words = {
    ReasonInvalid: _error(
        400, "reason must be printable text of at most 255 characters"
    ),
    ReleaseReasonMissing: _error(400, "reason is required"),
    ReleasesCapped: _error(403, "Too many records were deleted within the hour"),
    ApprovalPending: _error(
        403, "Recorded: a second token must approve by asking for the same"
    ),
}

_DELETE: Words = {
    **_EVERYWHERE,
    IdInvalid: _error(400, "The id is missing, or is not 24 hexadecimal digits"),
    EntryForeign: _error(403, "The DNC record belongs to another organization"),
    EntryUnknown: _error(404, "DNC record not found"),
    **_GUARDS,
}

_WORDS: Mapping[str, Words] = {
    "add_number": {
        **_EVERYWHERE,
        RequestMalformed: _error(400, "The body is not a JSON object"),
        NumberInvalid: _error(
            400,
            "phoneNumber is missing, or is no phone number with its country code, "
            "such as +12125551234",
        ),
        ReasonInvalid: _error(
            400, "type must be printable text of at most 255 characters"
        ),
        EvidenceInvalid: _error(
            400,
            "batchId and requestUUID must be printable text of at most 255 characters",
        ),
        EvidenceMissing: _error(400, "type, batchId and requestUUID are required"),
        AlreadySuppressed: _error(400, "Phone number already exists in the DNC list"),
    },
    "list_numbers": {
        **_EVERYWHERE,
        OffsetInvalid: _error(
            400,
            "page must be a whole number from 1, and (page - 1) * limit at most 100000",
        ),
        LimitInvalid: _error(400, "limit must be a whole number from 1 to 1000"),
        ParameterInvalid: _error(
            400, "search must be printable text of at most 255 characters"
        ),
    },
    "delete_record": _DELETE,
    "delete_record_unnamed": _DELETE,
    "enable_disable": {
        **_EVERYWHERE,
        RequestMalformed: _error(400, "The body is not a JSON object"),
        ParameterInvalid: _error(400, "enable must be true or false"),
        **_GUARDS,
    },
}

# One vendor has one edition: it says the same in both.
WIRE_ERRORS: Mapping[str, Mapping[str, Words]] = {
    Edition.DOCUMENTED: _WORDS,
    Edition.LIVE: _WORDS,
}


def write_body(error: WireError) -> dict[str, object]:
    """Return the body that tells a client of *error*."""
    return {
        "message": "",
        "status": False,
        "code": error.status,
        "errorMessage": error.text,
    }


def write_error(failure: Failure, operation: str) -> Response:
    """Return the answer to a request that *operation* could not carry out."""
    error = envelope.word(_WORDS.get(operation, _EVERYWHERE), failure)
    return envelope.write_refusal(error, failure, write_body(error))
