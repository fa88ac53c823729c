"""What every dialect's refusals have in common: how words are found, which headers."""

from collections.abc import Mapping
from typing import TypeVar

from flask import Response
from werkzeug.exceptions import HTTPException

from app.domain.errors import (
    DncError,
    IdempotencyKeyInUse,
    LoginLocked,
    TooManyRequests,
)
from app.http import rates
from app.http.dialect import Failure

RETRY_AFTER_SECONDS = "1"

# As long as failures to log in count.
LOCKED_SECONDS = "900"

_UNAVAILABLE = 503

Said = TypeVar("Said")


def find_words(
    words: Mapping[type[DncError], Said], condition: type[DncError], otherwise: Said
) -> Said:
    """Return the words for *condition*, or for the one that it is a kind of."""
    for known in condition.__mro__:
        if known in words:
            return words[known]
    return otherwise


def add_headers(response: Response, failure: Failure) -> Response:
    """Return *response* with when to ask again, and what is allowed instead."""
    if response.status_code == _UNAVAILABLE or isinstance(failure, IdempotencyKeyInUse):
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(failure, TooManyRequests):
        response.headers.extend(rates.write_headers(failure.standing))
    if isinstance(failure, LoginLocked):
        response.headers["Retry-After"] = LOCKED_SECONDS
    if isinstance(failure, HTTPException):
        told = dict(failure.get_headers())
        if "Allow" in told:
            response.headers["Allow"] = told["Allow"]
    return response
