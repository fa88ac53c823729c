"""
JSON refusals; of the ``/v1`` paths ``success``, and of a refusal code and text.

Which condition has which code is the dialects' own; how it looks on the wire is the
same for all that share the envelope.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from flask import Response
from werkzeug.exceptions import HTTPException, InternalServerError

from app.domain.errors import (
    AlreadySuppressed,
    DncError,
    FileRefused,
    Forbidden,
    IdempotencyKeyInUse,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    ParameterInvalid,
    RequestMalformed,
    StoreUnavailable,
    TokenInvalid,
    TooManyRequests,
)
from app.http import refusals
from app.http.dialect import Failure

_UNAUTHORISED = 401
_UNAVAILABLE = 503


class WireError(NamedTuple):
    """What a client reads: the code and text in the body, the status before it."""

    code: int
    text: str
    status: int = 200


Words = Mapping[type[DncError], WireError]

UNAVAILABLE = WireError(503, "Service unavailable, try again", _UNAVAILABLE)
TOO_MANY = WireError(429, "Too many requests, try again later", 429)

# Of an instant of which nothing certain can be said yet.
UNSETTLED = WireError(6070, "as_of is not settled yet, try again", _UNAVAILABLE)

EVERYWHERE: Words = {
    TokenInvalid: WireError(5001, "Auth token is invalid", _UNAUTHORISED),
    Forbidden: WireError(403, "Forbidden", 403),
    RequestMalformed: WireError(400, "The request cannot be read", 400),
    StoreUnavailable: UNAVAILABLE,
    TooManyRequests: TOO_MANY,
}


# What every operation that changes something says of the header.
OF_KEYS: Words = {
    IdempotencyKeyInvalid: WireError(400, "Invalid Idempotency-Key", 400),
    IdempotencyKeyInUse: WireError(
        409, "A request with this Idempotency-Key is being carried out, try again", 409
    ),
    IdempotencyKeyReused: WireError(
        422, "This Idempotency-Key was used with another request", 422
    ),
}


def find_error(words: Words, condition: type[DncError]) -> WireError:
    """Return what *words* say of *condition*; of one that they do not know, no more."""
    otherwise = OF_KEYS.get(condition, UNAVAILABLE)
    return refusals.find_words(words, condition, otherwise)


def write_body(error: WireError) -> dict[str, object]:
    """Return the body that tells a client of *error*; it reads text or message."""
    return {
        "success": False,
        "code": error.code,
        "text": error.text,
        "message": error.text,
    }


def write_failure(words: Words, failure: Failure) -> Response:
    """Return the answer to a request that an operation with *words* refuses."""
    error = word(words, failure)
    body = write_body(error)
    if isinstance(failure, AlreadySuppressed):
        body["id"] = failure.entry_id
    return write_refusal(error, failure, body)


def word(words: Words, failure: Failure) -> WireError:
    """Return what an operation with *words* says of *failure*."""
    if isinstance(failure, InternalServerError):
        return find_error(words, StoreUnavailable)
    if isinstance(failure, HTTPException):
        status = failure.code or 500
        return WireError(status, failure.name, status)
    error = find_error(words, type(failure))
    if isinstance(failure, FileRefused | ParameterInvalid) and str(failure):
        error = error._replace(text=f"{error.text}: {failure}")
    return error


def write_refusal(
    error: WireError, failure: Failure, body: Mapping[str, object]
) -> Response:
    """Return the answer with *body*, and the headers that belong to *failure*."""
    response = Response(
        json.dumps(body), status=error.status, content_type="application/json"
    )
    if error.status == _UNAUTHORISED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return refusals.add_headers(response, failure)


def write_json(body: Mapping[str, object]) -> Response:
    """Return an answer with *body* as compact JSON."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, content_type="application/json")
