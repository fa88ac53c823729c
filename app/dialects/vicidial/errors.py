"""
Every condition in VICIdial's lines: a table for each function, in each edition.

A refusal of the content is HTTP 200. The inbound filter is the exception: its clients
look at nothing but `1` and `0`, so a refusal is no 200 and has no digit.
"""

from collections.abc import Mapping
from typing import NamedTuple

from flask import Response, g
from werkzeug.exceptions import HTTPException, InternalServerError

from app.dialects.vicidial.wire import Call, write_line
from app.domain.access import Edition
from app.domain.errors import (
    AlreadySuppressed,
    ApprovalPending,
    CallingCodeInvalid,
    CampaignUnknown,
    DncError,
    Forbidden,
    IdempotencyKeyInUse,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    LoginLocked,
    NothingAllowed,
    NotSuppressed,
    NumberInvalid,
    OperationUnknown,
    ParameterInvalid,
    ParameterMissing,
    ReleaseReasonMissing,
    ReleasesCapped,
    RequestMalformed,
    StoreUnavailable,
    TokenInvalid,
    TooManyRequests,
)
from app.http import current
from app.http.dialect import Failure
from app.http.refusals import add_headers, find_words

# What is no function, or not yet known to be one.
NONE = ""
FILTER = "filter"

_UNAVAILABLE = 503


class Line(NamedTuple):
    """What a client reads; each `{name}` in it stands for a field of the request."""

    text: str
    status: int = 200


Lines = Mapping[type[DncError], Line]

UNREADABLE = Line("ERROR: THE REQUEST CANNOT BE READ")
UNAVAILABLE = Line("ERROR: SERVICE UNAVAILABLE, TRY AGAIN", _UNAVAILABLE)
TOO_MANY = Line("ERROR: TOO MANY REQUESTS, TRY AGAIN LATER", 429)


def _said(text: str) -> Line:
    return Line(f"ERROR: {{function}} {text}")


def _on_list(permission: str, required: str, known: Lines) -> Lines:
    """Return the lines of a function that adds to a list or deletes from it."""
    missing = _said(f"YOU MUST USE ALL REQUIRED FIELDS{required}")
    return {
        Forbidden: _said(f"USER DOES NOT HAVE PERMISSION TO {permission}"),
        ParameterMissing: missing,
        NumberInvalid: missing,
        CampaignUnknown: missing,
        **known,
    }


def _guards(end: str) -> Lines:
    """Return the lines of what VICIdial's own deletes do not know; *end* is the end."""
    return {
        ReleaseReasonMissing: _said(f"NEEDS A REASON, WHICH HAS NO PLACE HERE{end}"),
        ReleasesCapped: _said(f"TOO MANY NUMBERS DELETED WITHIN THE HOUR{end}"),
        ApprovalPending: _said(
            f"RECORDED, A SECOND USER MUST APPROVE BY DELETING THE SAME{end}"
        ),
    }


def _check(permission: str, required: str) -> Lines:
    length = _said("INVALID PHONE NUMBER LENGTH - {phone_number}|{user}")
    campaign = _said(f"YOU MUST USE ALL REQUIRED FIELDS{required}")
    return {
        Forbidden: _said(
            f"USER DOES NOT HAVE PERMISSION TO CHECK PHONE NUMBERS{permission}"
        ),
        NumberInvalid: length,
        CallingCodeInvalid: length,
        ParameterMissing: campaign,
        CampaignUnknown: campaign,
    }


