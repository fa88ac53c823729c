"""
Rates that all workers of a host keep together, in memory that they share.

Each key's standing is one instant, as in the generic cell rate algorithm: when all of
its burst may come again. What asks puts that instant off by the time that one request
is worth, and is refused where it would lie further ahead than a burst.

The memory and its lock are made before the workers are forked, and die with them.
"""

import mmap
import time
from collections.abc import Callable
from multiprocessing import get_context

from app.domain.rates import Rate, Standing

# Keys that are remembered at the same time; who has all of a burst left needs none.
KEYS = 32_768

# Keys that may lie in each other's places.
_WAYS = 4

# Who holds the lock does so for a microsecond; who was killed with it, for ever.
_LOCK_SECONDS = 0.1

_BYTES = 8


class Buckets:
    """One rate, kept for many keys: whole numbers other than 0, of up to 64 bits."""

    def __init__(
        self,
        rate: Rate,
        *,
        longest: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Keep *rate*; *clock* is the same for all processes.

        With *longest*, what is refused counts as well, so that who goes on is refused
        for longer and longer, up to so many seconds.
        """
        self._rate = rate
        self._cost = 1 / rate.per_second
        self._span = rate.burst * self._cost
        # What arithmetic loses must not cost a request.
        self._most = self._span + self._cost / 1000
        self._furthest = None if longest is None else self._span + longest
        self._clock = clock
        memory = memoryview(mmap.mmap(-1, KEYS * _BYTES * 2))
        self._keys = memory[: KEYS * _BYTES].cast("Q")
        self._full_at = memory[KEYS * _BYTES :].cast("d")
        self._lock = get_context("fork").Lock()

    def take(self, key: int) -> Standing:
        """Count one for *key*, if it may come; return where that leaves it."""
        self._lock.acquire(True, _LOCK_SECONDS)  # noqa: FBT003  a semaphore's own
        try:
            now = self._clock()
            place = self._find(key, now)
            ahead = max(self._full_at[place] - now, 0.0)
            wanted = ahead + self._cost
            wait = 0.0
            if wanted <= self._most:
                ahead = wanted
            else:
                if self._furthest is not None:
                    ahead = min(wanted, self._furthest)
                    wanted = ahead + self._cost
                wait = wanted - self._span
            self._full_at[place] = now + ahead
        finally:
            self._release()
        left = int((self._most - ahead) / self._cost) if ahead < self._most else 0
        return Standing(self._rate.burst, left, ahead, wait)

    def _find(self, key: int, now: float) -> int:
        """Return the place of *key*; if it has none, that of whoever has most left."""
        keys, full_at = self._keys, self._full_at
        first = key * _WAYS % KEYS
        best, soonest = first, full_at[first]
        for place in range(first, first + _WAYS):
            if keys[place] == key:
                return place
            if full_at[place] < soonest:
                best, soonest = place, full_at[place]
        keys[best] = key
        full_at[best] = now
        return best

    def _release(self) -> None:
        try:
            self._lock.release()
        except ValueError:
            # Somebody did not wait for us any longer, and has released it.
            return
