"""What was ever listed, who did it, and how what was deleted comes back."""

from contextlib import suppress

from app.domain.access import Caller
from app.domain.entries import Page
from app.domain.erasure import Pseudonyms
from app.domain.errors import (
    AlreadySuppressed,
    EntryUnknown,
    StoreUnavailable,
)
from app.domain.events import OperationKind
from app.domain.history import Subject, Version
from app.store import history, operations
from app.store.database import Database
from app.store.roles import Plans, Scope

# How often two requests may cross before one of them is told to come again.
ATTEMPTS = 5


class Histories:
    """The do-not-call list as its auditors see it."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        """Read and mend the list in *database*, what was erased by *pseudonyms*."""
        self._database = database
        self._pseudonyms = pseudonyms

    def find(
        self, caller: Caller, subject: Subject, page: Page
    ) -> tuple[list[Version], int]:
        """
        Return a page of the versions of *subject*'s entries, and how many there are.

        All from one snapshot, in the order in which they began; an entry that is
        another organisation's has none, like one that never was.
        """
        scope = Scope(caller.organisation.id, plans=Plans.BY_NUMBER, tells=True)
        stand_ins = self._pseudonyms.of(caller.organisation.id)
        return history.find(self._database.within(scope), subject, page, stand_ins)

    def restore(self, caller: Caller, entry_id: int) -> None:
        """
        List a deleted entry again, under its id, as it was when it was deleted.

        When this returns the new version is committed and every check that starts sees
        it. Raises EntryRepeated if the entry is listed, AlreadySuppressed with the id
        of the entry by which its list holds the number again, and EntryUnknown, also of
        an entry that is another organisation's.
        """
        scope = Scope(caller.organisation.id, plans=Plans.BY_NUMBER, tells=True)
        for _ in range(ATTEMPTS):
            with suppress(history.Crossed), self._database.transaction(scope) as tx:
                ended = history.find_ended(tx, entry_id)
                if ended is None:
                    raise EntryUnknown
                if ended.in_the_way is not None:
                    raise AlreadySuppressed(ended.in_the_way)
                operation_id = operations.append(
                    tx, caller, OperationKind.ENTRY_RESTORED, why=ended.reason
                )
                history.restore(tx, operation_id, entry_id)
                return
        raise StoreUnavailable
