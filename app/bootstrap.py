"""Where the concrete parts meet: settings and a database become services."""

import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask

from app.dialects import DIALECTS
from app.http.application import create_app
from app.http.rates import Rates
from app.services import Services
from app.services.access import Access
from app.services.campaigns import Campaigns
from app.services.checks import Checks
from app.services.exports import Exports
from app.services.imports import Imports
from app.services.leads import Leads
from app.services.organisations import Organisations
from app.services.readiness import Readiness
from app.services.scrubs import ASKING, Scrubs
from app.services.searches import Searches
from app.services.suppressions import Suppressions
from app.settings import Settings
from app.store.database import Database
from app.store.migrations import newest_revision

# Two for a request that needs a second connection, one for the first start's gate.
COMMAND_CONNECTIONS = 3


def build_services(database: Database) -> Services:
    """Return services that work on *database*."""
    checks = Checks(database)
    return Services(
        access=Access(database),
        campaigns=Campaigns(database),
        checks=checks,
        exports=Exports(database),
        imports=Imports(database),
        leads=Leads(database),
        organisations=Organisations(database),
        readiness=Readiness(database, newest_revision()),
        scrubs=Scrubs(checks),
        searches=Searches(database),
        suppressions=Suppressions(database),
    )


def build_rates(settings: Settings) -> Rates:
    """Return the rates of this host, to be shared by workers forked after this."""
    return Rates(
        settings.rate_per_token, settings.rate_per_source, settings.guesses_per_source
    )


def build_app(
    settings: Settings,
    database_url: str,
    at_end: Callable[[Callable[[], None]], object] = atexit.register,
    rates: Rates | None = None,
) -> Flask:
    """
    Return the web application of one worker, with a pool of its own.

    What must be closed when the worker ends is told to *at_end*. *rates* are what all
    workers keep together; without, this one keeps its own.
    """
    database = Database(
        database_url,
        # A thread that scrubs a list asks about two parts of it at a time.
        connections=settings.threads * ASKING,
        prepare_statements=settings.prepare_statements,
    )
    # A pool that is left to the interpreter's end holds it up for seconds a thread.
    at_end(database.close)
    return create_app(
        build_services(database),
        DIALECTS,
        editions=settings.editions,
        trusted_proxies=settings.trusted_proxies,
        bounds=rates or build_rates(settings),
        threads=settings.threads,
    )


@contextmanager
def command_services(settings: Settings, database_url: str) -> Iterator[Services]:
    """Yield services for one command, which nothing hurries; they end with it."""
    database = Database(
        database_url,
        connections=COMMAND_CONNECTIONS,
        prepare_statements=settings.prepare_statements,
        bounded=False,
    )
    try:
        yield build_services(database)
    finally:
        database.close()
