"""Where the concrete parts meet: settings and a database become services."""

import atexit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from app.dialects import DIALECTS
from app.domain.erasure import Pseudonyms
from app.http.application import create_app
from app.http.rates import Rates
from app.services import Services
from app.services.access import Access
from app.services.audit import Audit
from app.services.campaigns import Campaigns
from app.services.checks import Checks
from app.services.conditions import Conditions
from app.services.erasures import Erasures
from app.services.exports import Exports
from app.services.guards import Guards
from app.services.histories import Histories
from app.services.idempotency import Idempotency
from app.services.imports import Imports
from app.services.keys import Keys
from app.services.leads import Leads
from app.services.organisations import Organisations
from app.services.proofs import Proofs
from app.services.readiness import Readiness
from app.services.recovery import Recovery
from app.services.retention import Retention
from app.services.scrubs import ASKING, Scrubs
from app.services.sealing import Sealing
from app.services.searches import Searches
from app.services.suppressions import Suppressions
from app.settings import Settings
from app.store.database import Database
from app.store.migrations import newest_revision

# Two for a request that needs a second connection, one for the first start's gate.
COMMAND_CONNECTIONS = 3


def build_services(
    database: Database,
    key_file: Path = Path("key"),
    anchor_file: Path | None = None,
) -> Services:
    """
    Return services that work on *database*, with the key in *key_file*.

    What *anchor_file* tells of the database must be in it.
    """
    conditions = Conditions(database, newest_revision(), anchor_file)
    guards = Guards(database)
    keys = Keys(database, key_file)
    pseudonyms = Pseudonyms(keys.find)
    checks = Checks(database, pseudonyms)
    sealing = Sealing(database, keys, conditions)
    return Services(
        access=Access(database, conditions),
        audit=Audit(database, keys, sealing),
        campaigns=Campaigns(database),
        checks=checks,
        erasures=Erasures(database, keys, pseudonyms),
        exports=Exports(database),
        guards=guards,
        histories=Histories(database, pseudonyms),
        idempotency=Idempotency(database),
        imports=Imports(database),
        keys=keys,
        leads=Leads(database),
        organisations=Organisations(database, guards),
        proofs=Proofs(database, keys, sealing, pseudonyms),
        readiness=Readiness(database, conditions),
        recovery=Recovery(database, conditions),
        retention=Retention(database, keys, pseudonyms),
        scrubs=Scrubs(checks),
        sealing=sealing,
        searches=Searches(database, pseudonyms),
        suppressions=Suppressions(database, guards, pseudonyms),
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
        build_services(database, settings.key_file, settings.anchor_file),
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
        yield build_services(database, settings.key_file, settings.anchor_file)
    finally:
        database.close()
