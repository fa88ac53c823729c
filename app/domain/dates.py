"""Days and seconds as a person names them, in the organisation's time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.errors import DateInvalid

# A "+" is a space that was encoded for a form and not decoded.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ +][0-9]{2}:[0-9]{2}:[0-9]{2})?")
_DAY_LENGTH = len("YYYY-MM-DD")


@dataclass(frozen=True, slots=True)
class Interval:
    """From *start* on, up to and without *end*; both in UTC."""

    start: datetime
    end: datetime


def read_intervals(text: str, zone: ZoneInfo) -> tuple[Interval, ...]:
    """
    Return the time that *text* names in *zone*: a whole day, or one second.

    A second that the clocks repeat in autumn is two intervals, one that they skip in
    spring is none. Raises DateInvalid.
    """
    if not _DATE.fullmatch(text):
        raise DateInvalid
    try:
        named = datetime.fromisoformat(text.replace("+", " "))
        if len(text) == _DAY_LENGTH:
            next_day = named + timedelta(days=1)
            return (Interval(_instant(named, zone), _instant(next_day, zone)),)
        instants = {_instant(named.replace(fold=fold), zone) for fold in (0, 1)}
        return tuple(
            Interval(instant, instant + timedelta(seconds=1))
            for instant in sorted(instants)
            if instant.astimezone(zone).replace(tzinfo=None) == named
        )
    except (ValueError, OverflowError) as error:
        raise DateInvalid from error


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)
