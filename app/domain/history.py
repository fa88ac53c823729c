"""What was ever said about a number: versions, and who made and ended them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.domain.entries import Entry
from app.domain.phone import PhoneNumber


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One changing request: what it did, when, and who sent it from where.

    *token* is the name of the token that was shown, or None at the command line;
    *actor* who it was, *touched* how many rows it made or ended.
    """

    id: int
    kind: str
    at: datetime
    actor: str
    token: str | None
    dialect: str
    address: str | None
    request_id: str
    why: str | None
    touched: int


@dataclass(frozen=True, slots=True)
class Version:
    """
    An entry as it was from one instant up to, and without, another.

    *valid_until* and *ended_by* are None of what is listed still.
    """

    entry: Entry
    valid_until: datetime | None
    made_by: Operation | None
    ended_by: Operation | None

    def holds_at(self, instant: datetime) -> bool:
        """Whether this is what was listed at *instant*."""
        return self.entry.valid_from <= instant and (
            self.valid_until is None or instant < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose history is wanted: of a number, in any of its spellings, or of an entry."""

    numbers: tuple[PhoneNumber, ...] = ()
    entry_id: int | None = None


def entries_at(
    versions: Iterable[Version], number: PhoneNumber, instant: datetime
) -> list[Version]:
    """Return what of *versions* listed *number* at *instant*."""
    return [
        version
        for version in versions
        if version.entry.number == number and version.holds_at(instant)
    ]
