"""
Two lines before a worker's threads: who is about to dial or to be listed goes first.

What may wait is bulk work, and browsing: a search that names no number.
"""

import re
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from app.http import overload

_REQUEST = re.compile(rb"(?:GET|POST|DELETE) (/[^ ?]*)[^ ]* HTTP/1\.([01])\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,10})[ \t]*\r\n")
_BLANK_LINE = b"\r\n\r\n"


class Seen(NamedTuple):
    """A request that was not read yet, and its length if the whole of it has come."""

    path: str
    may_wait: bool
    length: int | None
    stays: bool


class Lines:
    """
    What a pool of threads takes its work from: the urgent first.

    Has what ``ThreadPoolExecutor`` asks of its queue.
    """

    def __init__(self) -> None:
        self._urgent: deque[Any] = deque()
        self._patient: deque[Any] = deque()
        # One for each item, so that a thread sleeps on one lock.
        self._items: SimpleQueue[None] = SimpleQueue()

    def put(self, item: Any) -> None:
        """Let *item* wait; nothing, which tells a thread to end, waits to the last."""
        may_wait = item is None or connection_of(item).may_wait
        (self._patient if may_wait else self._urgent).append(item)
        self._items.put(None)

    def get(self, block: bool = True) -> Any:  # noqa: FBT001, FBT002  as its model's
        """Return the next item; raises Empty if there is none and not *block*."""
        self._items.get(block)
        while True:
            for line in self._urgent, self._patient:
                try:
                    return line.popleft()
                except IndexError:
                    continue

    def get_nowait(self) -> Any:
        """Return the next item; raises Empty."""
        return self.get(block=False)

    def qsize(self) -> int:
        """Return how many wait."""
        return len(self._urgent) + len(self._patient)

    def count_urgent(self) -> int:
        """Return how many wait that may not."""
        return len(self._urgent)

    def find_late(self, before: float) -> Any:
        """Take the first that may wait, if it does since *before*; or return None."""
        try:
            first = self._patient[0]
            if first is None or connection_of(first).queued_at > before:
                return None
            self._items.get_nowait()
        except (IndexError, Empty):
            return None
        with suppress(IndexError):
            item = self._patient.popleft()
            if item is not None:
                return item
            self._patient.append(None)
        # A thread has taken it meanwhile; what that one was meant for is still there.
        self._items.put(None)
        return None

    def put_first(self, item: Any) -> None:
        """Let *item* be the next."""
        self._urgent.appendleft(item)
        self._items.put(None)


def connection_of(item: Any) -> Any:
    """Return the connection that *item* of a pool is about, in any Python."""
    return item.args[0] if hasattr(item, "args") else item.task[1][0]


def look(waiting: bytes, paths: Mapping[str, overload.Refusal]) -> Seen | None:
    """
    Return what request *waiting* begins with, if it is plain and to one of *paths*.

    They tell of each what may wait.
    """
    line = _REQUEST.match(waiting)
    end = waiting.find(_BLANK_LINE)
    if line is None or end < 0:
        return None
    end += len(_BLANK_LINE)
    head = waiting[:end].lower()
    lengths = _LENGTH.findall(head)
    body: int | None = int(lengths[0]) if lengths else 0
    if (
        b"\r\ntransfer-encoding:" in head
        or b"\r\nexpect:" in head
        or len(lengths) != head.count(b"content-length")
        or len(lengths) > 1
    ):
        body = None
    path = line[1].decode("latin-1")
    known = paths.get(path)
    if known is None:
        return None
    may_wait = known.may_wait(body, waiting)
    whole = body is not None and end + body <= len(waiting)
    stays = line[2] == b"1" and b"\r\nconnection: close\r\n" not in head
    return Seen(path, may_wait, end + (body or 0) if whole else None, stays)
