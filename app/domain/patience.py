"""
How long whoever is being served may still be kept waiting for the database.

Each request has so much time for all its waiting together, however many questions the
database is asked for it: what is hung is then said within two seconds. Time in which
the client itself sends or takes something does not count.
"""

import threading

REQUEST_SECONDS = 1.4


class NotAtOnce(Exception):
    """Only somebody who may be kept waiting can find the answer."""


class _Left(threading.local):
    """What the thread's request may still wait; None where nobody is served."""

    seconds: float | None = None
    queued: float = 0.0


_left = _Left()


def begin() -> None:
    """Let this thread's request wait for so long from here on, whatever was before."""
    _left.seconds = REQUEST_SECONDS - _left.queued


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


def spend(seconds: float) -> None:
    """Take what was waited off what this thread's request may still wait."""
    if _left.seconds is not None:
        _left.seconds -= seconds


def limit(seconds: float) -> None:
    """Let this thread's request wait no longer than so many *seconds* more."""
    if _left.seconds is not None:
        _left.seconds = min(_left.seconds, seconds)
