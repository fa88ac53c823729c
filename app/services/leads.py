"""Leads and the statuses that an organisation gives them."""

from collections.abc import Iterator

from app.domain.access import Caller
from app.domain.entries import Page
from app.domain.errors import CampaignUnknown, LeadStatusInvalid
from app.domain.events import OperationKind
from app.domain.leads import Lead, LeadDraft, LeadFilter, LeadStatus
from app.domain.scopes import Campaign
from app.store import campaigns, leads, operations
from app.store.database import Database
from app.store.roles import Scope
from app.store.transactions import Open


class Leads:
    """The people that an organisation means to call."""

    def __init__(self, database: Database) -> None:
        """Keep the leads in *database*."""
        self._database = database

    def insert(self, caller: Caller, draft: LeadDraft) -> int:
        """Store a lead and return its id; raises CampaignUnknown, LeadStatusInvalid."""
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            campaign = _require_campaign(tx, draft)
            _require_status(tx, draft.status)
            operation_id = operations.append(tx, caller, OperationKind.LEAD_INSERTED)
            return leads.insert(tx, operation_id, draft, campaign)

    def insert_many(
        self, caller: Caller, drafts: list[LeadDraft], why: str
    ) -> Iterator[int]:
        """
        Store all *drafts* in one transaction; yield how many are written so far.

        The transaction commits when the iteration ends. Raises as ``insert`` does,
        and then nothing is stored.
        """
        written = 0
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            named = {draft.campaign.code: draft for draft in drafts}
            meant = {
                code: _require_campaign(tx, draft) for code, draft in named.items()
            }
            for status in {draft.status for draft in drafts}:
                _require_status(tx, status)
            operation_id = operations.append(
                tx,
                caller,
                OperationKind.LEADS_IMPORTED,
                why=why,
                touched=len(drafts),
            )
            for start in range(0, len(drafts), 1000):
                part = drafts[start : start + 1000]
                leads.insert_many(
                    tx, operation_id, [(d, meant[d.campaign.code]) for d in part]
                )
                written += len(part)
                yield written

    def search(
        self, caller: Caller, wanted: LeadFilter, page: Page
    ) -> tuple[list[Lead], int]:
        """Return a page of leads, and how many match; raises CampaignUnknown."""
        once = self._database.of(caller.organisation.id)
        found, total = leads.search(once, wanted, page)
        if total == 0 and wanted.campaign is not None:
            campaigns.require(once, wanted.campaign)
        return found, total

    def define_status(self, caller: Caller, status: LeadStatus) -> None:
        """Add a status, or give the one of that code another name."""
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            leads.define_status(tx, status)
            operations.append(
                tx, caller, OperationKind.LEAD_STATUS_DEFINED, why=status.code
            )

    def search_statuses(
        self, caller: Caller, code: str | None, page: Page
    ) -> tuple[list[LeadStatus], int]:
        """Return a page of the organisation's statuses, and how many match."""
        once = self._database.of(caller.organisation.id)
        return leads.search_statuses(once, code, page)


def _require_campaign(tx: Open, draft: LeadDraft) -> Campaign:
    """Return the campaign of *draft*; a built-in list is nothing to call for."""
    campaign = campaigns.require(tx, draft.campaign)
    if campaign.id <= 0:
        raise CampaignUnknown
    return campaign


def _require_status(tx: Open, status: str) -> None:
    if not leads.has_status(tx, status):
        raise LeadStatusInvalid
