"""
Whether the machine was there while a test ran that measures how soon something is done.

Such a test is void where others had the machine: its service was not late, it did not
run. It is run again then, and fails if it fails each time. Nothing else is run again:
what must never happen may not happen on a busy machine either.
"""

import threading
import time
from collections.abc import Callable

import psutil
import pytest

TICK_SECONDS = 0.02

# So late nothing is that had a processor when it asked for one.
LATE_SECONDS = 0.25

# Of the machine's time, what its host gave to others.
STOLEN_SHARE = 0.05


class Watch:
    """Knows how late this process was, and what was stolen, since ``begin``."""

    def __init__(
        self,
        stolen_seconds: Callable[[], float],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Have *stolen_seconds* tell what the host has kept from all processors."""
        self._stolen_seconds = stolen_seconds
        self._sleep = sleep
        self.begin()

    def begin(self) -> None:
        """Forget what was before."""
        self._began, self._stolen = time.monotonic(), self._stolen_seconds()
        self._latest = 0.0

    def is_void(self) -> bool:
        """Whether whatever was measured since then says nothing."""
        passed = (time.monotonic() - self._began) * psutil.cpu_count()
        stolen = self._stolen_seconds() - self._stolen
        return self._latest > LATE_SECONDS or stolen > STOLEN_SHARE * passed

    def start(self) -> None:
        """Tick from here on, as long as this process lives."""
        threading.Thread(target=self._tick_on, name="watch", daemon=True).start()

    def tick(self) -> None:
        """Sleep for a moment, and see when that ends."""
        asked = time.monotonic()
        self._sleep(TICK_SECONDS)
        late = time.monotonic() - asked - TICK_SECONDS
        self._latest = max(self._latest, late)

    def _tick_on(self) -> None:
        while True:
            self.tick()


def stolen_seconds() -> float:
    """Return what the host has kept from all processors; 0 where it does not tell."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


watch = Watch(stolen_seconds)

# Of a test that measures how soon something is done.
measures = pytest.mark.flaky(reruns=3, reruns_delay=2, condition=watch.is_void)
