"""
Whether what clients were told of one number could have happened one after another.

A number is listed under an id, or not listed. An operation takes effect at one instant
between its request and its answer; a change without an answer at some instant after its
request, or never. The search tries the orders that these times allow (Wing and Gong),
and no state twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from tests.faults.ledger import Said

NOWHERE = ""
# Listed by a change that was not answered, which told nobody the id.
UNTOLD = "untold"


@dataclass(frozen=True)
class Event:
    """One operation of one client; *ended* is infinite where no answer came."""

    began: float
    ended: float
    operation: str
    said: Said
    entry_id: str = NOWHERE


def could_have_happened(history: Sequence[Event]) -> bool:
    """Whether some order explains every answer; the number is not listed at first."""
    events = sorted(history, key=lambda event: event.began)
    answered = frozenset(
        index for index, event in enumerate(events) if event.ended != inf
    )
    seen: set[tuple[frozenset[int], str]] = set()
    waiting = [(frozenset[int](), NOWHERE)]
    while waiting:
        done, state = waiting.pop()
        if done >= answered:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        left = [index for index in range(len(events)) if index not in done]
        # Nothing can come before what was over when it began.
        first_end = min(events[index].ended for index in left)
        for index in left:
            if events[index].began > first_end:
                break
            then = done | {index}
            waiting += [(then, following) for following in _after(events[index], state)]
    return False


def _after(event: Event, state: str) -> list[str]:
    """Return the state after *event*, or none where it cannot happen in *state*."""
    known = state in {event.entry_id, UNTOLD}
    following = {
        ("insert", Said.DONE): None if state else event.entry_id,
        ("insert", Said.ALREADY): state if state and known else None,
        ("insert", Said.UNKNOWN): state or UNTOLD,
        ("delete", Said.DONE): NOWHERE if state else None,
        ("delete", Said.GONE): None if state else NOWHERE,
        ("delete", Said.UNKNOWN): NOWHERE,
        ("check", Said.LISTED): state or None,
        ("check", Said.CLEAR): None if state else NOWHERE,
    }[event.operation, event.said]
    return [] if following is None else [following]
