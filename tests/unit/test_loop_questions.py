"""Questions that arrive on an event loop. They are asked of a fake."""

import asyncio
import socket
import threading
import time
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain import patience
from app.domain.errors import CampaignUnknown, StoreUnavailable
from app.domain.patience import NotAtOnce
from app.http.loop_questions import Questions
from app.services.checks import TOGETHER


class Asked:
    """Answers each question with itself when it is let, and remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()
        self.answer: Any = None

    def begin(self, _questions: list[Any]) -> Any:
        raise NotAtOnce

    def check_all(self, questions: list[Any]) -> list[Any]:
        self.calls.append(list(questions))
        self.is_asked.set()
        assert self.may_answer.wait(10)
        if isinstance(self.answer, ValueError):
            raise self.answer
        return [self.answer or question for question in questions]


@pytest.fixture
def asked() -> Asked:
    return Asked()


def put_one(questions: Questions, number: Any) -> "asyncio.Future[Any]":
    """Put a question; return a future of what is told."""
    coming = asyncio.get_running_loop().create_future()

    def tell(answer: Any) -> None:
        if isinstance(answer, ValueError):
            coming.set_exception(answer)
        else:
            coming.set_result(answer)

    questions.put(number, tell)
    return coming


async def put(questions: Questions, numbers: range) -> list[Any]:
    coming = [put_one(questions, number) for number in numbers]
    await asyncio.sleep(0)
    return coming


async def begin(asked: Asked, questions: Questions) -> Any:
    """Put a question, and return once it is being asked."""
    (first,) = await put(questions, range(100, 101))
    await asyncio.to_thread(asked.is_asked.wait, 10)
    return first


def test_who_comes_while_one_is_asked_is_asked_for_by_the_next_call(asked):
    async def run() -> list[Any]:
        questions = Questions(asked, asyncio.get_running_loop())
        first = await begin(asked, questions)
        later = await put(questions, range(1, 11))
        asked.may_answer.set()
        return await asyncio.wait_for(asyncio.gather(first, *later), 10)

    assert asyncio.run(run()) == [100, *range(1, 11)]
    assert asked.calls == [[100], list(range(1, 11))]


def test_no_call_has_more_questions_than_allowed(asked):
    asked.may_answer.set()

    async def run() -> list[Any]:
        return await asyncio.gather(
            *await put(Questions(asked, asyncio.get_running_loop()), range(1, 200))
        )

    assert asyncio.run(run()) == list(range(1, 200))
    assert max(map(len, asked.calls)) == TOGETHER


def test_after_a_hopeless_answer_nobody_waits_for_the_next(asked):
    asked.answer = StoreUnavailable()

    async def run() -> list[Any]:
        questions = Questions(asked, asyncio.get_running_loop())
        first = await begin(asked, questions)
        later = await put(questions, range(1, 200))
        asked.may_answer.set()
        return await asyncio.wait_for(asyncio.gather(first, *later), 10)

    assert set(map(type, asyncio.run(run()))) == {StoreUnavailable}
    assert asked.calls == [[100]]


def test_a_refusal_is_only_theirs_whom_it_concerns(asked):
    asked.answer = CampaignUnknown()

    async def run() -> list[Any]:
        questions = Questions(asked, asyncio.get_running_loop())
        first = await begin(asked, questions)
        (later,) = await put(questions, range(1, 2))
        asked.may_answer.set()
        return await asyncio.wait_for(asyncio.gather(first, later), 10)

    asyncio.run(run())

    assert asked.calls == [[100], [1]]


def test_a_failure_is_raised_to_everybody_who_was_asked_for(asked):
    asked.answer = ValueError("wrong")
    asked.may_answer.set()

    async def run() -> None:
        questions = Questions(asked, asyncio.get_running_loop())
        for coming in await put(questions, range(1, 4)):
            with pytest.raises(ValueError, match="wrong"):
                await asyncio.wait_for(coming, 10)
        asked.answer = None
        assert await asyncio.wait_for(put_one(questions, 7), 10) == 7

    asyncio.run(run())


def test_whoever_cannot_be_told_spoils_nothing_for_the_others(asked):
    def raise_it(_answer: Any) -> None:
        raise KeyError

    async def run() -> Any:
        questions = Questions(asked, asyncio.get_running_loop())
        first = await begin(asked, questions)
        questions.put(1, raise_it)  # type: ignore[arg-type]
        stays = put_one(questions, 2)
        asked.may_answer.set()
        await first
        return await asyncio.wait_for(stays, 10)

    with capture_logs() as logged:
        assert asyncio.run(run()) == 2
    assert [line["event"] for line in logged] == ["answer_untold"]


class Begun:
    """Has a whole answer when both of its parts have come."""

    def __init__(self, questions: list[Any], fails: BaseException | None) -> None:
        self.questions = questions
        self.end, self._own = socket.socketpair()
        self._own.settimeout(0)
        self._received = b""
        self._fails = fails
        self.closed = False
        self.missed: float | None = None
        self.fileno = self._own.fileno

    def receive(self) -> list[Any] | None:
        self._received += self._own.recv(100)
        if self._fails is not None:
            raise self._fails
        return list(self.questions) if self._received == b"both" else None

    def give_up(self, seconds: float) -> None:
        self.missed = seconds

    def close(self) -> None:
        self.closed = True
        self._own.close()
        self.end.close()


class AtOnce(Asked):
    """Begins to ask, and is asked again where that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Begun] = []
        self.fails: BaseException | None = None

    def begin(self, questions: list[Any]) -> Begun:
        self.begun.append(Begun(questions, self.fails))
        return self.begun[-1]


