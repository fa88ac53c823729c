"""Convoso's operations: read, do one thing, write."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from flask import Response
from marshmallow import Schema

from app.dialects.convoso import schemas, wire
from app.dialects.convoso.errors import write_error
from app.domain.access import Grant
from app.http.current import require_caller, services
from app.http.dialect import Fields, View, dialect_blueprint, needs

blueprint = dialect_blueprint("convoso", "/v1", write_error)
blueprint.description = (
    "Convoso's DNC API: forms in, JSON out. A refusal of the request's content is "
    "HTTP 200 with `success` false, a `code` and a `text`."
)

REFUSALS = {
    400: "The request cannot be read.",
    401: "The token is unknown, expired or revoked.",
    403: "The token lacks the grant that this needs.",
    413: "The body is larger than 64 KiB.",
    415: "Neither a form nor JSON.",
    503: "The database did not answer in time; ask again.",
}


def operation(
    rule: str, grant: Grant, request: Schema, answer: type[Schema]
) -> Callable[[View], View]:
    """Register a view under *rule* for callers with *grant*, and describe it."""

    def register(view: View) -> View:
        first, *rest = view.__name__.split("_")
        described = blueprint.doc(
            operationId=first + "".join(map(str.title, rest)), security=[]
        )(blueprint.response(200, answer)(view))
        for status, description in REFUSALS.items():
            described = blueprint.alt_response(
                status, schema=schemas.Answer, description=description
            )(described)
        read = blueprint.arguments(request, location="fields")(described)
        blueprint.form_route(rule)(needs(grant, wire.read_fields)(read))
        return view

    return register


@operation("/dnc/insert", Grant.INSERT, schemas.DncInsert(), schemas.IdAnswer)
def dnc_insert(fields: Fields) -> Response:
    """Put a number on the do-not-call list."""
    draft = wire.read_draft(fields)
    return wire.write_id(services().suppressions.suppress(require_caller(), draft))


@operation("/dnc/update", Grant.UPDATE, schemas.DncUpdate(), schemas.IdAnswer)
def dnc_update(fields: Fields) -> Response:
    """Change an entry of the do-not-call list."""
    entry_id, revision = wire.read_revision(fields)
    services().suppressions.revise(require_caller(), entry_id, revision)
    return wire.write_id(entry_id)


@operation("/dnc/search", Grant.READ, schemas.DncSearch(), schemas.DncSearchAnswer)
def dnc_search(fields: Fields) -> Response:
    """Find entries of the do-not-call list."""
    caller = require_caller()
    page = wire.read_page(fields)
    wanted = wire.read_filter(fields, caller.organisation)
    found, total = services().searches.search(caller, wanted, page)
    zone = ZoneInfo(caller.organisation.time_zone)
    return wire.write_page(page, total, (wire.write_entry(e, zone) for e in found))


@operation("/dnc/delete", Grant.DELETE, schemas.DncDelete(), schemas.Answer)
def dnc_delete(fields: Fields) -> Response:
    """Take a number off the do-not-call list."""
    services().suppressions.release(require_caller(), *wire.read_release(fields))
    return wire.write_done()


@operation("/leads/insert", Grant.INSERT, schemas.LeadsInsert(), schemas.IdAnswer)
def leads_insert(fields: Fields) -> Response:
    """Add a lead to a campaign."""
    return wire.write_id(
        services().leads.insert(require_caller(), wire.read_lead(fields))
    )


@operation(
    "/leads/search", Grant.READ, schemas.LeadsSearch(), schemas.LeadsSearchAnswer
)
def leads_search(fields: Fields) -> Response:
    """Find leads."""
    caller = require_caller()
    page = wire.read_page(fields)
    wanted = wire.read_lead_filter(fields, caller.organisation)
    found, total = services().leads.search(caller, wanted, page)
    zone = ZoneInfo(caller.organisation.time_zone)
    return wire.write_page(page, total, (wire.write_lead(x, zone) for x in found))


@operation(
    "/status/search", Grant.READ, schemas.StatusSearch(), schemas.StatusSearchAnswer
)
def status_search(fields: Fields) -> Response:
    """List the statuses that leads can have."""
    page = wire.read_page(fields)
    found, total = services().leads.search_statuses(
        require_caller(), wire.read_status_code(fields), page
    )
    return wire.write_page(page, total, map(wire.write_status, found))


@operation(
    "/campaigns/search",
    Grant.READ,
    schemas.CampaignsSearch(),
    schemas.CampaignsSearchAnswer,
)
def campaigns_search(fields: Fields) -> Response:
    """List the organisation's campaigns."""
    page = wire.read_page(fields)
    found, total = services().campaigns.search(
        require_caller(), wire.read_campaign_id(fields), page
    )
    return wire.write_page(page, total, map(wire.write_campaign, found))
