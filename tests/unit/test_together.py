"""Threads that ask at the same moment. The question is asked of a fake."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.services.together import Together


class Unavailable(Exception):
    pass


class Asked:
    """Answers when it is let, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.may_answer = threading.Event()
        self.is_asked = threading.Event()
        self.failure: Exception | None = None

    def __call__(self, questions: Sequence[int]) -> list[int]:
        self.calls.append(list(questions))
        self.is_asked.set()
        assert self.may_answer.wait(10)
        if self.failure is not None:
            raise self.failure
        return [question * 10 for question in questions]


@pytest.fixture
def asked() -> Asked:
    return Asked()


def together(asked: Asked, most: int = 100) -> Together[int, int]:
    return Together(asked, most=most, hopeless=Unavailable)


def start(pool: ThreadPoolExecutor, asking: Together[int, int], numbers: range):
    waiting = [pool.submit(asking.answer, number) for number in numbers]
    while len(asking._waiting) < len(numbers):
        threading.Event().wait(0.001)
    return waiting


def test_who_comes_while_one_asks_is_asked_for_in_one_call(asked: Asked):
    asking = together(asked)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(asking.answer, 0)
        asked.is_asked.wait(10)
        waiting = start(pool, asking, range(1, 11))
        asked.may_answer.set()

        assert first.result(10) == 0
        assert [each.result(10) for each in waiting] == [n * 10 for n in range(1, 11)]

    assert asked.calls[0] == [0]
    assert sorted(asked.calls[1]) == list(range(1, 11))
    assert len(asked.calls) == 2


def test_nobody_is_answered_by_a_call_that_began_before_the_question(asked: Asked):
    asking = together(asked)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(asking.answer, 1)
        asked.is_asked.wait(10)
        (second,) = start(pool, asking, range(1, 2))
        asked.may_answer.set()

        assert first.result(10) == second.result(10) == 10

    assert asked.calls == [[1], [1]]


def test_no_call_has_more_questions_than_allowed(asked: Asked):
    asking = together(asked, most=3)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(asking.answer, 0)
        asked.is_asked.wait(10)
        waiting = start(pool, asking, range(1, 9))
        asked.may_answer.set()
        for each in [first, *waiting]:
            each.result(10)

    assert [len(call) for call in asked.calls] == [1, 3, 3, 2]


def test_a_failure_is_everybodys_who_was_asked_for(asked: Asked):
    asking = together(asked)
    asked.failure = ValueError("wrong")
    asked.may_answer.set()

    with pytest.raises(ValueError, match="wrong"):
        asking.answer(1)


def test_after_a_hopeless_failure_nobody_waits_for_the_next(asked: Asked):
    asking = together(asked)
    asked.failure = Unavailable()
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(asking.answer, 0)
        asked.is_asked.wait(10)
        waiting = start(pool, asking, range(1, 5))
        asked.may_answer.set()

        for each in [first, *waiting]:
            with pytest.raises(Unavailable):
                each.result(10)
    assert asked.calls == [[0]]

    asked.failure = None

    assert asking.answer(7) == 70


def test_everybody_gets_the_answer_to_their_own_question():
    def ask(questions: Sequence[int]) -> list[int]:
        return [question * 10 for question in questions]

    asking: Together[int, int] = Together(ask, most=4, hopeless=Unavailable)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(asking.answer, range(3000)))

    assert answers == [number * 10 for number in range(3000)]