@pytest.fixture
def at_once() -> AtOnce:
    return AtOnce()


def test_an_answer_that_comes_in_parts_is_waited_for_without_a_thread(at_once):
    async def run() -> list[Any]:
        questions = Questions(at_once, asyncio.get_running_loop())
        first = (await put(questions, range(1)))[0]
        await asyncio.sleep(0)
        later = await put(questions, range(1, 4))
        for _ in range(2):
            at_once.begun[-1].end.send(b"bo")
            await asyncio.sleep(0.05)
            assert not at_once.begun[-1].closed
            at_once.begun[-1].end.send(b"th")
            await asyncio.sleep(0.05)
        return await asyncio.wait_for(asyncio.gather(first, *later), 10)

    assert asyncio.run(run()) == [0, 1, 2, 3]
    assert [begun.questions for begun in at_once.begun] == [[0], [1, 2, 3]]
    assert all(begun.closed for begun in at_once.begun)
    assert at_once.calls == []


def test_what_cannot_be_answered_at_once_is_asked_by_a_thread(at_once):
    at_once.fails = NotAtOnce()
    at_once.may_answer.set()

    async def run() -> Any:
        (coming,) = await put(
            Questions(at_once, asyncio.get_running_loop()), range(7, 8)
        )
        await asyncio.sleep(0)
        at_once.begun[0].end.send(b"x")
        return await asyncio.wait_for(coming, 10)

    assert asyncio.run(run()) == 7
    assert at_once.calls == [[7]]
    assert at_once.begun[0].closed


def test_a_failure_at_once_is_raised_and_holds_up_nobody(at_once):
    at_once.fails = ValueError("wrong")

    async def run() -> Any:
        questions = Questions(at_once, asyncio.get_running_loop())
        (coming,) = await put(questions, range(1))
        await asyncio.sleep(0)
        at_once.begun[0].end.send(b"x")
        with pytest.raises(ValueError, match="wrong"):
            await asyncio.wait_for(coming, 10)
        at_once.fails = None
        (coming,) = await put(questions, range(5, 6))
        await asyncio.sleep(0)
        at_once.begun[1].end.send(b"both")
        return await asyncio.wait_for(coming, 10)

    assert asyncio.run(run()) == 5
    assert all(begun.closed for begun in at_once.begun)


def test_nobody_waits_longer_than_a_request_may(at_once):
    patience.promise(0.1 / patience.REQUEST_SHARE)

    async def run() -> Any:
        questions = Questions(at_once, asyncio.get_running_loop())
        first = (await put(questions, range(1)))[0]
        await asyncio.sleep(0)
        later = await put(questions, range(1, 4))
        return await asyncio.wait_for(asyncio.gather(first, *later), 10)

    assert set(map(type, asyncio.run(run()))) == {StoreUnavailable}
    (begun,) = at_once.begun
    assert begun.closed
    assert begun.missed == pytest.approx(0.1, abs=0.05)


def test_who_has_waited_to_be_looked_up_waits_so_much_less(at_once):
    patience.promise(5.0 / patience.REQUEST_SHARE)

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        questions = Questions(at_once, loop)
        coming: asyncio.Future[Any] = loop.create_future()
        came = time.monotonic() - 4.8
        questions.put(0, coming.set_result, came)  # type: ignore[arg-type]
        return await asyncio.wait_for(coming, 3)

    assert isinstance(asyncio.run(run()), StoreUnavailable)


def test_nobody_is_given_up_because_a_line_never_ends(at_once):
    patience.promise(1.0 / patience.REQUEST_SHARE)

    async def run() -> list[Any]:
        loop = asyncio.get_running_loop()
        questions = Questions(at_once, loop)
        ends, told = loop.time() + 2, []

        def ask(number: int) -> None:
            questions.put(number, partial(tell, number))  # type: ignore[arg-type]

        def tell(number: int, answer: Any) -> None:
            told.append(answer)
            if loop.time() < ends:
                ask(number)

        for number in range(4 * TOGETHER):
            ask(number)
        while loop.time() < ends + 0.2:
            await asyncio.sleep(0.01)
            if not at_once.begun[-1].closed:
                at_once.begun[-1].end.send(b"both")
        return told

    told = asyncio.run(run())

    assert len(told) > 10 * TOGETHER
    assert all(isinstance(answer, int) for answer in told)
