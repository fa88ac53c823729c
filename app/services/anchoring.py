"""Anchors: how far the chain was, where nobody who rewrites the database is."""

import time
from contextlib import suppress
from pathlib import Path

from app.audit.verify import Anchor
from app.domain.errors import AnchorContradicts
from app.files import anchors
from app.services.sealing import Sealing


class Anchoring:
    """Keeps anchors of the chain in a file."""

    def __init__(self, sealing: Sealing, file: Path, every: float) -> None:
        """Write to *file* when something was sealed, every so many seconds at most."""
        self._sealing = sealing
        self._file = file
        self._every = every
        self._due = 0.0

    def keep(self, *, at_once: bool = False) -> Anchor | None:
        """
        Append the newest seal to the file if it is time; return it if that was done.

        Beside the file it is noted at once, so that its loss would be noticed. Each
        host keeps its own, whichever of them seals. Raises AnchorContradicts when the
        chain is no longer the one that was anchored, OSError, StoreUnavailable.
        """
        newest = self._sealing.newest()
        if newest is None:
            return None
        known = anchors.newest(self._file)
        if newest != known:
            if known is not None and not self._sealing.is_confirmed(known):
                self._require(known, newest)
            # Where things are only ever appended there is no such file, only lines.
            with suppress(OSError):
                anchors.note(self._file, newest)
        if time.monotonic() < self._due and not at_once:
            return None
        appended = anchors.last(self._file)
        if appended is not None and appended.root == newest.root:
            return None
        anchors.append(self._file, newest)
        self._due = time.monotonic() + self._every
        return newest

    def _require(self, last: Anchor, newest: Anchor) -> None:
        if last.chain != newest.chain:
            message = (
                f"{self._file} knows the chain {last.chain}, and the database has "
                f"another, {newest.chain}: it was made anew, or is not the one meant"
            )
            raise AnchorContradicts(message)
        found = self._sealing.find(last.sequence)
        if found is None:
            message = (
                f"{self._file} knows seal {last.sequence}, of {last.at}, and the "
                "database ends before it: it was restored from a backup, or cut"
            )
            raise AnchorContradicts(message)
        if found.root != last.root:
            message = (
                f"{self._file} knows another seal {last.sequence}, of {last.at}, than "
                "the database has: its history was rewritten"
            )
            raise AnchorContradicts(message)
