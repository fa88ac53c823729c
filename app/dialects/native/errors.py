"""
Every condition in the native dialect's words, a table for each operation.

The codes are the form API's where it has one. Where a file is sent or wanted a
refusal is HTTP 400, so that nobody keeps it as one, or leaves it at that.
"""

from collections.abc import Mapping

from flask import Response

from app.domain.access import Edition
from app.domain.errors import (
    AlreadySuppressed,
    CallingCodeInvalid,
    CampaignUnknown,
    ColumnMissing,
    EntryRepeated,
    EntryUnknown,
    FileRefused,
    FileTooLarge,
    FormatUnknown,
    IdInvalid,
    InstantUnsettled,
    LimitInvalid,
    NumberInvalid,
    OffsetInvalid,
    ParameterInvalid,
    PurposeInvalid,
    ReasonInvalid,
    RowsRejected,
    RowTooLong,
    TextNotUtf8,
    TooManyNumbers,
)
from app.http import limits
from app.http.dialect import Failure
from app.http.envelope import (
    EVERYWHERE,
    UNSETTLED,
    WireError,
    Words,
    write_failure,
)

_NUMBER: Words = {
    NumberInvalid: WireError(6006, "Invalid phone number"),
    CallingCodeInvalid: WireError(6006, "Invalid phone number"),
}
_AS_OF: Words = {
    ParameterInvalid: WireError(6008, "Invalid parameter"),
    InstantUnsettled: UNSETTLED,
}
_CAMPAIGN: Words = {CampaignUnknown: WireError(6026, "Invalid campaign ID")}

_FILE: Words = {
    CallingCodeInvalid: WireError(6006, "Invalid phone code", 400),
    CampaignUnknown: WireError(6026, "Invalid campaign ID", 400),
    ParameterInvalid: WireError(6008, "Invalid parameter", 400),
    ColumnMissing: WireError(6062, "No column of phone numbers", 400),
    TextNotUtf8: WireError(6063, "Not UTF-8", 400),
    RowTooLong: WireError(6064, "Row too long", 400),
    FileTooLarge: WireError(6065, "Decompressed file too large", 400),
    FormatUnknown: WireError(6066, "Unknown file format", 400),
    FileRefused: WireError(6067, "File cannot be read", 400),
}

_WORDS: Mapping[str, Words] = {
    "erase": {
        **EVERYWHERE,
        **_NUMBER,
        ReasonInvalid: WireError(6057, "Invalid reason"),
    },
    "check": {**EVERYWHERE, **_NUMBER, **_CAMPAIGN, **_AS_OF},
    "check_batch": {
        **EVERYWHERE,
        **_NUMBER,
        **_CAMPAIGN,
        **_AS_OF,
        TooManyNumbers: WireError(
            6061, f"Too many numbers: at most {limits.BATCH_NUMBERS} a request"
        ),
    },
    "scrub": {**EVERYWHERE, **_FILE},
    "import_list": {
        **EVERYWHERE,
        **_FILE,
        ReasonInvalid: WireError(6057, "Invalid reason", 400),
        PurposeInvalid: WireError(6058, "Invalid purpose", 400),
        RowsRejected: WireError(6068, "Rows rejected, nothing was stored", 400),
    },
    "history_of": {
        **EVERYWHERE,
        **_NUMBER,
        OffsetInvalid: WireError(6008, "Invalid parameter"),
        LimitInvalid: WireError(6008, "Invalid parameter"),
        IdInvalid: WireError(6008, "Invalid parameter"),
        ParameterInvalid: WireError(6008, "Invalid parameter"),
    },
    "restore_entry": {
        **EVERYWHERE,
        EntryRepeated: WireError(6007, "Duplicate entry"),
        AlreadySuppressed: WireError(6008, "Phone already in DNC"),
        EntryUnknown: WireError(6056, "DNC ID not found"),
    },
    "export_list": {
        **EVERYWHERE,
        **_AS_OF,
        CampaignUnknown: WireError(6026, "Invalid campaign ID", 400),
        ParameterInvalid: WireError(6008, "Invalid parameter", 400),
    },
}

ROWS_REJECTED = _WORDS["import_list"][RowsRejected]

# One vendor has one edition: it says the same in both.
WIRE_ERRORS: Mapping[str, Mapping[str, Words]] = {
    Edition.DOCUMENTED: _WORDS,
    Edition.LIVE: _WORDS,
}


def write_error(failure: Failure, operation: str) -> Response:
    """Return the answer to a request that *operation* could not carry out."""
    return write_failure(_WORDS.get(operation, EVERYWHERE), failure)
