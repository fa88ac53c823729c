"""How often somebody may ask: rates, and where who asks stands."""

import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple

OFF = "off"
MOST_PER_SECOND = 1_000_000

_RATE = re.compile(r"([0-9]{1,7})(?::([0-9]{1,7}))?")
_IPV6_SITE_BITS = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and up to *burst* at once."""

    per_second: int
    burst: int


class Standing(NamedTuple):
    """
    What is left of a rate to somebody.

    *burst* is all that may come at once, *left* how much of it still may, and *reset*
    the seconds until all of it may again. *wait* is how many seconds are to pass before
    the next may come; 0 says that this one might.
    """

    burst: int
    left: int
    reset: float
    wait: float = 0.0


def read_rate(text: str) -> Rate | None:
    """
    Return what ``20`` or ``20:100`` says, None for ``off``; raises ValueError.

    Without a burst, as much may come at once as in two seconds.
    """
    if text == OFF:
        return None
    found = _RATE.fullmatch(text)
    if not found:
        raise ValueError(text)
    per_second = int(found[1])
    burst = int(found[2] or 2 * per_second)
    if not 0 < per_second <= MOST_PER_SECOND or not 0 < burst <= MOST_PER_SECOND:
        raise ValueError(text)
    return Rate(per_second, burst)


def source_of(address: str | None) -> str:
    """
    Return whom an *address* stands for: itself, or of IPv6 its first 64 bits.

    Whoever has one such address has them all.
    """
    source = address or ""
    if ":" in source:
        source = str(ipaddress.ip_network((source, _IPV6_SITE_BITS), strict=False))
    return source
