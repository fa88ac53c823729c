"""Questions that arrive on an event loop. They are asked of a fake."""

import asyncio
import threading
from typing import Any

import pytest

from app.domain.errors import CampaignUnknown, StoreUnavailable
from app.http.loop_questions import Questions
from app.services.checks import TOGETHER


class Asked:
    """Answers each question with itself when it is let, and remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()
        self.answer: Any = None

    def __call__(self, questions: list[Any]) -> list[Any]:
        self.calls.append(list(questions))
        self.is_asked.set()
        assert self.may_answer.wait(10)
        if isinstance(self.answer, ValueError):
            raise self.answer
        return [self.answer or question for question in questions]


@pytest.fixture
def asked() -> Asked:
    return Asked()


async def put(questions: Questions, numbers: range) -> list[Any]:
    coming = [questions.put(number) for number in numbers]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return coming


async def begin(asked: Asked, questions: Questions) -> Any:
    """Put a question, and return once it is being asked."""
    (first,) = await put(questions, range(100, 101))
    await asyncio.to_thread(asked.is_asked.wait, 10)
    return first


def test_who_comes_while_one_is_asked_is_asked_for_by_the_next_call(asked):
    async def run() -> list[Any]:
        questions = Questions(asked)
        first = await begin(asked, questions)
        later = await put(questions, range(1, 11))
        asked.may_answer.set()
        return await asyncio.wait_for(asyncio.gather(first, *later), 10)

    assert asyncio.run(run()) == [100, *range(1, 11)]
    assert asked.calls == [[100], list(range(1, 11))]


def test_no_call_has_more_questions_than_allowed(asked):
    asked.may_answer.set()

    async def run() -> list[Any]:
        return await asyncio.gather(*await put(Questions(asked), range(1, 200)))

    assert asyncio.run(run()) == list(range(1, 200))
    assert max(map(len, asked.calls)) == TOGETHER


def test_after_a_hopeless_answer_nobody_waits_for_the_next(asked):
    asked.answer = StoreUnavailable()

    async def run() -> list[Any]:
        questions = Questions(asked)
        first = await begin(asked, questions)
        later = await put(questions, range(1, 200))
        asked.may_answer.set()
        return await asyncio.wait_for(asyncio.gather(first, *later), 10)

    assert set(map(type, asyncio.run(run()))) == {StoreUnavailable}
    assert asked.calls == [[100]]


def test_a_refusal_is_only_theirs_whom_it_concerns(asked):
    asked.answer = CampaignUnknown()

    async def run() -> list[Any]:
        questions = Questions(asked)
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
        questions = Questions(asked)
        for coming in await put(questions, range(1, 4)):
            with pytest.raises(ValueError, match="wrong"):
                await asyncio.wait_for(coming, 10)
        asked.answer = None
        assert await asyncio.wait_for(questions.put(7), 10) == 7  # type: ignore[arg-type]

    asyncio.run(run())


def test_a_client_that_has_gone_spoils_nothing_for_the_others(asked):
    async def run() -> Any:
        questions = Questions(asked)
        first = await begin(asked, questions)
        gone, stays = await put(questions, range(1, 3))
        gone.cancel()
        asked.may_answer.set()
        await first
        return await asyncio.wait_for(stays, 10)

    assert asyncio.run(run()) == 2
