"""After a restore: what is missing, and that somebody knows."""

from app.domain import recoveries as losses
from app.domain.errors import RecoveryUnconfirmed
from app.domain.events import OperationKind
from app.domain.recoveries import Loss
from app.services.conditions import MISSING, Conditions
from app.services.keys import Keys
from app.services.organisations import operator
from app.store import operations, organisations, recoveries
from app.store.database import Database
from app.store.roles import Scope


class Recovery:
    """Compares the database with what was anchored outside of it."""

    def __init__(self, database: Database, keys: Keys, conditions: Conditions) -> None:
        """Look at *database*, whose anchors are those of *conditions*."""
        self._database = database
        self._keys = keys
        self._conditions = conditions

    def find_loss(self) -> Loss | None:
        """
        Return what was anchored and is missing, unless that was confirmed; else None.

        Reads every organisation's operations once where there is a loss. Raises
        SchemaNotServed, StoreUnavailable.
        """
        anchor = self._conditions.find_missed()
        if anchor is None:
            return None
        with self._database.transaction(Scope()) as tx:
            return recoveries.measure(tx, anchor, organisations.ids(tx))

    def require_confirmed(self) -> None:
        """Raise RecoveryUnconfirmed while something is missing, unconfirmed."""
        if self._conditions.find_missed() is not None:
            raise RecoveryUnconfirmed(MISSING)

    def confirm(self, actor: str) -> Loss | None:
        """
        Record that *actor* knows what is missing, so that the service goes on.

        Every organisation's history says so, too. Returns what was confirmed, or None
        if there was nothing to confirm, any more. Raises KeyRefused: what is confirmed
        without the key nobody could tell from what was forged.
        """
        loss = self.find_loss()
        if loss is None:
            return None
        try:
            self._record(actor, loss)
        except recoveries.ConfirmedAlready:
            return None
        return loss

    def _record(self, actor: str, loss: Loss) -> None:
        proof = losses.proof_of(self._keys.require(), loss, actor)
        with self._database.transaction(Scope()) as tx:
            recoveries.confirm(tx, loss, actor, proof)
            for organisation_id in organisations.ids(tx):
                own = tx.turn_to(organisation_id)
                found = organisations.find_own(own)
                if found is not None:
                    operations.append(
                        own,
                        operator(found, actor),
                        OperationKind.RECOVERY_CONFIRMED,
                        why=losses.describe(loss),
                        touched=0,
                    )
