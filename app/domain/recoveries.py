"""What became of operations that were anchored and are not in the database any more."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.keys import Key


@dataclass(frozen=True, slots=True)
class Loss:
    """
    What an anchor tells and the database does not hold.

    *is_other_chain*: the database is another installation's, or was made anew. *found*
    is what the database had when the loss was noticed: its last seal before the anchor
    (0 for none), how many operations, and when the last of them was.
    """

    chain: str
    sequence: int
    root: str
    operations: int
    anchored_at: datetime
    is_other_chain: bool
    found_sequence: int
    found_operations: int
    found_at: datetime | None

    @property
    def missing(self) -> int:
        """At least so many operations are missing; what was never anchored, besides."""
        return max(self.operations - self.found_operations, 0)


def proof_of(key: Key, loss: Loss, confirmed_by: str) -> bytes:
    """Return what only who has the key can say of a loss that somebody confirmed."""
    instants = [
        at.astimezone(UTC).isoformat(timespec="microseconds") if at else ""
        for at in (loss.anchored_at, loss.found_at)
    ]
    return key.derive(
        "recovery",
        loss.chain,
        loss.sequence,
        loss.root,
        loss.operations,
        loss.found_sequence,
        loss.found_operations,
        *instants,
        confirmed_by,
    )


def describe(loss: Loss) -> str:
    """Return one line about *loss*, as history keeps it."""
    since = f"{loss.found_at:%Y-%m-%d %H:%M:%S} UTC" if loss.found_at else "the start"
    until = f"{loss.anchored_at:%Y-%m-%d %H:%M:%S} UTC"
    other = ", of another chain" if loss.is_other_chain else ""
    return (
        f"{loss.missing} of {loss.operations} anchored operations are missing, "
        f"from {since} to {until}{other}"
    )
