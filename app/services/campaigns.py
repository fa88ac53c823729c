"""Campaigns and purposes of an organisation."""

from dataclasses import replace

from app.domain import scopes
from app.domain.access import Caller
from app.domain.entries import Page
from app.domain.errors import CampaignUnknown
from app.domain.events import OperationKind
from app.domain.scopes import Campaign, CampaignReference
from app.store import campaigns, operations
from app.store.database import Database
from app.store.roles import Scope


class Campaigns:
    """What can be called for, and what a call can be for."""

    def __init__(self, database: Database) -> None:
        """Keep the campaigns in *database*."""
        self._database = database

    def add(self, caller: Caller, campaign_id: int | None, campaign: Campaign) -> int:
        """
        Add a campaign under that id, or the next free one, and return the id.

        Raises CampaignUnknown if its code is none, PurposeInvalid, and CampaignExists
        if its id or code could be taken for another's.
        """
        scopes.read_campaign_code(campaign.uid)
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            if campaign.purpose is not None:
                purpose = campaigns.require_purpose(tx, campaign.purpose)
                campaign = replace(campaign, purpose=purpose)
            added = campaigns.add(tx, campaign_id, campaign)
            operations.append(
                tx, caller, OperationKind.CAMPAIGN_ADDED, why=campaign.uid
            )
        return added

    def require_called(self, caller: Caller, reference: CampaignReference) -> Campaign:
        """
        Return the campaign that is meant, or the organisation's own list.

        Raises CampaignUnknown; a filter phone group is no campaign.
        """
        return self._require(caller, reference, group=False)

    def require_group(self, caller: Caller, reference: CampaignReference) -> Campaign:
        """Return the filter phone group that is meant; raises CampaignUnknown."""
        return self._require(caller, reference, group=True)

    def search(
        self, caller: Caller, campaign_id: int | None, page: Page
    ) -> tuple[list[Campaign], int]:
        """Return a page of the campaigns, and how many match in all."""
        once = self._database.of(caller.organisation.id)
        return campaigns.search(once, campaign_id, page)

    def add_purpose(self, caller: Caller, code: str) -> bool:
        """Let the organisation have lists for *code*; False if it could already."""
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            if scopes.known_purpose(code) or not campaigns.add_purpose(tx, code):
                return False
            operations.append(tx, caller, OperationKind.PURPOSE_ADDED, why=code)
        return True

    def _require(
        self, caller: Caller, reference: CampaignReference, *, group: bool
    ) -> Campaign:
        once = self._database.of(caller.organisation.id)
        found = campaigns.require(once, reference)
        if (found.type == scopes.FILTER_PHONE_GROUP) is not group:
            raise CampaignUnknown
        return found
