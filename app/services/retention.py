"""How long the past is kept, and forgetting what is older."""

from collections.abc import Callable

from app.domain import retention
from app.domain.access import Caller
from app.domain.erasure import Pseudonyms
from app.domain.events import OperationKind
from app.domain.retention import Forgotten
from app.services.erasures import forget, require_key
from app.services.keys import Keys
from app.store import campaigns, erasures, operations
from app.store.database import Database
from app.store.erasures import Place
from app.store.roles import Scope

# Versions that one transaction forgets.
PIECE = 2000

ProgressSink = Callable[[Forgotten], None]


def _silent(_so_far: Forgotten) -> None:
    """Show nothing."""


class Retention:
    """Past versions have an end; what blocks now is never touched."""

    def __init__(self, database: Database, keys: Keys, pseudonyms: Pseudonyms) -> None:
        """Forget what is in *database*, with the key of *keys*."""
        self._database = database
        self._keys = keys
        self._pseudonyms = pseudonyms

    def set(self, caller: Caller, months: int | None) -> None:
        """Keep the past for so many months, or for ever; raises SettingInvalid."""
        if months is not None:
            retention.require_months(months)
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            erasures.set_retention(tx, months)
            operations.append(
                tx,
                caller,
                OperationKind.RETENTION_SET,
                why="for ever" if months is None else f"{months} months",
                touched=0,
            )

    def find(self, caller: Caller) -> int | None:
        """Return for how many months the past is kept; None is for ever."""
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            return erasures.find_retention(tx)

    def apply(
        self, caller: Caller, *, dry_run: bool, progress: ProgressSink = _silent
    ) -> Forgotten:
        """
        Forget what is personal of the versions that ended before the retention.

        Some thousand in each transaction, so that it may be stopped and begun again at
        any time. A dry run tells how much it would be. Raises ErasureKeyWrong.
        """
        total = Forgotten()
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            lists = sorted(campaigns.every_list(tx))
        for campaign_id in lists:
            after: Place | None = erasures.BEGINNING
            while after is not None:
                done, after = self._piece(caller, campaign_id, after, dry_run=dry_run)
                total += done
                progress(total)
        return total

    def _piece(
        self, caller: Caller, campaign_id: int, after: Place, *, dry_run: bool
    ) -> tuple[Forgotten, Place | None]:
        """Forget the next versions of a list; return where the ones after it begin."""
        stand_ins = self._pseudonyms.of(caller.organisation.id)
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            months = erasures.find_retention(tx)
            if months is None:
                return Forgotten(), None
            versions = erasures.find_old(tx, campaign_id, months, after, PIECE)
            if not versions:
                return Forgotten(), None
            if dry_run:
                done = Forgotten(len(versions), len(erasures.find_why(tx, versions)))
            else:
                key = require_key(self._keys)
                erasures.claim(tx, stand_ins.mark)
                done, answer = forget(tx, key, stand_ins, versions)
                operations.append(
                    tx,
                    caller,
                    OperationKind.RETENTION_APPLIED,
                    why=f"{months} months",
                    touched=done.versions,
                    answer=answer,
                )
        return done, versions[-1].place if len(versions) == PIECE else None
