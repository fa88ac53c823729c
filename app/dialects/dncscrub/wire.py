"""DNCScrub's requests into our words, and our answers into DNCScrub's."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from app.domain import phone, scopes, texts
from app.domain.access import Grant
from app.domain.entries import Entry, ListSize
from app.domain.errors import NumberInvalid, ParameterInvalid, TooManyNumbers
from app.domain.phone import PhoneNumber
from app.domain.scopes import CampaignReference
from app.http import limits
from app.http.forms import Fields

# VICIdial fills its call a thousand leads at a time until it has fifty thousand, and
# leaves out those that have no ten digits: its last thousand may go past that.
PAGE_NUMBERS = 1000
MULTIPART_NUMBERS = limits.BATCH_NUMBERS + PAGE_NUMBERS - 1

LIST: Final = "phoneList"
DATE = "%m/%d/%Y %H:%M:%S"
LINE_END = "\n"

# A list pasted from a file has a number a line, with a comma or without.
_SEPARATOR = re.compile(r",(?:\r\n?|\n)?|\r\n?|\n")
_FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}
_KNOWN = {
    *(LIST, "actionType", "projId", "ignoreInvalid"),
    *("version", "output", "campaignId", "loginId", "reason"),
}


class Action(StrEnum):
    """What is wanted of the internal list."""

    ADD = "add"
    REMOVE = "remove"
    COUNT = "count"
    STATUS = "status"


GRANTS: Mapping[Action, Grant] = {
    Action.ADD: Grant.INSERT,
    Action.REMOVE: Grant.DELETE,
    Action.COUNT: Grant.READ,
    Action.STATUS: Grant.READ,
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a call, in its order, and of which list they are."""

    campaign: CampaignReference
    numbers: Sequence[PhoneNumber]


def read_fields(pairs: Sequence[tuple[str, str]]) -> Fields:
    """
    Return the parameters by name.

    Raises ParameterInvalid where one that matters is there twice and says two things:
    half of the numbers would be lost, or put on another list.
    """
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in _KNOWN and fields.get(name, value) != value:
            raise ParameterInvalid(f"{name} is there twice")
        fields[name] = value
    return fields


def read_action(fields: Fields) -> Action:
    """Return what is wanted; raises ParameterInvalid."""
    try:
        return Action(fields.get("actionType", ""))
    except ValueError:
        wanted = ", ".join(Action)
        raise ParameterInvalid(f"actionType is none of {wanted}") from None


def read_list(fields: Fields, most: int = limits.BATCH_NUMBERS) -> list[str]:
    """
    Return the items of the list, each as it was sent.

    Nothing after the last separator is no item. Raises ParameterInvalid if there is
    none, TooManyNumbers.
    """
    text = fields.get(LIST, "")
    lines = "\n" in text or "\r" in text
    items = _SEPARATOR.split(text) if lines else text.split(",")
    while items and not items[-1].strip(" "):
        items.pop()
    if not items:
        raise ParameterInvalid(f"{LIST} is missing")
    if len(items) > most:
        raise TooManyNumbers(most)
    return items


def read_campaign(fields: Fields) -> CampaignReference:
    """Return whose list is meant, by default the organisation's own."""
    return scopes.read_called_campaign(fields.get("projId", "")) or scopes.ORGANISATION


def read_numbers(fields: Fields, calling_code: str, *, skip: bool = False) -> Numbers:
    """
    Return the numbers that are meant, in their order.

    Raises NumberInvalid with the first text that is none, unless those are to *skip*.
    """
    numbers = []
    for position, item in enumerate(read_list(fields)):
        try:
            number = phone.read(item, calling_code)
            # Of the others a space is more likely one after the comma.
            if position == 0:
                phone.refuse_lost_plus(item, number)
            numbers.append(number)
        except NumberInvalid:
            if not skip:
                raise NumberInvalid(item) from None
    return Numbers(read_campaign(fields), numbers)


def read_skip(fields: Fields) -> bool:
    """Whether what is no number is to be left out; raises ParameterInvalid."""
    text = fields.get("ignoreInvalid", "").lower()
    if text not in _FLAGS:
        raise ParameterInvalid("ignoreInvalid is neither 0 nor 1")
    return _FLAGS[text]


def read_reason(fields: Fields) -> str | None:
    """Return why numbers are removed; raises ReasonInvalid."""
    return texts.read_reason(fields.get("reason", ""))


def write_status(
    numbers: Sequence[PhoneNumber], found: Mapping[int, Entry], zone: ZoneInfo
) -> str:
    """Return a line for each of *numbers*: when it was listed and last changed."""
    lines = []
    for number in numbers:
        entry = found.get(number.e164)
        dates = (entry.inserted_at, entry.valid_from) if entry else (None, None)
        inserted, modified = (write_date(date, zone) for date in dates)
        lines.append(f"{number.national},{inserted},{modified}{LINE_END}")
    return "".join(lines)


def write_count(size: ListSize, zone: ZoneInfo) -> str:
    """Return how many numbers a list has and when it last changed."""
    return f"{size.numbers},{write_date(size.changed_at, zone)}{LINE_END}"


def write_date(instant: datetime | None, zone: ZoneInfo) -> str:
    """Return an instant as the clocks of *zone* showed it, empty for none."""
    return instant.astimezone(zone).strftime(DATE) if instant else ""