def _everywhere(login: str, locked: str, source: str, auth: str) -> Lines:
    return {
        RequestMalformed: UNREADABLE,
        TokenInvalid: Line(f"ERROR: Login incorrect, please try again{login}"),
        LoginLocked: Line(
            f"ERROR: Too many login attempts, try again in 15 minutes{locked}"
        ),
        OperationUnknown: Line("ERROR: NO FUNCTION SPECIFIED"),
        ParameterInvalid: Line(
            f"ERROR: Invalid Source - {{source}}\nERROR: Invalid Source{source}"
        ),
        NothingAllowed: Line(
            f"ERROR: auth USER DOES NOT HAVE PERMISSION TO USE THIS FUNCTION{auth}"
        ),
        IdempotencyKeyInvalid: Line("ERROR: INVALID IDEMPOTENCY KEY"),
        IdempotencyKeyInUse: Line(
            "ERROR: A REQUEST WITH THIS IDEMPOTENCY KEY IS BEING CARRIED OUT, TRY AGAIN"
        ),
        IdempotencyKeyReused: Line(
            "ERROR: THIS IDEMPOTENCY KEY WAS USED WITH ANOTHER REQUEST"
        ),
        StoreUnavailable: UNAVAILABLE,
        TooManyRequests: TOO_MANY,
    }


_LIVE = {
    "add_dnc_phone": _on_list(
        "ADD DNC NUMBERS: |{user}|0",
        ": |{user}|{phone_number}|{campaign_id}",
        {
            AlreadySuppressed: _said(
                "DNC NUMBER ALREADY EXISTS: |{user}|{phone_number}|{campaign_id}"
            )
        },
    ),
    "delete_dnc_phone": _on_list(
        "DELETE DNC NUMBERS: |{user}|0",
        ": |{user}|{phone_number}|{campaign_id}",
        {
            **_guards(": |{user}|{phone_number}|{campaign_id}"),
            NotSuppressed: _said(
                "DNC NUMBER DOES NOT EXIST: |{user}|{phone_number}|{campaign_id}"
            ),
        },
    ),
    "check_phone_number": _check(
        ": |{user}||", ": |{user}|{phone_number}|{campaign_id}"
    ),
    "add_fpg_phone": _on_list(
        "ADD FILTER PHONE GROUP NUMBERS: |{user}|0",
        ": |{user}|{phone_number}|{group}",
        {
            CampaignUnknown: _said(
                "FILTER PHONE GROUP DOES NOT EXIST: |{user}|{group}"
            ),
            AlreadySuppressed: _said(
                "FILTER PHONE GROUP NUMBER ALREADY EXISTS: "
                "|{user}|{phone_number}|{group}"
            ),
        },
    ),
    "delete_fpg_phone": _on_list(
        "DELETE FILTER PHONE GROUP NUMBERS: |{user}|0",
        ": |{user}|{phone_number}|{group}",
        {
            **_guards(": |{user}|{phone_number}|{group}"),
            CampaignUnknown: _said(
                "FILTER PHONE GROUP DOES NOT EXIST: |{user}|{group}"
            ),
            NotSuppressed: _said(
                "FILTER PHONE GROUP NUMBER DOES NOT EXIST: "
                "|{user}|{phone_number}|{group}"
            ),
        },
    ),
}

_DOCUMENTED = {
    "add_dnc_phone": _on_list(
        "ADD DNC NUMBERS - {user}|0",
        " - {user}|||1000",
        {AlreadySuppressed: _said("DNC NUMBER ALREADY EXISTS - {user}|{phone_number}")},
    ),
    "delete_dnc_phone": _on_list(
        "DELETE DNC NUMBERS - {user}|0",
        " - {user}|||1000",
        {
            **_guards(" - {user}|{phone_number}"),
            NotSuppressed: _said("DNC NUMBER DOES NOT EXIST - {user}|{phone_number}"),
        },
    ),
    "check_phone_number": _check(" - |{user}|0|", " - {user}|||1000"),
    "add_fpg_phone": _on_list(
        "ADD FILTER PHONE GROUP NUMBERS - {user}|0",
        " - {user}|||1000",
        {
            CampaignUnknown: _said(
                "FILTER PHONE GROUP DOES NOT EXIST - {user}|{group}"
            ),
            AlreadySuppressed: _said(
                "FILTER PHONE GROUP NUMBER ALREADY EXISTS - "
                "{user}|{phone_number}|{group}"
            ),
        },
    ),
    "delete_fpg_phone": _on_list(
        "DELETE FILTER PHONE GROUP NUMBERS - {user}|0",
        " - {user}|||1000",
        {
            **_guards(" - {user}|{phone_number}|{group}"),
            CampaignUnknown: _said(
                "FILTER PHONE GROUP DOES NOT EXIST - {user}|{group}"
            ),
            NotSuppressed: _said(
                "FILTER PHONE GROUP NUMBER DOES NOT EXIST - "
                "{user}|{phone_number}|{group}"
            ),
        },
    ),
}

