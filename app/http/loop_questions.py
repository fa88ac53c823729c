"""
Checks that wait at the same moment on an event loop, answered by one call.

``services/together.py`` does so for threads. They share no code, for what they have in
common is a list that is cut: there a thread sleeps on a lock until it has its answer or
is to ask for all; here only the event loop's thread touches what waits, so that nothing
is locked and nobody sleeps, and a refusal is an answer like others.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.domain import patience
from app.domain.access import Caller
from app.domain.errors import DncError, StoreUnavailable
from app.domain.rules import Question, Verdict
from app.services.checks import TOGETHER

Asked = tuple[Caller, Question]
Answer = Verdict | DncError


class Questions:
    """
    Questions from one event loop, which one thread puts for all of them.

    Each is put by a call that began after it came. Where the database is unavailable,
    that is not found out again for those who came meanwhile.
    """

    def __init__(self, ask: Callable[[list[Asked]], list[Answer]]) -> None:
        """
        Ask by *ask*, which answers in the questions' order.

        A refusal is an answer; what it raises all of them raise.
        """
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checks")
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._asking = False
        self._since = 0.0

    def put(self, question: Asked) -> "asyncio.Future[Answer]":
        """Return the answer to come; for the event loop's thread."""
        loop = asyncio.get_running_loop()
        coming: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((question, coming))
        if len(self._waiting) == 1 and not self._asking:
            # Whoever else has come by now is asked for at once.
            loop.call_soon(self._begin, loop)
        return coming

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting and not self._asking:
            self._asking = True
            taken, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            self._thread.submit(self._run, loop, taken, self._since)

    def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        taken: list[tuple[Asked, "asyncio.Future[Answer]"]],
        since: float,
    ) -> None:
        # Nobody waits longer for having waited for a call before.
        patience.queued(time.monotonic() - since)
        patience.begin()
        try:
            answers = self._ask([question for question, _ in taken])
        except BaseException as failure:  # noqa: BLE001  each of them raises it
            loop.call_soon_threadsafe(self._fail, loop, taken, failure)
        else:
            loop.call_soon_threadsafe(self._end, loop, taken, answers)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        taken: list[tuple[Asked, "asyncio.Future[Answer]"]],
        answers: list[Answer],
    ) -> None:
        self._asking = False
        if isinstance(answers[-1], StoreUnavailable):
            answers += [answers[-1]] * len(self._waiting)
            taken += self._waiting
            self._waiting = []
        for (_, coming), answer in zip(taken, answers, strict=True):
            if not coming.done():
                coming.set_result(answer)
        self._begin(loop)

    def _fail(
        self,
        loop: asyncio.AbstractEventLoop,
        taken: list[tuple[Asked, "asyncio.Future[Answer]"]],
        failure: BaseException,
    ) -> None:
        self._asking = False
        for _, coming in taken:
            if not coming.done():
                coming.set_exception(failure)
        self._begin(loop)
