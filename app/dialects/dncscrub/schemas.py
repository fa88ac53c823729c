"""The shape of DNCScrub's requests and answers, for the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.dialects.dncscrub.errors import CHALLENGE
from app.dialects.dncscrub.results import (
    COLUMNS,
    MORE_COLUMNS,
    VERSIONS,
    Output,
)
from app.dialects.dncscrub.wire import LINE_END, LIST, MULTIPART_NUMBERS, Action
from app.domain.texts import REASON_LENGTH
from app.http import limits
from app.http.dialect import FormBlueprint, View
from app.http.idempotency import TAKES_KEY
from app.http.properties import HEADERS, Properties, Property, as_form, as_query

LOGIN_ID = "loginId"
CSV = "text/csv"
TEXT = "text/plain"

_BY_QUERY = f"{LOGIN_ID}InQuery"
SECURITY_SCHEMES = {
    LOGIN_ID: {"type": "apiKey", "in": "header", "name": LOGIN_ID},
    _BY_QUERY: {"type": "apiKey", "in": "query", "name": LOGIN_ID},
}

_TEXT: Property = {"type": "string"}
_EXAMPLE_LIST = "5551234567,(555) 123-4568"

_LOGIN_ID: Property = {
    **_TEXT,
    "format": "password",
    "writeOnly": True,
    "description": f"The token's secret, unless the header `{LOGIN_ID}` has it.",
}
_PROJECT: Property = {
    **_TEXT,
    "maxLength": 30,
    "description": "A campaign, by its code or id; absent, empty or `0`: the "
    "organisation's own list.",
}


_OF_KEYS = {
    409: "A request with this Idempotency-Key is being carried out; ask again.",
    422: "The Idempotency-Key was used with another request.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says of a call; *name* is its identifier there."""

    name: str
    parameters: Properties
    needed: tuple[str, ...]
    example: Mapping[str, str]
    refused: str
    done: Mapping[str, object]
    takes_key: bool = False


PDNC = Operation(
    name="internalDnc",
    parameters={
        "actionType": {
            **_TEXT,
            "enum": [*map(str, Action)],
            "description": "`add` and `remove` answer nothing, `count` how many numbers"
            " the list has and when it last changed, `status` a line for each number.",
        },
        LIST: {
            **_TEXT,
            "maxLength": limits.BATCH_BYTES,
            "description": "The numbers, separated by commas or line ends, in any "
            f"spelling; at most {limits.BATCH_NUMBERS}. Not needed for `count`.",
        },
        "projId": _PROJECT,
        "ignoreInvalid": {
            **_TEXT,
            "enum": ["0", "1", "false", "true"],
            "description": "For `add` and `remove`: what is no number is left out, "
            "rather than everything.",
        },
        "reason": {
            **_TEXT,
            "maxLength": REASON_LENGTH,
            "description": "For `remove`: why, which history keeps.",
        },
    },
    needed=("actionType",),
    example={"actionType": "add", LIST: _EXAMPLE_LIST},
    refused="Nothing was changed: a parameter is missing or wrong, a number is none, "
    "the campaign is unknown, or the request cannot be read.",
    done={
        "description": "Done. `count`: the number of distinct numbers, and when the "
        "list last changed. `status`: number, date inserted, last modified, the dates "
        "empty if it is not listed; MM/dd/yyyy HH:mm:ss in the organisation's zone.",
        "content": {
            CSV: {
                "schema": _TEXT,
                "example": "5551234567,11/21/2026 09:30:00,11/21/2026 09:30:00"
                f"{LINE_END}5551234568,,{LINE_END}",
            },
            TEXT: {"schema": {**_TEXT, "maxLength": 0}},
        },
    },
    takes_key=True,
)

_ROW: dict[str, str] = {
    **dict.fromkeys(COLUMNS, ""),
    "Phone": "5551234567",
    "ResultCode": "P",
    "Reserved": "4711",
    "Reason": ";;;ConsentRevoked",
}
_ROW_XML = "".join(
    f"<{name}>{text}</{name}>" if text else f"<{name}/>" for name, text in _ROW.items()
)

