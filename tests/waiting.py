"""Waiting for what comes about by itself."""

import time
from collections.abc import Callable

# What is to come about, however busy the machine is; no promise of ours.
AT_LAST_SECONDS = 60.0


def require(condition: Callable[[], bool], seconds: float = AT_LAST_SECONDS) -> float:
    """Wait until *condition* holds and return how long that took; fail if longer."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began
