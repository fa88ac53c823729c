"""What an organisation asks of whoever lets numbers be called again."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from app.domain.entries import Entry
from app.domain.errors import ReleaseReasonMissing
from app.domain.events import OperationKind
from app.domain.scopes import scope_of

APPROVAL_HOURS = 24


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What a release needs besides the grant; by default nothing.

    A reason; not more than *per_hour* entries released within an hour; and under
    *four_eyes* that somebody else has asked for the same at most *approval_hours* ago.
    """

    reason_required: bool = False
    per_hour: int | None = None
    four_eyes: bool = False
    approval_hours: int = APPROVAL_HOURS

    @property
    def take_turns(self) -> bool:
        """Whether releases must be judged one after another."""
        return self.four_eyes or self.per_hour is not None

    def require_reason(self, reason: str | None) -> None:
        """Raise ReleaseReasonMissing where a reason is needed and there is none."""
        if self.reason_required and not reason:
            raise ReleaseReasonMissing

    def allow(self, released: int, wanted: int | None) -> bool:
        """Whether *wanted* more, None for the whole list, are within the cap."""
        if self.per_hour is None:
            return True
        return wanted is not None and released + wanted <= self.per_hour


class Freed(NamedTuple):
    """An entry that would no longer block, as it is known to whoever releases it."""

    entry_id: int
    e164: int
    campaign_id: int
    purpose: str | None


@dataclass(frozen=True, slots=True)
class Release:
    """
    What somebody is about to let be called again.

    *count* is None where it is whatever the organisation lists. *change* tells what
    becomes of it, where that is more than to end.
    """

    kind: OperationKind
    count: int | None
    freed: Sequence[Freed] = ()
    change: str = ""

    def digest(self) -> bytes:
        """Return what two releases have in common only if they are the same."""
        said = [self.kind, self.change, *sorted(map(list, self.freed))]
        return hashlib.sha256(json.dumps(said).encode()).digest()


@dataclass(frozen=True, slots=True)
class Leave:
    """
    The guard's leave to end what blocks calls, within that operation.

    What ends or narrows an entry in the store takes one; only ``services.guards``
    makes any, so that no path to a release goes around it.
    """

    operation_id: int


@dataclass(frozen=True, slots=True)
class PendingRelease:
    """What one has asked for and another has yet to approve, by asking for the same."""

    id: int
    kind: str
    entries: int | None
    entry_ids: Sequence[int]
    actor: str
    why: str | None
    operation_id: int
    requested_at: datetime
    expires_at: datetime


def freed_of(entry: Entry) -> Freed:
    """Return *entry* as a release tells of it."""
    on = scope_of(entry.campaign.id, entry.purpose)
    return Freed(entry.id, entry.number.e164, on.campaign_id, on.purpose)


def unblocks(entry: Entry, revised: Entry) -> bool:
    """Whether calls that *entry* keeps from being made *revised* does not."""
    before = scope_of(entry.campaign.id, entry.purpose)
    after = scope_of(revised.campaign.id, revised.purpose)
    return revised.number != entry.number or not after.covers(before)
