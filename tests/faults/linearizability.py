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
            for following in _after(events[index], state):
                waiting.append((done | {index}, following))
    return False


def _after(event: Event, state: str) -> list[str]:
    """Return the state after *event*, or none where it cannot happen in *state*."""
    match event.operation, event.said:
        case "insert", Said.DONE:
            return [] if state else [event.entry_id]
        case "insert", Said.ALREADY:
            return [state] if state in {event.entry_id, "unknown"} else []
        case "insert", _:
            return [state or "unknown"]
        case "delete", Said.DONE:
            return [NOWHERE] if state else []
        case "delete", Said.GONE:
            return [] if state else [NOWHERE]
        case "delete", _:
            return [NOWHERE]
        case _, Said.LISTED:
            return [state] if state else []
        case _:
            return [] if state else [state]
