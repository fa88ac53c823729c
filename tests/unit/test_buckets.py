"""Rates, by a clock of the test's own; and what processes count together."""

import os
import time

import pytest

from app.domain.rates import Rate, read_rate, source_of
from app.services.buckets import KEYS, Buckets
from tests.waiting import require_soon


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def take(buckets: Buckets, times: int, key: int = 7) -> int:
    """Return how many of so many were let in."""
    return sum(not buckets.take(key).wait for _ in range(times))


def test_a_burst_is_let_in_and_not_one_more(clock: Clock):
    buckets = Buckets(Rate(10, 25), clock=clock)

    assert take(buckets, 100) == 25


def test_so_many_come_in_a_second_as_the_rate_says(clock: Clock):
    buckets = Buckets(Rate(10, 25), clock=clock)
    take(buckets, 100)

    let_in = 0
    for _ in range(400):
        clock.now += 0.025
        let_in += take(buckets, 1)

    assert let_in == 100


def test_what_is_told_is_what_then_happens(clock: Clock):
    buckets = Buckets(Rate(4, 8), clock=clock)

    told = [buckets.take(7) for _ in range(9)]

    assert [standing.left for standing in told] == [7, 6, 5, 4, 3, 2, 1, 0, 0]
    assert {standing.burst for standing in told} == {8}
    assert told[7].reset == pytest.approx(2)
    assert told[7].wait == 0
    assert told[8].wait == pytest.approx(0.25)
    clock.now += told[8].wait
    assert take(buckets, 2) == 1


def test_nobody_uses_up_what_is_another_key_s(clock: Clock):
    buckets = Buckets(Rate(1, 3), clock=clock)

    assert [take(buckets, 5, key) for key in (1, 2, 1 + KEYS, 2**64 - 1)] == [3] * 4


def test_whoever_goes_on_is_told_to_wait_longer_up_to_a_bound(clock: Clock):
    buckets = Buckets(Rate(1, 2), longest=30.0, clock=clock)
    take(buckets, 2)

    waits = [buckets.take(7).wait for _ in range(100)]

    assert waits[0] < waits[1] < waits[10]
    assert max(waits) == waits[-1] == pytest.approx(31)
    clock.now += waits[-1]
    assert take(buckets, 1) == 1


def test_more_keys_than_places_take_them_from_who_has_most_left(clock: Clock):
    buckets = Buckets(Rate(1, 1000), clock=clock)
    take(buckets, 1000, key=5)

    for other in range(1, 50):
        take(buckets, 1, key=5 + other * KEYS)

    assert buckets.take(5).wait > 0


def in_processes(count: int, work) -> list[int]:
    """Fork and return what *work* returned in each process, none above 255."""
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            os._exit(work())
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_processes_that_count_side_by_side_let_in_a_burst_together():
    buckets = Buckets(Rate(1, 400))
    start = time.monotonic()

    let_in = in_processes(4, lambda: take(buckets, 200))

    assert 400 <= sum(let_in) <= 400 + (time.monotonic() - start) + 1


def test_a_process_that_was_killed_while_it_counted_stops_nobody():
    buckets = Buckets(Rate(1000, 1000))
    in_processes(1, lambda: int(not buckets._acquire()))

    began = time.monotonic()

    assert take(buckets, 50) == 50
    require_soon(time.monotonic() - began, 1)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("off", None), ("20", Rate(20, 40)), ("20:5", Rate(20, 5)), ("1:1", Rate(1, 1))],
)
def test_a_rate_is_read(text: str, rate: Rate | None):
    assert read_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "5:0", "-1", "1.5", "20:", ":20", "on", "\u0665", "9999999"]
)
def test_what_is_no_rate_is_refused(text: str):
    with pytest.raises(ValueError, match=r"^"):
        read_rate(text)


def test_addresses_of_one_ipv6_site_are_one_source():
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1")
    assert source_of("2001:db8::1") != source_of("2001:db8:0:1::1")
    assert source_of("192.0.2.1") != source_of("192.0.2.2")
