"""
``Idempotency-Key``: a request that changes something, sent again, is done once.

Each dialect lets what changes something pass through here once it knows who asks and
that they may: what was answered is never shown to anybody else. What cannot be read to
its end, or is refused before that, is answered as ever, and nothing is kept of it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from operator import itemgetter
from typing import Any

from flask import Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from app.domain.access import Grant
from app.domain.errors import DncError, StoreUnavailable
from app.domain.idempotency import LONGEST_KEY, KeptAnswer, hash_key
from app.http import forms, limits, streams
from app.http.current import require_caller, services
from app.services.idempotency import Refusal, Unsettled

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

_KEY = "HTTP_IDEMPOTENCY_KEY"

# What these need is not changed by it.
_LOOKING = frozenset({Grant.CHECK, Grant.READ})

# Come again, they say: it was not for the request's content.
_PASSING = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}

# What an operation is marked with whose description the header is to be put into.
_MARK = "x-takes-key"
TAKES_KEY: Mapping[str, bool] = {_MARK: True}

PARAMETER: Mapping[str, object] = {
    "name": HEADER,
    "in": "header",
    "description": "A name for this one change, that no other has: 1 to 255 visible "
    "ASCII characters, best a random UUID; a quoted string is understood as well. The "
    "same request sent again with it within 30 days changes nothing and gets the same "
    f"answer, with the header `{REPLAYED}: true`. A 503 is no answer: send it again.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_KEY,
        "pattern": "^[!#-~][!-~]*$",
    },
}

View = Callable[..., Response]


def changes(grant: Grant) -> bool:
    """Whether what needs *grant* changes something."""
    return grant not in _LOOKING


def describe(operation: dict[str, Any]) -> None:
    """Put the header into the description of *operation*, if it is marked."""
    if operation.pop(_MARK, False):
        operation["parameters"] = [*operation.get("parameters", []), dict(PARAMETER)]


def once_by_fields(view: View, secret_field: str) -> View:
    """Let *view* do once what the fields ask for that the dialect has put in ``g``."""

    @wraps(view)
    def once(**arguments: Any) -> Response:
        if _KEY not in request.environ:
            return view(**arguments)
        return answer_once(lambda: view(**arguments), g.fields, secret_field)

    return once


def once_by_path(view: View, secret_field: str | None) -> View:
    """Let *view*, which reads no body, do once what path and query ask for."""

    @wraps(view)
    def once(**arguments: Any) -> Response:
        if _KEY not in request.environ:
            return view(**arguments)
        query = forms.read_query(request)
        return answer_once(lambda: view(**arguments), query, secret_field)

    return once


def once_by_body(view: View, secret_field: str | None, most_bytes: int) -> View:
    """
    Let *view*, which reads the body itself, do once what query and body ask for.

    The body is here, whole, before anything of the database is held for it.
    """

    @wraps(view)
    def once(**arguments: Any) -> Response:
        if _KEY not in request.environ:
            return view(**arguments)
        query = forms.read_query(request)
        digest = hashlib.sha256()
        with streams.kept(request, most_bytes, digest.update) as body:
            told = digest.digest()
            if request.mimetype == forms.JSON and most_bytes <= limits.BATCH_BYTES:
                told = _digest_json(body.read()) or told
            with streams.handed_on(request, body):
                return answer_once(lambda: view(**arguments), query, secret_field, told)

    return once


def answer_once(
    work: Callable[[], Response],
    fields: Mapping[str, str],
    secret_field: str | None,
    body: bytes = b"",
) -> Response:
    """
    Return what *work* answers, or what it has answered to the same request before.

    The same request has the same method, path, *fields* but for the secret, and
    *body*, a digest, and comes with the same token. Without a key *work* is done as
    ever. Raises IdempotencyKeyInvalid, IdempotencyKeyReused, IdempotencyKeyInUse,
    StoreUnavailable.
    """
    text = request.environ.get(_KEY)
    if text is None:
        return work()
    caller = require_caller()
    asked = [
        caller.token_id,
        request.method,
        request.path,
        sorted((n, value) for n, value in fields.items() if n != secret_field),
        body.hex(),
    ]
    settled = services().idempotency.settle(
        caller,
        hash_key(text),
        hashlib.sha256(json.dumps(asked).encode()).digest(),
        lambda: _carry_out(work),
    )
    kept = settled.answer
    response = Response(kept.body, status=kept.status)
    response.headers.clear()
    response.headers.extend(kept.headers)
    response.content_length = len(kept.body)
    if settled.replayed:
        response.headers[REPLAYED] = "true"
    return response


def _carry_out(work: Callable[[], Response]) -> KeptAnswer:
    """Return what *work* answers; raises Refusal with what it refuses, Unsettled."""
    try:
        response = work()
    except StoreUnavailable:
        raise
    except (DncError, HTTPException) as failure:
        worded = current_app.handle_user_exception(failure)
        answer = _kept(current_app.make_response(worded))
        raise Refusal(answer) from failure
    return _kept(response)


def _kept(response: Response) -> KeptAnswer:
    told = [pair for pair in response.headers.items() if pair[0] != "Content-Length"]
    answer = KeptAnswer(response.status_code, tuple(told), response.get_data())
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _PASSING:
        raise Unsettled(answer)
    return answer


def _digest_json(body: bytes) -> bytes | None:
    """Return a digest that neither spaces nor the order of members change, or None."""
    try:
        members = json.loads(
            body.decode(),
            object_pairs_hook=lambda pairs: {"": sorted(pairs, key=itemgetter(0))},
            parse_int=lambda digits: {"int": digits},
            parse_float=lambda digits: {"float": digits},
        )
        return hashlib.sha256(json.dumps(members).encode()).digest()
    except (ValueError, TypeError, RecursionError):
        return None
