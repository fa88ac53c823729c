"""VICIdial's one page with its functions, and the filter of inbound calls."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from flask import Response, g, request

from app.dialects.vicidial import schemas, wire
from app.dialects.vicidial.errors import write_error, write_refusal
from app.dialects.vicidial.wire import Call
from app.domain.access import Caller, Grant
from app.domain.errors import (
    AlreadySuppressed,
    NothingAllowed,
    NotSuppressed,
    OperationUnknown,
    ParameterInvalid,
)
from app.domain.rules import Rule
from app.http.current import authenticate_user, services
from app.http.dialect import dialect_blueprint
from app.http.forms import read_page_fields

blueprint = dialect_blueprint("vicidial", "", write_error)
blueprint.description = schemas.DESCRIPTION


class Function(NamedTuple):
    """What a function needs, and how it is carried out."""

    grants: frozenset[Grant]
    carry_out: Callable[[Call, Caller], Response]


def non_agent_api() -> Response:
    """Carry out the function that the request names."""
    call = g.vicidial_call = wire.read_call(read_page_fields(request))
    if call.function == wire.VERSION:
        return wire.write_version(datetime.now(UTC))
    caller = authenticate_user(call.user, call.password)
    return _admit(call, caller).carry_out(call, caller)


def inbound_filter() -> Response:
    """
    Ask whether a call from a number is to be filtered.

    `1` if it may not be called, or is in the `group` that is named; otherwise `0`. Any
    other answer, whose status is not 200, says nothing of the number.
    """
    call = g.vicidial_call = wire.read_call(read_page_fields(request))
    caller = authenticate_user(call.user, call.password)
    services().access.require(caller, Grant.CHECK)
    question, group = wire.read_filter(call, caller.organisation)
    listed = not services().checks.check(caller, question).callable
    if group is not None:
        services().campaigns.require_group(caller, group)
        on_group = services().searches.find_on_list(caller, [question.number], group)
        listed = listed or bool(on_group)
    return wire.write_filter(listed=listed)


def add_dnc_phone(call: Call, caller: Caller) -> Response:
    """Add every number to the organisation's list or a campaign's."""
    numbers = wire.read_numbers(call, caller.organisation)
    on = wire.read_list(call)
    services().campaigns.require_called(caller, on)
    drafts = wire.read_drafts(call, numbers, on)
    added = services().suppressions.suppress_many(caller, drafts)
    if not any(added):
        return write_refusal(AlreadySuppressed, call)
    return wire.write_done(call, wire.DNC_ADDED)


def delete_dnc_phone(call: Call, caller: Caller) -> Response:
    """Take every number off the organisation's list or a campaign's."""
    numbers = wire.read_numbers(call, caller.organisation)
    on = wire.read_list(call)
    services().campaigns.require_called(caller, on)
    if not services().suppressions.release_many(caller, numbers, on):
        return write_refusal(NotSuppressed, call)
    return wire.write_done(call, wire.DNC_DELETED)


def add_fpg_phone(call: Call, caller: Caller) -> Response:
    """Add every number to a filter phone group."""
    numbers = wire.read_numbers(call, caller.organisation)
    group = wire.read_group(call)
    services().campaigns.require_group(caller, group)
    drafts = wire.read_drafts(call, numbers, group)
    added = services().suppressions.suppress_many(caller, drafts)
    if not any(added):
        return write_refusal(AlreadySuppressed, call)
    return wire.write_done(call, wire.GROUP_ADDED)


def delete_fpg_phone(call: Call, caller: Caller) -> Response:
    """Take every number off a filter phone group."""
    numbers = wire.read_numbers(call, caller.organisation)
    group = wire.read_group(call)
    services().campaigns.require_group(caller, group)
    if not services().suppressions.release_many(caller, numbers, group):
        return write_refusal(NotSuppressed, call)
    return wire.write_done(call, wire.GROUP_DELETED)


def check_phone_number(call: Call, caller: Caller) -> Response:
    """Say whether a number is on the lists that are asked about."""
    question = wire.read_question(call, caller.organisation)
    verdict = services().checks.check(caller, question)
    return wire.write_verdict(call, caller.organisation, verdict)


_MODIFY = frozenset({Grant.INSERT})
_DELETE = frozenset({Grant.INSERT, Grant.DELETE})

FUNCTIONS: Mapping[str, Function] = {
    "add_dnc_phone": Function(_MODIFY, add_dnc_phone),
    "delete_dnc_phone": Function(_DELETE, delete_dnc_phone),
    "check_phone_number": Function(frozenset({Grant.CHECK}), check_phone_number),
    "add_fpg_phone": Function(_MODIFY, add_fpg_phone),
    "delete_fpg_phone": Function(_DELETE, delete_fpg_phone),
}

_OF_USE = {Grant.CHECK, Grant.INSERT, Grant.DELETE}


def _admit(call: Call, caller: Caller) -> Function:
    """Return the function that *caller* may use; raises why not, in VICIdial's order."""
    function = FUNCTIONS.get(call.function)
    if function is None:
        raise OperationUnknown
    if len(call.source) < wire.SHORTEST_SOURCE:
        raise ParameterInvalid
    if not caller.grants & _OF_USE:
        raise NothingAllowed
    for grant in function.grants:
        services().access.require(caller, grant)
    return function
