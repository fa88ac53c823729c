"""What a process remembers for a moment, so that it need not ask again at once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memory(Generic[Key, Value]):
    """The newest things of a kind, each for so long from when it was learnt."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float]) -> None:
        """Keep *most* things for *seconds* each; *clock* never goes back."""
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[Key, tuple[float, Value]] = OrderedDict()
        self._lock = Lock()

    def now(self) -> float:
        """Return the instant from which what is about to be learnt is to be kept."""
        return self._clock()

    def recall(self, key: Key) -> Value | None:
        """Return what was learnt of *key* a moment ago, or None."""
        with self._lock:
            known = self._kept.get(key)
        return known[1] if known and self._clock() < known[0] else None

    def learn(self, key: Key, value: Value, since: float) -> None:
        """Remember *value*, which was asked for at the instant *since*."""
        with self._lock:
            self._kept[key] = (since + self._seconds, value)
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def forget(self, key: Key) -> None:
        """Let nothing be known of *key*."""
        with self._lock:
            self._kept.pop(key, None)
