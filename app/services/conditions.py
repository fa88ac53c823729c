"""Whether the database may be believed: asked with every token, and for readiness."""

from collections.abc import Callable

from app.domain.conditions import Anchor, Standing, find_schema_fault, require_schema
from app.domain.errors import StoreUnavailable
from app.store import conditions, recoveries
from app.store.database import Database, Scope


def nothing_anchored() -> None:
    """Say that no anchors are kept here."""


class Conditions:
    """What must hold before this process answers anything from *database*."""

    def __init__(
        self,
        database: Database,
        revision: str,
        newest_anchor: Callable[[], Anchor | None] = nothing_anchored,
    ) -> None:
        """Expect the schema that code of *revision* needs, and what was anchored."""
        self._database = database
        self.revision = revision
        self.newest_anchor = newest_anchor

    def require(self, standing: Standing, anchor: Anchor | None) -> None:
        """
        Raise SchemaNotServed if the schema is another than this code serves.

        What the database lacks is noticed in it, so that ids that were given out are
        given to nothing else. *anchor* is the one that *standing* was found by.
        """
        require_schema(standing, self.revision)
        if anchor is not None and not standing.holds_anchor:
            recoveries.notice(self._database.within(Scope()), anchor)

    def find_faults(self) -> list[str]:
        """Return which conditions fail, in words; raises StoreUnavailable."""
        tx = self._database.within(Scope())
        revision = conditions.find_revision(tx)
        fault = find_schema_fault(Standing(revision, serves=True), self.revision)
        if fault is not None:
            return [fault]
        anchor = self.newest_anchor()
        try:
            standing = conditions.find(tx, self.revision, anchor)
        except StoreUnavailable:
            return [f"migration {revision} is not whole"]
        fault = find_schema_fault(standing, self.revision)
        if fault is not None:
            return [fault]
        if not standing.holds_anchor:
            return ["operations are missing that were anchored: see `dncd recovery`"]
        return []
