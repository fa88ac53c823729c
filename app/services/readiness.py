"""Whether the service may take an opt-out."""

from app.domain.errors import StoreUnavailable
from app.services.conditions import Conditions
from app.store import readiness
from app.store.database import Database
from app.store.roles import Scope


class Readiness:
    """Looks at the database with fresh eyes each time it is asked."""

    def __init__(self, database: Database, conditions: Conditions) -> None:
        """Expect *database* to meet *conditions*."""
        self._database = database
        self._conditions = conditions

    def find_faults(self) -> list[str]:
        """Return what stands against saying ready, in words; empty if nothing does."""
        try:
            return [
                *readiness.find_faults(self._database.within(Scope())),
                *self._conditions.find_faults(),
            ]
        except StoreUnavailable:
            return ["the database does not answer"]

    def find_notes(self) -> list[str]:
        """Return what does not stand against it, and should be known all the same."""
        try:
            return self._conditions.find_notes()
        except StoreUnavailable:
            return []

    def find_leaks(self) -> list[str]:
        """Return which settings of PostgreSQL let phone numbers into its log."""
        return readiness.find_leaks(self._database.within(Scope()))
