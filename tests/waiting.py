"""Waiting for what comes about by itself."""

import time
from collections.abc import Callable


def require(condition: Callable[[], bool], seconds: float) -> float:
    """Wait until *condition* holds and return how long that took; fail if longer."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began
