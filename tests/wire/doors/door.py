"""What every door has, and how an answer is told apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

SECONDS = 20
NANP = "1"

Lookup = Callable[[str, str | None], bool]


@dataclass(frozen=True)
class Said:
    """What a dialect answered to a change, told apart by its own words."""

    success: bool
    words: str


@dataclass(frozen=True)
class Keys:
    """Where the service is, and what opens it: a token, and its user for VICIdial."""

    base: str
    token: str
    user: str


@dataclass(frozen=True)
class Door:
    """
    A dialect's client; what the dialect has no word for it has no method for.

    *campaign* is a campaign's code or id, None the list of the whole organisation.
    """

    keys: Keys

    def add(self, number: str, campaign: str | None = None) -> Said:
        """Put a number on a list."""
        raise NotImplementedError

    def is_listed(self, number: str, campaign: str | None = None) -> bool:
        """Tell whether the dialect's principal look-up says that a number is listed."""
        lookup: Lookup = next(iter(self.lookups().values()))
        return lookup(number, campaign)

    def lookups(self) -> Mapping[str, Lookup]:
        """Return by name every way in which this dialect tells of a number."""
        raise NotImplementedError


def bearer(keys: Keys) -> dict[str, str]:
    """Return the header that most dialects take a token in."""
    return {"Authorization": f"Bearer {keys.token}"}
