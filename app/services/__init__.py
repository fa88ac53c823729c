"""What the product does.  No HTTP, no SQL: domain objects in, domain objects out."""

from dataclasses import dataclass

from app.services.access import Access
from app.services.audit import Audit
from app.services.campaigns import Campaigns
from app.services.checks import Checks
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


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that an edge may ask for."""

    access: Access
    audit: Audit
    campaigns: Campaigns
    checks: Checks
    erasures: Erasures
    exports: Exports
    histories: Histories
    guards: Guards
    idempotency: Idempotency
    imports: Imports
    keys: Keys
    leads: Leads
    organisations: Organisations
    proofs: Proofs
    readiness: Readiness
    recovery: Recovery
    retention: Retention
    scrubs: Scrubs
    sealing: Sealing
    searches: Searches
    suppressions: Suppressions
