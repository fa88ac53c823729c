"""
How long whoever is being served may still be kept waiting for the database.

Each request has so much time for all its waiting together, however many questions the
database is asked for it: what is hung is then said within the seconds that the process
has promised. Time in which the client itself sends or takes something does not count.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

# What is promised where nobody chooses.
ANSWER_SECONDS = 2

# Of the seconds promised: what a request waits in all; what it waits of that for its
# turn, whatever it stands in line for; and how long silence beside long work may last.
# The rest is for answering.
REQUEST_SHARE = 0.7
TURN_SHARE = 0.5
SILENCE_SHARE = 0.6


class NotAtOnce(Exception):
    """Only somebody who may be kept waiting can find the answer."""


class _Left(threading.local):
    """What the thread's request may still wait; None where nobody is served."""

    seconds: float | None = None
    queued: float = 0.0


class _Promise:
    """Within how many seconds this process answers, if only that it cannot."""

    answer_seconds: float = ANSWER_SECONDS


_left = _Left()
_promise = _Promise()


def promise(answer_seconds: float) -> None:
    """Answer within so many seconds from here on; for the start of a process."""
    _promise.answer_seconds = answer_seconds


def answer_seconds() -> float:
    """Return within how many seconds whoever asks is answered."""
    return _promise.answer_seconds


def request_seconds() -> float:
    """Return how long a request may wait in all."""
    return REQUEST_SHARE * _promise.answer_seconds


def turn_seconds() -> float:
    """Return how long a request may wait for its turn at something."""
    return TURN_SHARE * _promise.answer_seconds


def silence_seconds() -> float:
    """Return how long a database may be silent beside work that takes long."""
    return SILENCE_SHARE * _promise.answer_seconds


def begin() -> None:
    """Let this thread's request wait for so long from here on, whatever was before."""
    _left.seconds = request_seconds() - _left.queued


def end() -> None:
    """Let this thread wait as usual: it serves nobody."""
    _left.seconds, _left.queued = None, 0.0


def queued(seconds: float) -> None:
    """Take off the thread's next request what it has waited for a thread."""
    _left.queued = seconds


def left(usual: float) -> float:
    """Return how long one may wait now, at most *usual*; never less than nothing."""
    seconds = _left.seconds
    if seconds is None or usual < seconds:
        return usual
    return max(seconds, 0.0)


def take_turn(wait: Callable[[float], Found]) -> Found:
    """Return what *wait* does, given how many seconds it may take; they are spent."""
    began = time.monotonic()
    try:
        return wait(left(turn_seconds()))
    finally:
        spend(time.monotonic() - began)


def spend(seconds: float) -> None:
    """Take what was waited off what this thread's request may still wait."""
    if _left.seconds is not None:
        _left.seconds -= seconds


def limit(seconds: float) -> None:
    """Let this thread's request wait no longer than so many *seconds* more."""
    if _left.seconds is not None:
        _left.seconds = min(_left.seconds, seconds)
