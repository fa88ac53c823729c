"""Finding entries."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import BoundedSemaphore

from app.domain import patience
from app.domain.access import Caller
from app.domain.entries import Entry, EntryFilter, EntryText, ListSize, Page
from app.domain.erasure import Pseudonyms
from app.domain.errors import StoreUnavailable
from app.domain.phone import PhoneNumber
from app.domain.scopes import CampaignReference
from app.services.settling import settle
from app.store import (
    batches,
    campaigns,
    organisations,
    scans,
    searches,
    sizes,
    versions,
)
from app.store.database import Database
from app.store.roles import Plans, Scope
from app.store.transactions import Open

# What one statement looks up: some tens of milliseconds.
PIECE = 5000

# A part of a text is looked for in every entry of an organisation: ten million of them
# take some seconds.
SCAN_SECONDS = 10.0

# So many at a time, in each worker; whoever comes meanwhile waits for a turn.
SCANS = 2


class Searches:
    """The do-not-call list as its readers see it."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        """Read the list in *database*, what was erased of it by *pseudonyms*."""
        self._database = database
        self._pseudonyms = pseudonyms
        # So that whoever looks for a part leaves threads to whoever is about to dial.
        self._scans = BoundedSemaphore(SCANS)

    def search(
        self,
        caller: Caller,
        wanted: EntryFilter,
        page: Page,
        as_of: datetime | None = None,
    ) -> tuple[list[Entry], int]:
        """
        Return a page of matching entries, and the exact number of all matches.

        All from one snapshot; as they were at the instant *as_of*, if one is named.
        Raises CampaignUnknown: that nothing was found in a campaign that does not
        exist would be taken for "may be called". With *as_of* raises InstantInvalid
        and InstantUnsettled, and StoreUnavailable as ``browse`` does, unless *wanted*
        names a number or an id.
        """
        once = self._database.telling(caller.organisation.id)
        stand_ins = self._pseudonyms.of(caller.organisation.id)
        if as_of is not None:
            found, total = self._search_as_of(caller, wanted, page, as_of)
        elif searches.names_few(wanted):
            found, total = searches.search_few(once, wanted, page, stand_ins)
        else:
            # Each filter has a statement, which is best carried out in one way.
            scope = Scope(caller.organisation.id, plans=Plans.BY_INDEX, tells=True)
            with self._database.snapshot(scope) as tx:
                found, total = searches.search(tx, wanted, page)
        if total == 0 and wanted.campaign is not None:
            campaigns.require(once, wanted.campaign)
        return found, total

    def browse(
        self, caller: Caller, wanted: EntryText | None, page: Page
    ) -> tuple[list[Entry], int]:
        """
        Return a page of the entries that *wanted* is a part of, and the exact number.

        None is a part of every entry. A whole number is looked up, whatever else it is
        a part of; for anything else every entry of the organisation is looked at.
        Raises StoreUnavailable where that takes longer than ten seconds, or two others
        are at it.
        """
        if wanted is None:
            return self.search(caller, EntryFilter(), page)
        if wanted.number is not None and wanted.is_whole:
            return self.search(caller, EntryFilter(numbers=(wanted.number,)), page)
        with self._scanning(caller) as tx:
            stand_ins = self._pseudonyms.of(caller.organisation.id)
            return scans.search(tx, wanted, page, stand_ins)

    def _search_as_of(
        self, caller: Caller, wanted: EntryFilter, page: Page, as_of: datetime
    ) -> tuple[list[Entry], int]:
        settle(self._database, caller.organisation.id, as_of)
        stand_ins = self._pseudonyms.of(caller.organisation.id)
        if searches.names_few(wanted):
            scope = Scope(caller.organisation.id, plans=Plans.BY_NUMBER, tells=True)
            once = self._database.within(scope)
            return versions.search(once, wanted, page, as_of, stand_ins)
        with self._scanning(caller) as tx:
            return versions.search(tx, wanted, page, as_of, stand_ins)

    @contextmanager
    def _scanning(self, caller: Caller) -> Iterator[Open]:
        """Let one look at every entry, not many at a time; raises StoreUnavailable."""
        if not patience.take_turn(lambda most: self._scans.acquire(timeout=most)):
            raise StoreUnavailable
        scope = Scope(caller.organisation.id, tells=True)
        try:
            # The server ends the statement, for it would not notice that nobody waits.
            with self._database.transaction(scope, deadline=SCAN_SECONDS + 1) as tx:
                tx.limit(SCAN_SECONDS)
                yield tx
        finally:
            self._scans.release()

    def find_on_list(
        self,
        caller: Caller,
        numbers: Sequence[PhoneNumber],
        campaign: CampaignReference,
    ) -> dict[int, Entry]:
        """
        Return by ``number.e164`` the entries which that one list holds.

        All from one snapshot. Raises CampaignUnknown, also for the purpose lists,
        which are as many as there are purposes.
        """
        asked = {number.e164 for number in numbers}
        stand_ins = self._pseudonyms.of(caller.organisation.id)
        scope = Scope(caller.organisation.id, plans=Plans.BY_NUMBER, tells=True)
        with self._database.snapshot(scope) as tx:
            campaign_id = campaigns.require_one_list(tx, campaign)
            mark = organisations.erasure_mark(tx)
            names = stand_ins.require_names(mark, asked)
            # What was erased comes first: an entry that has its number is shown.
            keys = sorted(asked | names.keys())
            return {
                entry.number.e164: entry
                for start in range(0, len(keys), PIECE)
                for entry in batches.find(
                    tx, keys[start : start + PIECE], campaign_id, names
                )
            }

    def measure_list(self, caller: Caller, campaign: CampaignReference) -> ListSize:
        """
        Return how many distinct numbers that list holds, and when it last changed.

        The number is exact, and kept rather than counted. A change is an insert, a
        revision or a release; one that is still on its way when a later one is done
        may count as of its beginning. Raises CampaignUnknown, also for the purpose
        lists.
        """
        scope = Scope(caller.organisation.id, plans=Plans.BY_INDEX, tells=True)
        with self._database.snapshot(scope) as tx:
            return sizes.measure(tx, campaign, campaigns.require_one_list(tx, campaign))
