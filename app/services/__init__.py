"""What the product does.  No HTTP, no SQL: domain objects in, domain objects out."""

from dataclasses import dataclass

from app.services.access import Access
from app.services.campaigns import Campaigns
from app.services.checks import Checks
from app.services.exports import Exports
from app.services.idempotency import Idempotency
from app.services.imports import Imports
from app.services.leads import Leads
from app.services.organisations import Organisations
from app.services.readiness import Readiness
from app.services.scrubs import Scrubs
from app.services.searches import Searches
from app.services.suppressions import Suppressions


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that an edge may ask for."""

    access: Access
    campaigns: Campaigns
    checks: Checks
    exports: Exports
    idempotency: Idempotency
    imports: Imports
    leads: Leads
    organisations: Organisations
    readiness: Readiness
    scrubs: Scrubs
    searches: Searches
    suppressions: Suppressions
