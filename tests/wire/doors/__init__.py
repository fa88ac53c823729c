"""
Each dialect as its users drive it: with plain ``requests``, a connection a request.

A door is one organisation's client of one dialect. Whatever it is answered is a success
or an error in that dialect's own words; an answer that is neither of them fails the
test that got it, and so does a look-up that says neither "listed" nor "not listed".
"""

from collections.abc import Mapping

from tests.wire.doors.convoso import Convoso
from tests.wire.doors.dncscrub import Dncscrub
from tests.wire.doors.door import Door, Keys
from tests.wire.doors.native import Native
from tests.wire.doors.vicidial import Vicidial
from tests.wire.doors.workspace import Workspace

Doors = Mapping[str, Door]

DOORS: Mapping[str, type[Door]] = {
    "convoso": Convoso,
    "native": Native,
    "vicidial": Vicidial,
    "workspace": Workspace,
    "dncscrub": Dncscrub,
}

# VICIdial's API cannot count, dncd's own cannot delete.
COUNTERS = ["convoso", "native", "workspace", "dncscrub"]
DELETERS = ["convoso", "vicidial", "workspace", "dncscrub"]
WITH_CAMPAIGNS = ["convoso", "native", "vicidial", "dncscrub"]

# Every way of asking after a number, as a dialect and the look-up's name in it.
LOOKUPS = [
    (name, lookup)
    for name, door in DOORS.items()
    for lookup in door(Keys("", "", "")).lookups()
]


def find_answers(
    doors: Doors, number: str, campaign: str | None = None
) -> dict[tuple[str, str], bool]:
    """Return what every look-up says; about a campaign, those that know one."""
    return {
        (name, lookup): find(number, campaign)
        for name, door in doors.items()
        if campaign is None or name in WITH_CAMPAIGNS
        for lookup, find in door.lookups().items()
    }


def say_listed(
    doors: Doors, number: str, campaign: str | None = None
) -> set[tuple[str, str]]:
    """Return the look-ups that say that *number* is listed."""
    answers = find_answers(doors, number, campaign)
    return {lookup for lookup, listed in answers.items() if listed}


def name_value(value: str | tuple[str, str]) -> str:
    """Return what a test calls a door, or one of LOOKUPS."""
    return value if isinstance(value, str) else "'s ".join(value)
