"""VICIdial's one page with its functions, and the filter of inbound calls."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from flask import Response, g, request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import Rule

from app.dialects.vicidial import schemas, wire
from app.dialects.vicidial.errors import FILTER, write_error, write_refusal
from app.dialects.vicidial.wire import Call
from app.domain.access import Caller, Grant
from app.domain.errors import (
    AlreadySuppressed,
    NothingAllowed,
    NotSuppressed,
    OperationUnknown,
    ParameterInvalid,
)
from app.domain.scopes import CampaignReference
from app.http.current import authenticate_user, services
from app.http.dialect import dialect_blueprint
from app.http.forms import read_page_fields
from app.http.idempotency import answer_once, changes

blueprint = dialect_blueprint("vicidial", "", write_error)
blueprint.description = schemas.DESCRIPTION


class Function(NamedTuple):
    """What a function of the page needs, and how it is carried out."""

    grants: frozenset[Grant]
    carry_out: Callable[[Call, Caller], Response]


def non_agent_api() -> Response:
    """
    Carry out the function that is named.

    Every answer is lines of text, and HTTP 200 also where the function could not be
    carried out: `SUCCESS:` and `ERROR:` tell which. When it is `SUCCESS` every number
    blocks, in every dialect.
    """
    fields = read_page_fields(request)
    call = g.vicidial_call = wire.read_call(fields)
    if call.function == wire.VERSION:
        return wire.write_version(datetime.now(UTC))
    caller = authenticate_user(call.user, call.password)
    function = _admit(call, caller)
    if not any(map(changes, function.grants)):
        return function.carry_out(call, caller)
    return answer_once(lambda: function.carry_out(call, caller), fields, wire.PASSWORD)


# Flask would answer OPTIONS by itself, and flask-smorest keeps it from being told.
non_agent_api.provide_automatic_options = False  # type: ignore[attr-defined]


def inbound_filter() -> Response:
    """
    Ask whether a call from a number is to be filtered.

    `1` if the number may not be called, or is in the group that is named; otherwise
    `0`. Any other answer, whose status is never 200, says nothing of the number.
    """
    fields = read_page_fields(request)
    call = g.vicidial_call = wire.read_call(fields, number=("phone_number", "phone"))
    caller = authenticate_user(call.user, call.password)
    services().access.require(caller, Grant.CHECK)
    question, group = wire.read_filter(call, caller.organisation)
    listed = False
    if group is not None:
        services().campaigns.require_group(caller, group)
        listed = bool(
            services().searches.find_on_list(caller, [question.number], group)
        )
    verdict = services().checks.check(caller, question)
    return wire.write_filter(listed=listed or not verdict.callable)


def add_dnc_phone(call: Call, caller: Caller) -> Response:
    """Put numbers on the organisation's list or a campaign's."""
    return _add(call, caller, wire.read_list, services().campaigns.require_called)


def delete_dnc_phone(call: Call, caller: Caller) -> Response:
    """Take numbers off the organisation's list or a campaign's."""
    return _delete(call, caller, wire.read_list, services().campaigns.require_called)


def add_fpg_phone(call: Call, caller: Caller) -> Response:
    """Put numbers into a filter phone group."""
    return _add(call, caller, wire.read_group, services().campaigns.require_group)


def delete_fpg_phone(call: Call, caller: Caller) -> Response:
    """Take numbers out of a filter phone group."""
    return _delete(call, caller, wire.read_group, services().campaigns.require_group)


def check_phone_number(call: Call, caller: Caller) -> Response:
    """Say whether a number is on one of the lists that are asked about."""
    question = wire.read_question(call, caller.organisation)
    verdict = services().checks.check(caller, question)
    return wire.write_verdict(call, caller.organisation, verdict)


_MODIFY = frozenset({Grant.INSERT})
_DELETE = frozenset({Grant.INSERT, Grant.DELETE})
_CHECK = frozenset({Grant.CHECK})

FUNCTIONS: Mapping[str, Function] = {
    "add_dnc_phone": Function(_MODIFY, add_dnc_phone),
    "delete_dnc_phone": Function(_DELETE, delete_dnc_phone),
    "check_phone_number": Function(_CHECK, check_phone_number),
    "add_fpg_phone": Function(_MODIFY, add_fpg_phone),
    "delete_fpg_phone": Function(_DELETE, delete_fpg_phone),
}

ReadList = Callable[[Call], CampaignReference]
RequireList = Callable[[Caller, CampaignReference], object]


def _add(call: Call, caller: Caller, read: ReadList, require: RequireList) -> Response:
    numbers = wire.read_numbers(call, caller.organisation)
    on = read(call)
    require(caller, on)
    drafts = wire.read_drafts(call, numbers, on)
    if any(services().suppressions.suppress_many(caller, drafts)):
        return wire.write_done(call)
    return write_refusal(AlreadySuppressed, call)


def _delete(
    call: Call, caller: Caller, read: ReadList, require: RequireList
) -> Response:
    numbers = wire.read_numbers(call, caller.organisation)
    on = read(call)
    require(caller, on)
    if services().suppressions.release_many(caller, numbers, on):
        return wire.write_done(call)
    return write_refusal(NotSuppressed, call)


def _admit(call: Call, caller: Caller) -> Function:
    """Return the function, which *caller* may use; raises why not, in due order."""
    function = FUNCTIONS.get(call.function)
    if function is None:
        raise OperationUnknown
    if len(call.source) < wire.SHORTEST_SOURCE:
        raise ParameterInvalid
    if not caller.grants & (_CHECK | _DELETE):
        raise NothingAllowed
    for grant in function.grants:
        services().access.require(caller, grant)
    return function


def _register_page(
    path: str, name: str, operation_id: str, example: Mapping[str, object]
) -> None:
    """Let *path* answer any method, as a script does; GET and POST are described."""
    for method, query in (("GET", True), ("POST", False)):
        described = schemas.describe_page(operation_id, query=query, example=example)
        endpoint = f"{name}_by_query" if query else name
        blueprint.route(path, methods=[method], endpoint=endpoint)(
            blueprint.doc(**described)(non_agent_api)
        )

    def answer_any_other(state: BlueprintSetupState) -> None:
        endpoint = f"{blueprint.name}.{name}_by_any_method"
        state.app.url_map.add(Rule(path, endpoint=endpoint))
        state.app.view_functions[endpoint] = non_agent_api

    blueprint.record(answer_any_other)


_register_page(
    "/vicidial/non_agent_api.php", "non_agent_api", "nonAgentApi", schemas.ADDING
)
_register_page(
    "/non_agent_api.php", "root_non_agent_api", "rootNonAgentApi", schemas.CHECKING
)
blueprint.form_route(
    "/vicidial/filter",
    FILTER,
    form=blueprint.doc(**schemas.describe_filter("inboundFilter", query=False))(
        inbound_filter
    ),
    query=blueprint.doc(**schemas.describe_filter("inboundFilter", query=True))(
        inbound_filter
    ),
)
