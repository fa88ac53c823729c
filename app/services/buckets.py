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

# For what is made for every request: a tuple of known length.
_new = tuple.__new__


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
        self._burst = rate.burst
        self._cost = 1 / rate.per_second
        self._span = rate.burst * self._cost
        # What arithmetic loses must not cost a request.
        self._most = self._span + self._cost / 1000
        self._furthest = None if longest is None else self._span + longest
        self._clock = clock
        memory = memoryview(mmap.mmap(-1, KEYS * _BYTES * 2))
        self._keys = memory[: KEYS * _BYTES].cast("Q")
        self._full_at = memory[KEYS * _BYTES :].cast("d")
        lock = get_context("fork").Lock()
        self._acquire, self._release = lock.acquire, lock.release

    def take(self, key: int) -> Standing:
        """Count one for *key*, if it may come; return where that leaves it."""
        full_at, cost, wait = self._full_at, self._cost, 0.0
        self._acquire(True, _LOCK_SECONDS)  # noqa: FBT003  a semaphore's own
        try:
            now = self._clock()
            place = key * _WAYS % KEYS
            if self._keys[place] != key:
                place = self._find(key, place, now)
            ahead = full_at[place] - now
            wanted = ahead + cost if ahead > 0 else cost
            if wanted <= self._most:
                ahead = wanted
            else:
                if self._furthest is not None:
                    ahead = min(wanted, self._furthest)
                    wanted = ahead + cost
                wait = wanted - self._span
            full_at[place] = now + ahead
        finally:
            try:  # noqa: SIM105  for every request
                self._release()
            except ValueError:
                # Somebody did not wait for us any longer, and has released it.
                pass
        left = 0 if wait else int((self._most - ahead) / cost)
        return _new(Standing, (self._burst, left, ahead, wait))

    def _find(self, key: int, first: int, now: float) -> int:
        """Return the place of *key*; if it has none, that of whoever has most left."""
        keys, full_at = self._keys, self._full_at
        best, soonest = first, full_at[first]
        for place in range(first + 1, first + _WAYS):
            if keys[place] == key:
                return place
            if full_at[place] < soonest:
                best, soonest = place, full_at[place]
        keys[best] = key
        full_at[best] = now
        return best
