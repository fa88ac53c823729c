"""What the OpenAPI document says of an operation, taken from the tables it runs by."""

from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema

from app.dialects.convoso.errors import (
    RETRY_AFTER_SECONDS,
    WIRE_ERRORS,
    WireError,
    find_words,
    write_body,
)
from app.dialects.convoso.schemas import Answer
from app.domain.access import Edition
from app.domain.errors import (
    Forbidden,
    RequestMalformed,
    StoreUnavailable,
    TokenInvalid,
)
from app.http.dialect import View

REFUSED = 200
UNAVAILABLE = 503

_TOO_LARGE = WireError(413, "Request Entity Too Large", 413)
_UNSUPPORTED = WireError(415, "Unsupported Media Type", 415)


def describe(
    blueprint: Blueprint, view: View, answer: type[Schema], *, suffix: str
) -> View:
    """Return *view* described, answers good and bad; *suffix* ends its operationId."""
    operation = view.__name__
    first, *rest = operation.split("_")
    described = blueprint.doc(
        operationId=first + "".join(map(str.title, rest)) + suffix, security=[]
    )(view)
    described = blueprint.response(
        REFUSED, answer, description=_describe_refusals(operation)
    )(described)
    for error, description in _failures(operation):
        described = blueprint.alt_response(
            error.status,
            schema=Answer,
            description=description,
            example=write_body(error),
            headers=_headers(error) or None,
        )(described)
    return described


def example_of(request: Schema) -> dict[str, Any]:
    """Return a request that has what the operation cannot do without."""
    return {
        name: field.metadata["example"]
        for name, field in request.fields.items()
        if field.required
    }


def _describe_refusals(operation: str) -> str:
    """Name every refusal of the content, in both editions."""
    said = []
    for edition, operations in WIRE_ERRORS.items():
        refusals = sorted(
            {
                error
                for error in operations[operation].values()
                if error.status == REFUSED
            }
        )
        listed = ", ".join(f"{error.code} {error.text}" for error in refusals)
        said.append(f"Edition {edition}: {listed or 'none'}.")
    return "Done, or `success` false with one of these codes. " + " ".join(said)


def _failures(operation: str) -> list[tuple[WireError, str]]:
    def words(condition: type[Any]) -> WireError:
        return find_words(Edition.DOCUMENTED, operation, condition)

    return [
        (words(RequestMalformed), "The request cannot be read."),
        (words(TokenInvalid), "The token is unknown, expired or revoked."),
        (words(Forbidden), "The token lacks the grant that this needs."),
        (_TOO_LARGE, "The body is larger than 64 KiB."),
        (_UNSUPPORTED, "The body is neither a form nor JSON."),
        (words(StoreUnavailable), "The database did not answer in time; ask again."),
    ]


def _headers(error: WireError) -> dict[str, Any]:
    if error.status != UNAVAILABLE:
        return {}
    return {
        "Retry-After": {
            "description": "Seconds to wait before asking again.",
            "schema": {"type": "integer", "example": int(RETRY_AFTER_SECONDS)},
        }
    }
