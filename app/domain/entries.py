"""Entries: one number on one list, for a reason, from an instant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.dates import Interval
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, CampaignReference
from app.domain.texts import TextFilter

Evidence = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it exists."""

    number: PhoneNumber
    campaign: CampaignReference
    purpose: str | None = None
    reason: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A number that must not be called, and where, why and since when.

    *inserted_at* is the instant of the opt-out, *valid_from* that of this version,
    *evidence* what was told of the request, by name.
    """

    id: int
    number: PhoneNumber
    campaign: Campaign
    purpose: str | None
    reason: str | None
    inserted_at: datetime
    valid_from: datetime
    evidence: Evidence | None = None


class Unchanged:
    """Stands for a field that a revision leaves as it is."""


UNCHANGED: Final = Unchanged()


@dataclass(frozen=True, slots=True)
class Revision:
    """
    What to change of an entry; ``None`` clears a reason or purpose.

    A number and its calling code come as written, for either may be left out and is
    then read with the other of the stored entry.
    """

    phone_number: str | Unchanged = UNCHANGED
    calling_code: str | Unchanged = UNCHANGED
    campaign: CampaignReference | Unchanged = UNCHANGED
    purpose: str | Unchanged | None = UNCHANGED
    reason: str | Unchanged | None = UNCHANGED


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a long answer is wanted."""

    offset: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class ListSize:
    """
    How many distinct numbers a list holds, and when it last changed.

    *changed_at* is None of a list on which nothing ever was.
    """

    numbers: int
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """What to look for; a field that is None is not looked at."""

    id: int | None = None
    campaign: CampaignReference | None = None
    numbers: tuple[PhoneNumber, ...] | None = None
    calling_code: str | None = None
    inserted: tuple[Interval, ...] | None = None
    reason: TextFilter | None = None
    purpose: TextFilter | None = None
