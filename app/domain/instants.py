"""Instants as a client names them: of one zone, and never without one."""

import re
from datetime import UTC, datetime
from typing import Final

from app.domain.errors import InstantInvalid

# A space before the offset is a "+" that was put into a query as it is.
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)"
    r"(Z|z|[-+ ][0-9]{2}:?[0-9]{2})?"
)


def read_instant(text: str) -> datetime:
    """
    Return the instant that *text* names in ISO 8601, in UTC.

    Of a fraction the microseconds count. Raises InstantInvalid, also for a date-time
    without a zone: what it means depends on who reads it.
    """
    found = _INSTANT.fullmatch(text)
    if not found:
        message = "as_of is no ISO 8601 date-time such as 2026-11-21T10:00:00Z"
        raise InstantInvalid(message)
    named, zone = found.groups()
    if zone is None:
        message = "as_of has no zone; end it in Z or in an offset such as +01:00"
        raise InstantInvalid(message)
    try:
        instant = datetime.fromisoformat(named + zone.upper().replace(" ", "+"))
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = "as_of is no date and time of the calendar"
        raise InstantInvalid(message) from error
