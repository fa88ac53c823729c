"""
Where the concrete parts meet: settings and a database become services.

What serves HTTP is added in ``app.web``, for a command that does not serve starts
sooner without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.erasure import Pseudonyms
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
from app.services.scrubs import Scrubs
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
        recovery=Recovery(database, keys, conditions),
        retention=Retention(database, keys, pseudonyms),
        scrubs=Scrubs(checks),
        sealing=sealing,
        searches=Searches(database, pseudonyms),
        suppressions=Suppressions(database, guards, pseudonyms),
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
