"""What was ever said about a number: versions, and who made and ended them."""

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

    def as_members(self) -> dict[str, object]:
        """Return what it tells under the names that every edge tells it by."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "at": self.at.isoformat(),
            "token": self.token,
            "actor": self.actor,
            "dialect": self.dialect,
            "address": self.address,
            "request_id": self.request_id,
            "why": self.why,
            "touched": self.touched,
        }


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

    def as_members(self) -> dict[str, object]:
        """Return what it tells of its entry, without its operations."""
        entry, ends = self.entry, self.valid_until
        return {
            "id": str(entry.id),
            "phone_number": entry.number.national,
            "phone_code": entry.number.calling_code,
            "campaign_id": str(entry.campaign.id),
            "campaign_uid": entry.campaign.uid,
            "campaign_name": entry.campaign.name,
            "purpose": entry.purpose or "",
            "reason": entry.reason or "",
            "evidence": dict(entry.evidence or {}),
            "inserted_at": entry.inserted_at.isoformat(),
            "valid_from": entry.valid_from.isoformat(),
            "valid_until": ends and ends.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose history is wanted: of a number, in any of its spellings, or of an entry."""

    numbers: tuple[PhoneNumber, ...] = ()
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What an auditor is handed about a number: all that was ever said of it.

    Everything was read at *read_at*; *as_of* is the instant that was asked about.
    """

    organisation: str
    number: PhoneNumber
    made_by: str
    read_at: datetime
    as_of: datetime | None
    versions: tuple[Version, ...]

    def listed_at(self, instant: datetime | None) -> list[Version]:
        """Return what listed the number at *instant*, or what does now."""
        return [
            version
            for version in self.versions
            if version.entry.number == self.number
            and (
                version.valid_until is None
                if instant is None
                else version.holds_at(instant)
            )
        ]

    def operations(self) -> list[Operation]:
        """Return every operation that made or ended a version, oldest first."""
        every = {
            operation.id: operation
            for version in self.versions
            for operation in (version.made_by, version.ended_by)
            if operation is not None
        }
        return [every[key] for key in sorted(every)]
