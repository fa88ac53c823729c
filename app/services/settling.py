"""Waiting until what was listed at an instant can no longer change."""

import time
from datetime import datetime

from app.domain import patience
from app.domain.errors import InstantUnsettled
from app.store import instants
from app.store.database import Database

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.05


def settle(database: Database, organisation_id: int, instant: datetime) -> None:
    """
    Return when a snapshot that is taken from here on has all changes up to *instant*.

    Whatever such a snapshot has of *instant*, every later one has too. Raises
    InstantUnsettled if that takes longer than a turn may, InstantInvalid if *instant*
    is yet to come.
    """
    once = database.of(organisation_id)
    # An insert takes a few milliseconds, an import minutes: it is not waited for.
    give_up = time.monotonic() + patience.left(patience.turn_seconds())
    instants.settle(once, instant)
    awaited = instants.find_unsettled(once, instant)
    pause = FIRST_PAUSE_SECONDS
    while awaited:
        if time.monotonic() + pause > give_up:
            message = "a change from before as_of has not ended"
            raise InstantUnsettled(message)
        time.sleep(pause)
        patience.spend(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        # Who came meanwhile has read the clock later than the first look.
        awaited &= instants.find_unsettled(once, instant)
