"""
Every condition in DNCScrub's words: a status and one line of text.

Only what was done is HTTP 200. A client that reads the line as an answer to a scrub
finds no number in it.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from flask import Response
from werkzeug.exceptions import HTTPException, InternalServerError

from app.domain.access import Edition
from app.domain.errors import (
    ApprovalPending,
    CampaignUnknown,
    DncError,
    Forbidden,
    IdempotencyKeyInUse,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    NumberInvalid,
    ParameterInvalid,
    ReasonInvalid,
    ReleaseReasonMissing,
    ReleasesCapped,
    RequestMalformed,
    StoreUnavailable,
    TokenInvalid,
    TooManyNumbers,
    TooManyRequests,
)
from app.http.dialect import Failure
from app.http.refusals import add_headers, find_words

TEXT = "text/plain; charset=utf-8"
CHALLENGE = 'LoginId realm="dncd"'

# As much of somebody's text as one line of an answer repeats.
_LONGEST_QUOTATION = 64


class TextError(NamedTuple):
    """What a client reads: a status, and a line that may quote what was sent."""

    status: int
    text: str


Words = Mapping[type[DncError], TextError]

_UNAVAILABLE = TextError(503, "Service unavailable, try again")

_EVERYWHERE: Words = {
    TokenInvalid: TextError(401, "The loginId is unknown, expired or revoked"),
    Forbidden: TextError(403, "The loginId may not do this"),
    RequestMalformed: TextError(400, "The request cannot be read"),
    ParameterInvalid: TextError(400, "Invalid parameter: {}"),
    TooManyNumbers: TextError(400, "Too many numbers: at most {} a call"),
    StoreUnavailable: _UNAVAILABLE,
    TooManyRequests: TextError(429, "Too many requests, try again later"),
}

_WORDS: Mapping[str, Words] = {
    "pdnc": {
        **_EVERYWHERE,
        NumberInvalid: TextError(
            400,
            "Error importing or updating phone numbers: {} is not a valid number",
        ),
        CampaignUnknown: TextError(400, "Unknown projId"),
        ReasonInvalid: TextError(400, "reason is no printable text of up to 255"),
        ReleaseReasonMissing: TextError(400, "reason is missing"),
        ReleasesCapped: TextError(403, "Too many numbers were removed within the hour"),
        ApprovalPending: TextError(
            403, "Recorded: a second loginId must approve by asking for the same"
        ),
        IdempotencyKeyInvalid: TextError(400, "Invalid Idempotency-Key"),
        IdempotencyKeyInUse: TextError(
            409,
            "A request with this Idempotency-Key is being carried out, try again",
        ),
        IdempotencyKeyReused: TextError(
            422, "This Idempotency-Key was used with another request"
        ),
    },
    "scrub": {
        **_EVERYWHERE,
        CampaignUnknown: TextError(400, "Unknown projId or campaignId"),
    },
}

# One vendor has one edition: it says the same in both.
WIRE_ERRORS: Mapping[str, Mapping[str, Words]] = {
    Edition.DOCUMENTED: _WORDS,
    Edition.LIVE: _WORDS,
}


def write_error(failure: Failure, operation: str) -> Response:
    """Return the answer to a request that *operation* could not carry out."""
    words = _WORDS.get(operation, _EVERYWHERE)
    if isinstance(failure, InternalServerError):
        error = _UNAVAILABLE
    elif isinstance(failure, HTTPException):
        error = TextError(failure.code or 500, failure.name)
    else:
        error = find_words(words, type(failure), _UNAVAILABLE)
    text = error.text.format(quote(str(failure)))
    answer = Response(text, status=error.status, content_type=TEXT)
    if error.status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = CHALLENGE
    return add_headers(answer, failure)


def quote(text: str) -> str:
    """Return *text* as one printable line may repeat it."""
    shown = text[:_LONGEST_QUOTATION]
    return "".join(letter if letter.isprintable() else " " for letter in shown)
