"""What belongs to the request that is being answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import current_app, g, request

from app.domain.access import Caller, Edition, Grant
from app.domain.entries import Page
from app.domain.errors import TokenInvalid
from app.http.bulk import MOST_ENTRIES, BulkWork, admit, take_place
from app.http.proxy import read_address
from app.http.rates import Rates
from app.services import Services

EXTENSION = "dncd"


@dataclass(frozen=True, slots=True)
class Application:
    """What a request finds in its application."""

    services: Services
    editions: Mapping[str, str]
    rates: Rates
    bulk_work: BulkWork
    bulk: Mapping[str, int]


def application() -> Application:
    """Return the application's parts."""
    found: Application = current_app.extensions[EXTENSION]
    return found


def services() -> Services:
    """Return the services that do what the request asks for."""
    return application().services


def authenticate(secret: str, needs: Grant) -> Caller:
    """
    Let whoever holds *secret* make this request; the rest of it may ask ``caller``.

    Raises TokenInvalid, Forbidden, StoreUnavailable.
    """
    found = identify(secret)
    services().access.require(found, needs)
    return found


def identify(secret: str) -> Caller:
    """
    Say who holds *secret*, whatever they may do; the rest may ask ``caller``.

    Raises TokenInvalid, StoreUnavailable.
    """
    return _let(services().access.authenticate, secret)


def authenticate_user(user: str, secret: str) -> Caller:
    """
    Let *user*, who proves it by *secret*, make this request.

    What the request needs is for the dialect to require. Raises TokenInvalid,
    LoginLocked, StoreUnavailable.
    """
    return _let(services().access.authenticate_user, user, secret)


def caller() -> Caller | None:
    """Return who sent this request, or None before that is known."""
    found: Caller | None = g.get("caller")
    return found


def require_caller() -> Caller:
    """Return who sent this request, which ``authenticate`` has established."""
    found: Caller = g.caller
    return found


def edition(dialect: str) -> str:
    """Return in which edition *dialect* speaks to this caller."""
    known = caller()
    default = application().editions.get(dialect, Edition.DOCUMENTED)
    return known.organisation.editions.get(dialect, default) if known else default


def request_id() -> str:
    """Return this request's id, as ``request_log`` chose it."""
    found: str = g.request_id
    return found


def admit_page(page: Page) -> None:
    """Let a page of very many entries take a place of bulk work; raises Overloaded."""
    if page.limit > MOST_ENTRIES:
        take_place(application().bulk_work)


def _let(prove: Callable[..., Caller], *proof: str) -> Caller:
    """Let whoever *prove* finds by *proof*, a secret at its end, make this request."""
    address = read_address(request.remote_addr)
    rates = application().rates
    try:
        found = prove(
            *proof,
            dialect=request.blueprint or "",
            address=address,
            request_id=request_id(),
        )
    except TokenInvalid as failure:
        raise rates.judge_guess(proof[-1], address) from failure
    g.standing = rates.admit_token(found.token_id, g.standing)
    g.caller = found
    admit(application().bulk_work, application().bulk)
    return found
