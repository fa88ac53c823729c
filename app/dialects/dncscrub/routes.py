"""DNCScrub's operations: read, do one thing, write."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request

from app.dialects.dncscrub import results, schemas, wire
from app.dialects.dncscrub.errors import TEXT, write_error
from app.dialects.dncscrub.schemas import LOGIN_ID
from app.dialects.dncscrub.wire import Action
from app.domain import phone
from app.domain.access import Caller, Grant
from app.domain.entries import Draft
from app.http import current, limits
from app.http.current import require_caller, services
from app.http.dialect import View, dialect_blueprint
from app.http.forms import MULTIPART, Fields, read_large_pairs
from app.http.idempotency import answer_once

blueprint = dialect_blueprint("dncscrub", "/app/main/rpc", write_error)
blueprint.description = (
    "DNCScrub's internal do-not-call list and its scrub of a list: parameters in the "
    "query, a form, multipart or JSON. A refusal is a status and one line of text."
)


def operation(
    rule: str, described: schemas.Operation
) -> Callable[[Callable[[Fields], Response]], View]:
    """Register a view under *rule*, for GET and POST."""

    def register(view: Callable[[Fields], Response]) -> View:
        @wraps(view)
        def by_form(**_: Any) -> Response:
            return view(_identify())

        @wraps(view)
        def by_query(**_: Any) -> Response:
            return view(_identify())

        form, query = schemas.describe(
            blueprint, described, form=by_form, query=by_query
        )
        blueprint.form_route(rule, view.__name__, form=form, query=query)
        return view

    return register


@operation("/pdnc", schemas.PDNC)
def pdnc(fields: Fields) -> Response:
    """
    Change an internal do-not-call list, or ask for what is on it.

    All numbers of a call in one transaction. When `add` answers success every one of
    them is blocked, in every dialect. Needs the grant `insert` to add, `delete` to
    remove, and `read` to count and for the status.
    """
    action = wire.read_action(fields)
    caller = require_caller()
    services().access.require(caller, wire.GRANTS[action])
    match action:
        case Action.ADD:
            return answer_once(lambda: _add(caller, fields), fields, LOGIN_ID)
        case Action.REMOVE:
            return answer_once(lambda: _remove(caller, fields), fields, LOGIN_ID)
        case Action.COUNT:
            return _count(caller, fields)
        case Action.STATUS:
            return _status(caller, fields)


@operation("/scrub", schemas.SCRUB)
def scrub(fields: Fields) -> Response:
    """
    Ask of every number of a list whether it may be called.

    All from one snapshot, in the order sent. A number is on an internal list if it is
    on the organisation's, on that of the campaign that is named, or on that of its
    purpose; whether it is, is told also where the organisation has switched its
    checking off. Needs the grant `check`.
    """
    caller = require_caller()
    services().access.require(caller, Grant.CHECK)
    most = limits.BATCH_NUMBERS
    if request.mimetype == MULTIPART:
        most = wire.MULTIPART_NUMBERS
    asked = results.read_scrub(fields, _calling_code(caller), most)
    numbers = [key for key in asked.keys if key is not None]
    _, hits = services().checks.find_listed(
        caller, numbers, asked.campaign, with_reasons=True
    )
    return Response(
        results.write_results(asked, hits),
        content_type=results.CONTENT_TYPES[asked.output],
    )


def _identify() -> Fields:
    """Find out who asks, before anything else of the request is looked at."""
    secret = request.headers.get(LOGIN_ID)
    if secret:
        current.identify(secret)
    pairs = read_large_pairs(request, limits.BATCH_BYTES)
    if not secret:
        current.identify(dict(pairs).get(LOGIN_ID, ""))
    return wire.read_fields(pairs)


def _add(caller: Caller, fields: Fields) -> Response:
    asked = wire.read_numbers(
        fields, _calling_code(caller), skip=wire.read_skip(fields)
    )
    if not asked.numbers:
        # There may be no such list, which adding nothing would not tell.
        services().searches.find_on_list(caller, [], asked.campaign)
        return _done()
    drafts = [Draft(number, asked.campaign) for number in asked.numbers]
    services().suppressions.suppress_many(caller, drafts)
    return _done()


def _remove(caller: Caller, fields: Fields) -> Response:
    asked = wire.read_numbers(
        fields, _calling_code(caller), skip=wire.read_skip(fields)
    )
    reason = wire.read_reason(fields)
    services().suppressions.release_many(caller, asked.numbers, asked.campaign, reason)
    return _done()


def _count(caller: Caller, fields: Fields) -> Response:
    size = services().searches.measure_list(caller, wire.read_campaign(fields))
    return _csv(wire.write_count(size, _zone(caller)))


def _status(caller: Caller, fields: Fields) -> Response:
    # What is no number must not look like one that is not listed: none is left out.
    asked = wire.read_numbers(fields, _calling_code(caller))
    found = services().searches.find_on_list(caller, asked.numbers, asked.campaign)
    return _csv(wire.write_status(asked.numbers, found, _zone(caller)))


def _calling_code(caller: Caller) -> str:
    return phone.read_calling_code(caller.organisation.default_phone_code)


def _zone(caller: Caller) -> ZoneInfo:
    return ZoneInfo(caller.organisation.time_zone)


def _csv(text: str) -> Response:
    return Response(text, content_type=schemas.CSV)


def _done() -> Response:
    return Response(content_type=TEXT)
