"""
What the OpenAPI document says of VICIdial's page and of the inbound filter.

Lines of text go out and all parameters of all functions come in through one page, so
the document is written from these tables rather than from schemas.
"""

from collections.abc import Sequence
from typing import Any

from app.dialects.vicidial import wire
from app.dialects.vicidial.errors import (
    FILTER,
    WIRE_ERRORS,
    Line,
)
from app.domain.access import Edition
from app.domain.phone import TEXT_LENGTH
from app.http.idempotency import TAKES_KEY
from app.http.properties import (
    HEADERS,
    Properties,
    Property,
    as_form,
    as_query,
    text,
)

DONE = 200


def _list_refusals(edition: str) -> str:
    texts = {
        line.text.replace("{function}", name): None
        for name, lines in WIRE_ERRORS[edition].items()
        for line in lines.values()
        if line.status == DONE
    }
    return "\n".join(f"    {part}" for text in texts for part in text.split("\n"))


DESCRIPTION = f"""\
VICIdial's Non-Agent API: one page with many functions, lines of text out. A user is a
token that was issued with a user name; its password is the token's secret. After ten
wrong passwords a user is locked out for 15 minutes, from the address that they came
from and from no other. What is refused in edition documented:

{_list_refusals(Edition.DOCUMENTED)}

and in edition live:

{_list_refusals(Edition.LIVE)}
"""

_TEXT = "text/html"
_TOO_LARGE = Line("ERROR: REQUEST ENTITY TOO LARGE", 413)
_MEANINGS = {
    400: "The request cannot be read.",
    401: "The user or the password is wrong.",
    403: "The user may not check numbers.",
    413: "The body is larger than 64 KiB.",
    429: "Too many requests, or ten wrong passwords; come again later.",
    503: "The database did not answer in time; ask again.",
}


_USER = text("The user name that a token was issued with.", "6666")
_PASS = text(
    "The token's secret.",
    "dncd_0123456789abcdefghijkl012345",
    format="password",
    writeOnly=True,
)
_SOURCE = text(
    "Which program calls, at least two letters or digits. Its first "
    f"{wire.LONGEST_SOURCE} are kept as the reason of an entry: `VICIdial: test`.",
    "test",
)

PAGE: Properties = {
    "function": text(
        "What to do.",
        "add_dnc_phone",
        enum=[wire.VERSION, "check_phone_number", *wire.DONE],
    ),
    "user": _USER,
    "pass": _PASS,
    "source": _SOURCE,
    "phone_number": text(
        "The number, or where a list changes several with commas between them: all of "
        "them are carried out, or none. Without a calling code it belongs to the "
        "organisation's; formatting and a repeated code are removed.",
        "7275551212",
    ),
    "campaign_id": text(
        "A campaign, by its code or id, or `SYSTEM_INTERNAL` in any case for the "
        "organisation's own list.",
        "SYSTEM_INTERNAL",
        maxLength=wire.LONGEST_LIST,
    ),
    "group": text(
        "A filter phone group, by its code: a campaign of the type "
        "`FILTER_PHONE_GROUP`. In place of campaign_id for the functions with `fpg`.",
        "FPG1",
        maxLength=wire.LONGEST_LIST,
    ),
    "phone_code": text(
        "The calling code of a number to check; the organisation's by default.", "1"
    ),
    "dnc_check": text(
        "Whether a check looks at the organisation's own list: `Y` or `AREACODE`; "
        "anything but `N` and nothing counts as `Y`.",
        "Y",
    ),
    "campaign_dnc_check": text(
        "Whether a check looks at the list of campaign_id and that of its purpose.",
        "N",
    ),
    "local_call_time": text("Understood, and not looked at.", "24hours"),
}

FILTERED: Properties = {
    "user": _USER,
    "pass": _PASS,
    "phone_number": text(
        "The caller's number, which may also be sent as `phone`. A withheld or "
        "unreadable one is refused.",
        "7275551212",
        maxLength=TEXT_LENGTH,
    ),
    "campaign_id": text(
        "Look at the list of this campaign as well.",
        "SYSTEM_INTERNAL",
        maxLength=wire.LONGEST_LIST,
    ),
    "group": text(
        "Look at this filter phone group as well.",
        "FPG1",
        maxLength=wire.LONGEST_LIST,
    ),
}

ADDING = {
    "function": "add_dnc_phone",
    "user": "6666",
    "pass": _PASS["example"],
    "source": "test",
    "phone_number": "7275551212",
    "campaign_id": "SYSTEM_INTERNAL",
}
CHECKING = {
    **ADDING,
    "function": "check_phone_number",
    "phone_number": "9995551200",
    "dnc_check": "Y",
}
FILTERING = {
    "user": "6666",
    "pass": _PASS["example"],
    "phone_number": "9995551200",
}


def describe_page(name: str, *, query: bool, example: Property) -> dict[str, Any]:
    """Return the description of the page, called *name*, for GET or for POST."""
    done = {
        "schema": {"type": "string", "pattern": "^(SUCCESS|ERROR|AREACODE|VERSION): "},
        "example": "SUCCESS: add_dnc_phone DNC NUMBER HAS BEEN ADDED - "
        "6666|7275551212|SYSTEM_INTERNAL\n",
    }
    lines = WIRE_ERRORS[Edition.DOCUMENTED][""].values()
    return {
        **_describe_request(name, PAGE, ["function"], example, query=query),
        **TAKES_KEY,
        "responses": {
            DONE: {
                "description": "Done, or refused in a line that the tag lists.",
                "content": {_TEXT: done},
            },
            **_describe_failures([line for line in lines if line.status != DONE]),
        },
    }


def describe_filter(name: str, *, query: bool) -> dict[str, Any]:
    """Return the description of the inbound filter, called *name*."""
    answered = {
        "schema": {"type": "string", "enum": [wire.LISTED, wire.NOT_LISTED]},
        "example": wire.LISTED,
    }
    needed = ["user", "pass", "phone_number"]
    return {
        **_describe_request(name, FILTERED, needed, FILTERING, query=query),
        "responses": {
            DONE: {"description": "Listed or not.", "content": {_TEXT: answered}},
            **_describe_failures(
                [*WIRE_ERRORS[Edition.DOCUMENTED][FILTER].values(), _TOO_LARGE]
            ),
        },
    }


def _describe_request(
    name: str,
    fields: Properties,
    needed: Sequence[str],
    example: Property,
    *,
    query: bool,
) -> dict[str, Any]:
    if query:
        return {
            "operationId": f"{name}ByQuery",
            "security": [],
            "parameters": as_query(fields, needed),
        }
    return {
        "operationId": name,
        "security": [],
        "requestBody": as_form(fields, needed, example),
    }


def _describe_failures(lines: Sequence[Line]) -> dict[int, dict[str, Any]]:
    by_status: dict[int, dict[str, Any]] = {}
    for line in sorted(lines, key=lambda line: line.status):
        by_status.setdefault(line.status, _describe_failure(line))
    return by_status


def _describe_failure(line: Line) -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^ERROR: "}
    described: dict[str, Any] = {
        "description": _MEANINGS[line.status],
        "content": {_TEXT: {"schema": schema, "example": f"{line.text}\n"}},
    }
    if line.status in HEADERS:
        described["headers"] = HEADERS[line.status]
    return described
