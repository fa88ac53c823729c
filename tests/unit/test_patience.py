"""How long a request waits, and when the database is taken for dead. No database."""

import socket
import threading
import time
from contextlib import closing

import pytest

from app.domain import patience
from app.domain.errors import SettingInvalid, StoreUnavailable
from app.settings import Settings
from app.store.pulse import ASKING_SECONDS, PAUSE_SECONDS, Pulse, _Asker


@pytest.fixture(autouse=True)
def served():
    patience.promise(2)
    patience.begin()
    yield
    patience.end()


def test_a_request_waits_for_all_its_answers_no_longer_than_for_one():
    patience.spend(patience.request_seconds() - 0.25)

    assert patience.left(1.0) == pytest.approx(0.25)
    patience.spend(1.0)
    assert patience.left(1.0) == 0.0
    patience.begin()
    assert patience.left(1.0) == 1.0


def test_the_wait_for_a_thread_counts_once():
    patience.queued(1.0)
    patience.begin()
    assert patience.left(9.0) == pytest.approx(patience.request_seconds() - 1.0)

    patience.queued(0.0)
    patience.begin()
    assert patience.left(9.0) == patience.request_seconds()


def test_who_serves_nobody_may_wait_as_usual():
    left: list[float] = []

    def work() -> None:
        patience.spend(5.0)
        patience.limit(0.1)
        left.append(patience.left(20.0))

    working = threading.Thread(target=work)
    working.start()
    working.join()

    assert left == [20.0]


def test_who_is_promised_an_answer_later_may_wait_longer():
    shipped = patience.request_seconds(), patience.turn_seconds()

    patience.promise(20)
    patience.begin()

    assert patience.left(99.0) == pytest.approx(10 * shipped[0])
    assert patience.turn_seconds() == pytest.approx(10 * shipped[1])


def test_all_waiting_leaves_time_to_answer_in():
    assert patience.turn_seconds() == 1.0
    assert patience.silence_seconds() == 1.2
    assert patience.request_seconds() == 1.4


def test_waiting_for_a_turn_is_a_part_of_all_waiting():
    given: list[float] = []

    def wait(seconds: float) -> bool:
        given.append(seconds)
        time.sleep(0.1)
        return False

    assert patience.take_turn(wait) is False
    assert given == [patience.turn_seconds()]
    assert patience.left(9.0) < patience.request_seconds() - 0.09


def test_silence_is_no_answer_however_long_it_may_last():
    """It is two seconds before a connection is given up, which is then said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=dncd"
        with closing(_Asker(url, 2.3)) as asker:
            assert not asker.hears()


@pytest.mark.parametrize("text", ["1", "21", "0", "2.5", "two"])
def test_a_promise_that_cannot_be_kept_is_refused(text):
    with pytest.raises(SettingInvalid, match=r"DNCD_ANSWER_SECONDS .* from 2 to 20"):
        Settings.from_environment({"DNCD_ANSWER_SECONDS": text})


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_asks_a_dead_database_and_everybody_else_is_refused_at_once():
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 2
    pulse.missed(began=clock.now - 1.4, seconds=1.4)

    assert pulse.admit() == ASKING_SECONDS
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            pulse.admit()
    clock.now += ASKING_SECONDS + PAUSE_SECONDS
    assert pulse.admit() == ASKING_SECONDS
    pulse.answered(clock.now)
    assert pulse.admit() is None


def test_a_database_that_answers_somebody_is_not_dead():
    clock = Clock()
    pulse = Pulse(clock)
    began = clock.now
    clock.now += 1
    pulse.answered(clock.now)
    clock.now += 0.4

    pulse.missed(began, seconds=1.4)

    assert pulse.admit() is None


def test_who_had_hardly_any_time_left_knows_nothing_of_the_database():
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 2

    pulse.missed(began=clock.now - 0.1, seconds=0.1)

    assert pulse.admit() is None
