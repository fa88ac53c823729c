"""The whole list, as a file that can be imported elsewhere as it is."""

from collections.abc import Generator
from datetime import datetime

from app.domain.access import Caller
from app.domain.scopes import CampaignReference
from app.services.settling import settle
from app.store import bulk, campaigns
from app.store.database import Database
from app.store.roles import Scope

# One campaign's entries may be few among very many, and far apart.
DEADLINE = 600.0


class Exports:
    """The do-not-call list on its way out."""

    def __init__(self, database: Database) -> None:
        """Read the list from *database*."""
        self._database = database

    def stream(
        self,
        caller: Caller,
        campaign: CampaignReference | None = None,
        as_of: datetime | None = None,
    ) -> Generator[bytes, None, None]:
        """
        Return the list as CSV in blocks, or one campaign's; all as of one moment.

        That is now, or the instant *as_of*. It is read as it is asked for, over a
        connection that is held until the end or until the iterator is closed. Raises
        CampaignUnknown, InstantInvalid and InstantUnsettled at once; StoreUnavailable
        also half-way, and what came before is then no whole list.
        """
        campaign_id = self._campaign_id(caller, campaign)
        if as_of is not None:
            settle(self._database, caller.organisation.id, as_of)
        return self._read(caller, campaign_id, as_of)

    def count(
        self,
        caller: Caller,
        campaign: CampaignReference | None = None,
        as_of: datetime | None = None,
    ) -> int:
        """Return how many entries there are to export; raises CampaignUnknown."""
        campaign_id = self._campaign_id(caller, campaign)
        scope = Scope(caller.organisation.id, tells=True)
        with self._database.transaction(scope, deadline=DEADLINE) as tx:
            return bulk.count(tx, campaign_id, as_of)

    def _read(
        self, caller: Caller, campaign_id: int | None, as_of: datetime | None
    ) -> Generator[bytes, None, None]:
        scope = Scope(caller.organisation.id, tells=True)
        with self._database.transaction(scope, deadline=DEADLINE) as tx:
            yield from bulk.export(tx, campaign_id, as_of)

    def _campaign_id(
        self, caller: Caller, campaign: CampaignReference | None
    ) -> int | None:
        if campaign is None:
            return None
        return campaigns.require(self._database.of(caller.organisation.id), campaign).id