SCRUB = Operation(
    name="scrubNumbers",
    parameters={
        LIST: {
            **_TEXT,
            "maxLength": limits.BATCH_BYTES,
            "description": "The numbers, separated by commas or line ends, in any "
            "spelling, each with `|` and an id of the caller's if it likes; at most "
            f"{limits.BATCH_NUMBERS}, in multipart {MULTIPART_NUMBERS}.",
        },
        "version": {
            **_TEXT,
            "enum": list(VERSIONS),
            "description": "4 and 5 have three columns more.",
        },
        "output": {
            **_TEXT,
            "enum": [*map(str, Output)],
            "description": "csv by default.",
        },
        "projId": {
            **_PROJECT,
            "description": "The campaign that the calls are for, by its code or id; "
            "absent, empty or `0`: for none in particular.",
        },
        "campaignId": {
            **_PROJECT,
            "description": "The same. Both together must say the same.",
        },
    },
    needed=(LIST,),
    example={LIST: _EXAMPLE_LIST, "version": "3"},
    refused="A parameter is missing or wrong, there are too many numbers, the campaign "
    "is unknown, or the request cannot be read.",
    done={
        "description": "A line for each item, in the order sent, with the number as "
        "sent. ResultCode: C clean, P on an internal list, I ten digits but no number, "
        "M not readable as a number. D and B, of registry lists, do not occur. What "
        "is not known is empty.",
        "content": {
            CSV: {
                "schema": _TEXT,
                "example": ",".join(_ROW.values()) + LINE_END,
            },
            "application/json": {
                "schema": {
                    "type": "array",
                    "maxItems": limits.BATCH_NUMBERS,
                    "items": {
                        "type": "object",
                        "required": list(COLUMNS),
                        "properties": dict.fromkeys(MORE_COLUMNS, _TEXT),
                    },
                },
                "example": [_ROW],
            },
            "application/xml": {
                "schema": _TEXT,
                "example": f"<Results><Result>{_ROW_XML}</Result></Results>",
            },
        },
    },
)


def describe(
    blueprint: FormBlueprint, operation: Operation, *, form: View, query: View
) -> tuple[View, View]:
    """Return the two views of *operation*, described."""
    responses = {200: operation.done, **_failures(operation)}
    marks = TAKES_KEY if operation.takes_key else {}
    security: list[dict[str, list[str]]] = [{LOGIN_ID: []}, {_BY_QUERY: []}]
    by_form = blueprint.doc(
        operationId=operation.name,
        security=[*security, {}],
        requestBody={
            "description": "A form; multipart, where the list may be a file, and JSON "
            "are understood as well.",
            **as_form(
                {LOGIN_ID: _LOGIN_ID, **operation.parameters},
                operation.needed,
                operation.example,
            ),
        },
        responses=responses,
        **marks,
    )(form)
    by_query = blueprint.doc(
        operationId=f"{operation.name}ByQuery",
        security=security,
        parameters=as_query(operation.parameters, operation.needed),
        responses=responses,
        **marks,
    )(query)
    return by_form, by_query


def _failures(operation: Operation) -> dict[int, dict[str, Any]]:
    descriptions = {
        400: operation.refused,
        401: "The loginId is unknown, expired or revoked.",
        403: "The loginId lacks the grant that this needs.",
        413: "The body is larger than 4 MiB.",
        415: "The body is neither a form nor JSON.",
        429: "Too many requests, or wrong secrets; come again later.",
        503: "The database did not answer in time; ask again.",
    }
    if operation.takes_key:
        descriptions |= _OF_KEYS
    responses: dict[int, dict[str, Any]] = {
        status: {"description": text, "content": {TEXT: {"schema": _TEXT}}}
        for status, text in descriptions.items()
    }
    responses[401]["headers"] = {
        "WWW-Authenticate": {"schema": {**_TEXT, "example": CHALLENGE}}
    }
    for status, headers in HEADERS.items():
        if status in responses:
            responses[status]["headers"] = headers
    return responses
