"""Whether the machine was there while a test measured something."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import psutil
import pytest

from tests.withheld import LATE_SECONDS, STOLEN_SHARE, Watch, stolen_seconds


def nothing_stolen() -> float:
    return 0.0


def no_time(_: float) -> None:
    """Sleep as on a machine that has all the time of the world."""


def test_what_was_measured_on_a_machine_that_was_there_counts():
    watch = Watch(nothing_stolen, no_time)
    watch.tick()

    assert not watch.is_void()


def test_what_was_measured_while_this_process_did_not_run_is_void():
    watch = Watch(
        nothing_stolen, lambda seconds: time.sleep(seconds + LATE_SECONDS + 0.02)
    )
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
    told: Iterator[float] = iter([0.0, STOLEN_SHARE / 2])
    watch = Watch(lambda: next(told))
    time.sleep(1 / psutil.cpu_count())
    watch.tick()

    assert not watch.is_void()


@pytest.mark.parametrize(
    ("times", "stolen"),
    [(SimpleNamespace(user=5.0, steal=7.5), 7.5), (SimpleNamespace(user=5.0), 0.0)],
    ids=["told", "not told"],
)
def test_what_the_host_keeps_is_nothing_where_it_is_not_told(
    times, stolen, monkeypatch
):
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)

    assert stolen_seconds() == stolen
