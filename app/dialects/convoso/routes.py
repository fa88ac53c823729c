"""Convoso's operations: read, do one thing, write."""

from zoneinfo import ZoneInfo

from flask import Response

from app.dialects.convoso import schemas, wire
from app.dialects.convoso.errors import WIRE_ERRORS, write_error
from app.domain.access import Grant
from app.http.current import admit_page, require_caller, services
from app.http.dialect import dialect_blueprint
from app.http.documentation import Described
from app.http.forms import Fields
from app.http.paging import read_page
from app.http.schemas import Answer

blueprint = dialect_blueprint("convoso", "/v1", write_error)
blueprint.description = (
    "Convoso's DNC API: forms in, JSON out. A refusal of the request's content is "
    "HTTP 200 with `success` false, a `code` and a `text`."
)


operation = Described(blueprint, WIRE_ERRORS).form_operation


@operation("/dnc/insert", Grant.INSERT, schemas.DncInsert(), schemas.IdAnswer)
def dnc_insert(fields: Fields) -> Response:
    """
    Put a number on the do-not-call list.

    When this answers success the number is blocked, in every dialect. 6007 and 6008
    carry the `id` of the entry that is stored already: the number is blocked, and a
    client may treat them as success.
    """
    draft = wire.read_draft(fields)
    return wire.write_id(services().suppressions.suppress(require_caller(), draft))


@operation("/dnc/update", Grant.UPDATE, schemas.DncUpdate(), schemas.IdAnswer)
def dnc_update(fields: Fields) -> Response:
    """
    Change an entry of the do-not-call list.

    What is left out stays. A change of number or list that would let the old number
    be called again needs the grant `delete` besides.
    """
    entry_id, revision = wire.read_revision(fields)
    services().suppressions.revise(require_caller(), entry_id, revision)
    return wire.write_id(entry_id)


@operation("/dnc/search", Grant.READ, schemas.DncSearch(), schemas.DncSearchAnswer)
def dnc_search(fields: Fields) -> Response:
    """
    Find entries of the do-not-call list.

    Oldest id first, stable while paging; `total` is the exact number of all matches.
    A number without its phone_code is found whatever code it is listed under. With
    `as_of` everything is as it was at that instant, as in a check.
    """
    caller = require_caller()
    page = read_page(fields)
    admit_page(page)
    wanted = wire.read_filter(fields, caller.organisation)
    as_of = wire.read_as_of(fields)
    found, total = services().searches.search(caller, wanted, page, as_of)
    zone = ZoneInfo(caller.organisation.time_zone)
    return wire.write_page(page, total, (wire.write_entry(e, zone) for e in found))


@operation("/dnc/delete", Grant.DELETE, schemas.DncDelete(), Answer)
def dnc_delete(fields: Fields) -> Response:
    """
    Take a number off the do-not-call list.

    Its leads can be given another status at the same time: both happen, or neither.
    For a campaign's entry that campaign's leads are meant, for the organisation's all
    with the number, for a purpose's those of the campaigns with that purpose.
    """
    services().suppressions.release(require_caller(), *wire.read_release(fields))
    return wire.write_done()


@operation("/leads/insert", Grant.INSERT, schemas.LeadsInsert(), schemas.IdAnswer)
def leads_insert(fields: Fields) -> Response:
    """
    Add a lead to a campaign.

    Its status is `NEW` unless it says otherwise. A lead may be added whether or not
    its number is listed: whether it may be called is asked before the call.
    """
    return wire.write_id(
        services().leads.insert(require_caller(), wire.read_lead(fields))
    )


@operation(
    "/leads/search", Grant.READ, schemas.LeadsSearch(), schemas.LeadsSearchAnswer
)
def leads_search(fields: Fields) -> Response:
    """
    Find leads.

    Oldest id first, stable while paging; `total` is the exact number of all matches.
    """
    caller = require_caller()
    page = read_page(fields)
    admit_page(page)
    wanted = wire.read_lead_filter(fields, caller.organisation)
    found, total = services().leads.search(caller, wanted, page)
    zone = ZoneInfo(caller.organisation.time_zone)
    return wire.write_page(page, total, (wire.write_lead(x, zone) for x in found))


@operation(
    "/status/search", Grant.READ, schemas.StatusSearch(), schemas.StatusSearchAnswer
)
def status_search(fields: Fields) -> Response:
    """
    List the statuses that leads can have.

    In the order of their codes.
    """
    page = read_page(fields)
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
    """
    List the organisation's campaigns.

    In the order of their ids; the built-in lists 0 and -1 are not among them.
    """
    page = read_page(fields)
    found, total = services().campaigns.search(
        require_caller(), wire.read_campaign_id(fields), page
    )
    return wire.write_page(page, total, map(wire.write_campaign, found))
