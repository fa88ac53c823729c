"""Waiting for what comes about by itself, and what has come too late."""

import time
from collections.abc import Callable

# What is to come about, however busy the machine is: it is no promise of ours. Less
# than the service's own last resorts, so that none of them passes for what should be.
AT_LAST_SECONDS = 55.0


class TooLate(AssertionError):
    """What was to be done within a time was not: measured again, see `withheld.py`."""


def require(condition: Callable[[], bool], seconds: float | None = None) -> float:
    """
    Wait until *condition* holds and return how long that took.

    Raises TooLate if that takes longer than *seconds*, which are a promise; without
    them AssertionError in the end.
    """
    began = time.monotonic()
    while not condition():
        took = time.monotonic() - began
        if seconds is not None:
            require_soon(took, seconds)
        assert took < AT_LAST_SECONDS, f"not within {AT_LAST_SECONDS} s"
        time.sleep(0.02)
    return time.monotonic() - began


def require_soon(took: float, seconds: float, what: object = "") -> None:
    """Raise TooLate unless what *took* so long was done within *seconds*."""
    if took >= seconds:
        raise TooLate(f"{took:.2f} s, not within {seconds} s {what}")
