"""Finding entries."""

from app.domain.access import Caller
from app.domain.entries import Entry, EntryFilter, Page
from app.store import campaigns, searches
from app.store.database import Database, Plans, Scope


class Searches:
    """The do-not-call list as its readers see it."""

    def __init__(self, database: Database) -> None:
        """Read the list in *database*."""
        self._database = database

    def search(
        self, caller: Caller, wanted: EntryFilter, page: Page
    ) -> tuple[list[Entry], int]:
        """
        Return a page of matching entries, and the exact number of all matches.

        All from one snapshot. Raises CampaignUnknown: that nothing was found in
        a campaign that does not exist would be taken for "may be called".
        """
        once = self._database.of(caller.organisation.id)
        if searches.names_few(wanted):
            found, total = searches.search(once, wanted, page)
        else:
            # Each filter has a statement, which is best carried out in one way.
            scope = Scope(caller.organisation.id, plans=Plans.BY_INDEX)
            with self._database.snapshot(scope) as tx:
                found, total = searches.search(tx, wanted, page)
        if total == 0 and wanted.campaign is not None:
            campaigns.require(once, wanted.campaign)
        return found, total
