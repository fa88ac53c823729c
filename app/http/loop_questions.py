"""
Checks that wait at the same moment on an event loop, answered by one statement.

Mostly the event loop itself waits for it, as it does for its clients: to hand each
question to a thread, and its answer back, costs more than all else that is done for it.
What has to wait in other ways, for a connection or to put something on record, is put
by a thread.

``services/together.py`` does so for threads. They share no code, for what they have in
common is a list that is cut: there a thread sleeps on a lock until it has its answer or
is to ask for all; here only the event loop's thread touches what waits, so that nothing
is locked and nobody sleeps, and a refusal is an answer like others.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from app.domain import patience
from app.domain.access import Caller
from app.domain.errors import DncError, StoreUnavailable
from app.domain.patience import NotAtOnce
from app.domain.rules import Question, Verdict
from app.http.loop import Loop, Timer
from app.services.begun_checks import Begun
from app.services.checks import TOGETHER

Asked = tuple[Caller, Question]
Answer = Verdict | DncError

# Whoever waits for an answer; what a call has failed with is told to all of them.
Tell = Callable[[Answer | BaseException], object]


class _Waiting(NamedTuple):
    """A question, whom to tell, and since when, by the monotonic clock."""

    question: Asked
    tell: Tell
    since: float


Taken = list[_Waiting]

_log = structlog.get_logger()


class Checking(Protocol):
    """Whom the questions are put to."""

    def begin(self, asked: Sequence[Asked]) -> Begun:
        """Begin to ask without waiting; raises NotAtOnce."""
        ...

    def check_all(self, asked: Sequence[Asked]) -> list[Answer]:
        """Ask, and wait; a refusal is an answer; what this raises all of them raise."""
        ...


class Questions:
    """
    Questions from one event loop, put together.

    Each is put by a statement that began after it came. Where the database is
    unavailable, that is not found out again for those who came meanwhile.
    """

    def __init__(self, checking: Checking, loop: Loop) -> None:
        """Ask *checking*, which answers in the questions' order; wait in *loop*."""
        self._checking = checking
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checks")
        self._waiting: Taken = []
        self._asking = False

    def put(self, question: Asked, tell: Tell, since: float | None = None) -> None:
        """
        *tell* the answer once it is there; both on the event loop's thread.

        Whoever has waited for something else before says *since* when.
        """
        came = time.monotonic() if since is None else since
        self._waiting.append(_Waiting(question, tell, came))
        if len(self._waiting) == 1 and not self._asking:
            # Whoever else has come by now is asked for at once.
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        if not self._waiting or self._asking:
            return
        self._asking = True
        taken, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        try:
            self._begin_with(taken)
        except Exception as failure:  # noqa: BLE001  each of them is told
            self._fail(taken, failure)

    def _begin_with(self, taken: Taken) -> None:
        try:
            begun = self._checking.begin([each.question for each in taken])
        except NotAtOnce:
            self._ask_thread(taken)
            return
        asking = _Asking(taken, begun, begun.fileno())
        # Nobody waits longer for having waited for a statement before.
        seconds = patience.request_seconds() - _has_waited(taken)
        late = self._loop.call_later(seconds, self._give_up, asking, seconds)
        try:
            self._loop.add_reader(asking.descriptor, self._receive, asking, late)
        except Exception:
            late.cancel()
            begun.close()
            raise

    def _receive(self, asking: "_Asking", late: Timer) -> None:
        taken, begun, _ = asking
        then: Callable[[], object]
        try:
            answers = begun.receive()
        except NotAtOnce:
            then = partial(self._ask_thread, taken)
        except Exception as failure:  # noqa: BLE001  each of them is told
            then = partial(self._fail, taken, failure)
        else:
            if answers is None:
                return
            then = partial(self._end, taken, answers)
        late.cancel()
        asking.end(self._loop)
        then()

    def _give_up(self, asking: "_Asking", seconds: float) -> None:
        asking.begun.give_up(seconds)
        asking.end(self._loop)
        self._end(asking.taken, [StoreUnavailable()] * len(asking.taken))

    def _ask_thread(self, taken: Taken) -> None:
        self._thread.submit(self._run, taken)

    def _run(self, taken: Taken) -> None:
        patience.queued(_has_waited(taken))
        patience.begin()
        try:
            answers = self._checking.check_all([each.question for each in taken])
        except BaseException as failure:  # noqa: BLE001  each of them is told
            self._loop.call_soon_threadsafe(self._fail, taken, failure)
        else:
            self._loop.call_soon_threadsafe(self._end, taken, answers)

    def _end(self, taken: Taken, answers: list[Answer]) -> None:
        self._asking = False
        if isinstance(answers[-1], StoreUnavailable):
            answers += [answers[-1]] * len(self._waiting)
            taken += self._waiting
            self._waiting = []
        # Asked before the answers are written, so that both is done at a time.
        self._begin()
        for each, answer in zip(taken, answers, strict=True):
            _tell(each.tell, answer)

    def _fail(self, taken: Taken, failure: BaseException) -> None:
        self._asking = False
        for each in taken:
            _tell(each.tell, failure)
        self._begin()


def _has_waited(taken: Taken) -> float:
    """Return for how many seconds the one of them has waited who came first."""
    return time.monotonic() - min(each.since for each in taken)


def _tell(tell: Tell, answer: Answer | BaseException) -> None:
    """Have *tell* called; whatever it raises does not concern the others."""
    try:
        tell(answer)
    except Exception:  # noqa: BLE001  whatever it is, it is told
        # Where nothing can be told, the others are still to be answered.
        with suppress(Exception):
            _log.exception("answer_untold")


class _Asking(NamedTuple):
    """Questions on their way, and the descriptor by which their answers come."""

    taken: Taken
    begun: Begun
    descriptor: int

    def end(self, loop: Loop) -> None:
        """Wait no more."""
        # Not after the connection was closed: its number may be another's by then.
        loop.remove_reader(self.descriptor)
        self.begun.close()
