"""Whether the machine was there while a test measured something."""

import time
from collections.abc import Iterator

import psutil

from tests.withheld import LATE_SECONDS, STOLEN_SHARE, Watch, stolen_seconds


def never() -> float:
    return 0.0


def no_time(_: float) -> None:
    """Sleep as on a machine that has all the time of the world."""


def test_what_was_measured_on_a_machine_that_was_there_counts():
    watch = Watch(never, no_time)
    watch.tick()

    assert not watch.is_void()


def test_what_was_measured_while_this_process_did_not_run_is_void():
    watch = Watch(never, lambda seconds: time.sleep(seconds + LATE_SECONDS + 0.02))
    watch.tick()
    assert watch.is_void()

    watch.begin()

    assert not watch.is_void()


def test_what_was_measured_while_the_host_ran_others_is_void():
    told: Iterator[float] = iter([100.0, 100.0, 200.0])
    watch = Watch(lambda: next(told))

    assert not watch.is_void()
    assert watch.is_void()


def test_a_little_that_was_stolen_spoils_nothing():
    began = time.monotonic()

    def a_little() -> float:
        seconds = time.monotonic() - began
        return seconds * psutil.cpu_count() * STOLEN_SHARE / 2

    watch = Watch(a_little)
    time.sleep(0.05)

    assert not watch.is_void()


def test_what_the_host_keeps_is_told_in_seconds():
    assert stolen_seconds() >= 0.0