# No digit, and nothing that was sent: it must not be taken for an answer.
_FILTER: Lines = {
    RequestMalformed: UNREADABLE._replace(status=400),
    TokenInvalid: Line("ERROR: LOGIN INCORRECT", 401),
    LoginLocked: Line("ERROR: TOO MANY LOGIN ATTEMPTS", 429),
    Forbidden: Line("ERROR: USER DOES NOT HAVE PERMISSION", 403),
    NumberInvalid: Line("ERROR: INVALID PHONE NUMBER", 400),
    ParameterMissing: Line("ERROR: INVALID CAMPAIGN OR GROUP", 400),
    CampaignUnknown: Line("ERROR: INVALID CAMPAIGN OR GROUP", 400),
    StoreUnavailable: UNAVAILABLE,
    TooManyRequests: TOO_MANY,
}


def _table(everywhere: Lines, functions: Mapping[str, Lines]) -> Mapping[str, Lines]:
    unavailable = Line("ERROR: {function} SERVICE UNAVAILABLE, TRY AGAIN", _UNAVAILABLE)
    return {
        NONE: everywhere,
        **{
            name: {**everywhere, StoreUnavailable: unavailable, **lines}
            for name, lines in functions.items()
        },
        FILTER: _FILTER,
    }


WIRE_ERRORS: Mapping[str, Mapping[str, Lines]] = {
    Edition.DOCUMENTED: _table(
        _everywhere(
            login=" - {user}||BAD|",
            locked=" - {user}|LOCK|",
            source=" - {source}|",
            auth=" - {user}|{function}",
        ),
        _DOCUMENTED,
    ),
    Edition.LIVE: _table(
        _everywhere(
            login=": |{user}||BAD|",
            locked=": |{user}|LOCK|",
            source=": |{source}|",
            auth=": |{user}|{function}|",
        ),
        _LIVE,
    ),
}


def write_error(failure: Failure, operation: str) -> Response:
    """Return the answer to a request that could not be carried out."""
    call: Call | None = g.get("vicidial_call")
    line = _find_line(failure, operation, call)
    answer = write_line(call.fill(line.text) if call else line.text, line.status)
    return add_headers(answer, failure)


def write_refusal(condition: type[DncError], call: Call) -> Response:
    """Return the answer that *condition* has in a function of the API."""
    return write_line(call.fill(_lines(call.function)[condition].text))


def _find_line(failure: Failure, operation: str, call: Call | None) -> Line:
    """Return the line for *failure*; what has none is told to come again."""
    if isinstance(failure, HTTPException) and not isinstance(
        failure, InternalServerError
    ):
        # The page answers 200 to whatever it refuses.
        is_page = operation not in {NONE, FILTER}
        status = 200 if is_page else failure.code or 500
        return Line(f"ERROR: {failure.name.upper()}", status)
    lines = _lines(FILTER if operation == FILTER else call.function if call else NONE)
    condition = type(failure) if isinstance(failure, DncError) else StoreUnavailable
    return find_words(lines, condition, lines[StoreUnavailable])


def _lines(function: str) -> Lines:
    table = WIRE_ERRORS[current.edition("vicidial")]
    return table.get(function, table[NONE])
