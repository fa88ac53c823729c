"""Entries: one number on one list, for a reason, from an instant."""

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain import phone
from app.domain.dates import Interval
from app.domain.errors import EvidenceMissing, NumberInvalid
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, CampaignReference
from app.domain.texts import TextFilter

Evidence = Mapping[str, str]

_PART_OF_NUMBER = re.compile(r"[+ .()-]*[0-9][0-9 .()-]*")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it exists."""

    number: PhoneNumber
    campaign: CampaignReference
    purpose: str | None = None
    reason: str | None = None
    evidence: Evidence | None = None


def require_evidence(draft: Draft, names: Collection[str]) -> None:
    """Raise EvidenceMissing unless *draft* has a reason and all evidence of *names*."""
    if draft.reason is None or not all((draft.evidence or {}).get(x) for x in names):
        raise EvidenceMissing


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


@dataclass(frozen=True, slots=True)
class EntryText:
    """
    A part of an entry to look for: of its reason or of the *evidence* of that name.

    In any case; *digits*, if they may be a number's, also of that, calling code and
    all. *number* is the one that the text spells, if it does; *is_whole* tells that its
    digits are that number's, so that they are no part of another.
    """

    text: str
    evidence: str
    digits: str | None = None
    number: PhoneNumber | None = None
    is_whole: bool = False


def read_entry_text(text: str, evidence: str, default_calling_code: str) -> EntryText:
    """Return what *text* is a part of: maybe a number, in any spelling."""
    if not _PART_OF_NUMBER.fullmatch(text):
        return EntryText(text, evidence)
    digits = "".join(re.findall("[0-9]", text))
    number, is_whole = None, False
    with suppress(NumberInvalid):
        number = phone.read_with_code(text, default_calling_code)
        is_whole = str(number) == f"+{digits}" and phone.is_whole(number)
    return EntryText(text, evidence, digits, number, is_whole)
