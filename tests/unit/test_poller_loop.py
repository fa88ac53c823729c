"""A poller's thread as the event loop that a lane runs on."""

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.gunicorn_lane import PollerLoop


class Turning:
    """A loop, and what its thread would do with it."""

    def __init__(self, poller: selectors.BaseSelector) -> None:
        self._poller = poller
        self._deferred: list[Callable[[], object]] = []
        self.loop = PollerLoop(poller, self._deferred.append)
        self.seen: list[Any] = []

    def turn(self, seconds: float = 0.0) -> None:
        """Wait up to so long, and do what is to be done."""
        for key, _ in self._poller.select(self.loop.shorten(seconds)):
            key.data(key.fileobj)
        while self._deferred:
            self._deferred.pop(0)()
        self.loop.run()


@pytest.fixture
def turning() -> Iterator[Turning]:
    with selectors.DefaultSelector() as poller:
        yield Turning(poller)


def test_what_is_called_soon_is_called_after_what_has_come_in_its_order(turning):
    def first() -> None:
        turning.loop.call_soon(turning.seen.append, 3)
        turning.seen.append(1)

    turning.loop.call_soon(first)
    turning.loop.call_soon(turning.seen.append, 2)
    assert turning.seen == []

    turning.turn()

    assert turning.seen == [1, 2, 3]


def test_what_is_called_later_is_called_once_it_is_due(turning):
    turning.loop.call_later(0.2, turning.seen.append, "due")
    cancelled = turning.loop.call_later(0.1, turning.seen.append, "cancelled")
    cancelled.cancel()
    began = time.monotonic()

    turning.turn()
    assert turning.seen == []
    turning.turn(5.0)
    turning.turn(0.0)

    assert turning.seen == ["due"]
    assert 0.15 < time.monotonic() - began < 4
    assert turning.loop.shorten(5.0) == 5.0


def test_what_can_be_read_is_told_until_it_is_looked_at_no_more(turning):
    here, there = socket.socketpair()
    with here, there:
        turning.loop.add_reader(here.fileno(), turning.seen.append, "readable")
        turning.turn()
        there.send(b"x")
        turning.turn(5.0)
        turning.loop.remove_reader(here.fileno())
        turning.turn()

    assert turning.seen == ["readable"]


def test_what_fails_is_told_and_ends_nothing(turning):
    def fail() -> None:
        raise LookupError

    here, there = socket.socketpair()
    with here, there, capture_logs() as logged:
        turning.loop.add_reader(here.fileno(), fail)
        there.send(b"x")
        turning.loop.call_soon(fail)
        turning.loop.call_later(0.0, fail)
        turning.loop.call_soon_threadsafe(fail)
        turning.loop.call_soon_threadsafe(turning.seen.append, "next")
        turning.turn()
        turning.loop.remove_reader(here.fileno())

    assert turning.seen == ["next"]
    assert [line["event"] for line in logged] == ["lane_failed"] * 4
