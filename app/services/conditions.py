"""Whether the database may be believed: asked with every token, and for readiness."""

from pathlib import Path

from app.audit.verify import Anchor
from app.domain.conditions import Standing, find_schema_fault, require_schema
from app.domain.errors import RecoveryUnconfirmed, StoreUnavailable
from app.files import anchors
from app.store import conditions, recoveries
from app.store.database import Database
from app.store.roles import Scope
from app.store.transactions import Parameters

MISSING = "operations that were anchored are missing: see `dncd recovery show`"
UNREADABLE = "the anchors' file cannot be read: {}"
NO_ANCHORS = (
    "there are no anchors here, so that a loss of operations would not be noticed"
)


class Conditions:
    """What must hold before this process answers anything from *database*."""

    def __init__(
        self, database: Database, revision: str, anchor_file: Path | None = None
    ) -> None:
        """
        Expect the schema that code of *revision* needs, and what *anchor_file* tells.

        Without a file nothing was ever anchored here.
        """
        self._database = database
        self._file = anchor_file
        self._known: tuple[object, Anchor | None] = (None, None)
        self.revision = revision
        database.expect = self._expected

    def newest_anchor(self) -> Anchor | None:
        """
        Return the last anchor, read again when the file has changed; None without one.

        Raises RecoveryUnconfirmed if there is a file that cannot be read: nobody knows
        then whether something is missing.
        """
        if self._file is None:
            return None
        try:
            seen = [_look(file) for file in anchors.files(self._file)]
            if self._known[0] != seen:
                self._known = seen, anchors.newest(self._file)
        except (OSError, ValueError) as error:
            raise RecoveryUnconfirmed(UNREADABLE.format(error)) from error
        return self._known[1]

    def require(self, standing: Standing, anchor: Anchor | None) -> None:
        """
        Raise SchemaNotServed if the schema is another than this code serves.

        What the database lacks is noticed in it, so that ids that were given out are
        given to nothing else. *anchor* is the one that *standing* was found by.
        """
        require_schema(standing, self.revision)
        if anchor is not None and not standing.holds_anchor:
            recoveries.notice(self._database.within(Scope()), anchor)

    def find_missed(self) -> Anchor | None:
        """
        Return the anchor whose operations are missing and were not confirmed, or None.

        Notice was taken of it then. Raises SchemaNotServed, StoreUnavailable.
        """
        anchor = self.newest_anchor()
        tx = self._database.within(Scope())
        standing = conditions.find(tx, self.revision, anchor)
        self.require(standing, anchor)
        return None if standing.holds_anchor else anchor

    def is_confirmed(self, anchor: Anchor) -> bool:
        """Whether somebody has confirmed that what *anchor* tells is lost."""
        return conditions.is_confirmed(self._database.within(Scope()), anchor)

    def find_faults(self) -> list[str]:
        """Return which conditions fail, in words; raises StoreUnavailable."""
        tx = self._database.within(Scope())
        revision = conditions.find_revision(tx)
        fault = find_schema_fault(Standing(revision, serves=True), self.revision)
        if fault is not None:
            return [fault]
        try:
            standing = conditions.find(tx, self.revision, self.newest_anchor())
        except RecoveryUnconfirmed as error:
            return [str(error)]
        except StoreUnavailable:
            return [f"migration {revision} is not whole"]
        fault = find_schema_fault(standing, self.revision)
        if fault is not None:
            return [fault]
        return [] if standing.holds_anchor else [MISSING]

    def _expected(self) -> Parameters:
        return conditions.expected(self.revision, self.newest_anchor())

    def find_notes(self) -> list[str]:
        """Return what stands in nobody's way and should be known; StoreUnavailable."""
        if self._file is None or self.newest_anchor() is not None:
            return []
        sealed = conditions.is_sealed(self._database.within(Scope()))
        return [NO_ANCHORS] if sealed else []


def _look(file: Path) -> tuple[int, int, int] | None:
    """Return what changes when *file* does; None where there is none."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
