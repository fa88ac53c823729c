"""
Whether the machine was there while a test measured how soon something is done.

It is void where others had the machine: the service was not late, it did not run. The
test is run again then. Whatever else fails fails at once: what must never happen may
not happen on a busy machine either.
"""

import threading
import time
from collections.abc import Callable

import psutil
import pytest

from tests.waiting import TooLate

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
        self._asked, self._latest = time.monotonic(), 0.0

    def is_void(self) -> bool:
        """Whether whatever was measured since then says nothing."""
        passed = (time.monotonic() - self._began) * psutil.cpu_count()
        stolen = self._stolen_seconds() - self._stolen
        late = max(self._latest, self._find_lateness())
        return late > LATE_SECONDS or stolen > STOLEN_SHARE * passed

    def start(self) -> None:
        """Tick from here on, as long as this process lives."""
        threading.Thread(target=self._tick_on, name="watch", daemon=True).start()

    def tick(self) -> None:
        """Sleep for a moment, and see when that ends."""
        self._asked = time.monotonic()
        self._sleep(TICK_SECONDS)
        self._latest = max(self._latest, self._find_lateness())

    def _find_lateness(self) -> float:
        return time.monotonic() - self._asked - TICK_SECONDS

    def _tick_on(self) -> None:
        while True:
            self.tick()


def stolen_seconds() -> float:
    """Return what the host has kept from all processors; 0 where it does not tell."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


watch = Watch(stolen_seconds)

# Once is by chance, and twice seldom: a third time nothing is late but the service.
measured_again = pytest.mark.flaky(
    reruns=2, reruns_delay=2, condition=watch.is_void, only_rerun=TooLate
)
