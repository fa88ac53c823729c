"""Questions that wait at the same moment, answered by one call."""

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from app.domain import patience

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class _Waiting(Generic[Question, Answer]):
    """
    One thread's question, and the lock that it sleeps on until its turn comes.

    Then it has its answer or failure, or is to ask for *asks_for*, itself among them.
    """

    __slots__ = ("answers", "asks_for", "failure", "question", "turn")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answers: list[Answer] = []
        self.failure: BaseException | None = None
        self.asks_for: list[_Waiting[Question, Answer]] = []
        self.turn = Lock()
        self.turn.acquire()


class Together(Generic[Question, Answer]):
    """
    Asks on behalf of every thread that waits, one call at a time.

    Whoever comes while nobody asks does so at once. Whoever comes later waits until
    that call is over, and then one of those who waited asks for all of them: so an
    answer always rests on a call that began after its question arrived. A second call
    beside it would only let each ask for fewer.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Question]], Sequence[Answer]],
        *,
        most: int,
        hopeless: type[Exception],
    ) -> None:
        """
        Put up to *most* questions to each call of *ask*.

        What it raises, all of them raise. What is *hopeless* those who wait meanwhile
        raise too, rather than wait for the same again one after the other.
        """
        self._ask = ask
        self._most = most
        self._hopeless = hopeless
        self._lock = Lock()
        self._is_asking = False
        self._waiting: list[_Waiting[Question, Answer]] = []

    def answer(self, question: Question) -> Answer:
        """Return the answer to *question*; raises what asking raises."""
        mine: _Waiting[Question, Answer] = _Waiting(question)
        with self._lock:
            if self._is_asking:
                self._waiting.append(mine)
            else:
                self._is_asking = True
                mine.asks_for = [mine]
        if not mine.asks_for:
            came = time.monotonic()
            mine.turn.acquire()
            patience.spend(time.monotonic() - came)
        if mine.asks_for:
            self._ask_for(mine.asks_for)
            for other in mine.asks_for[1:]:
                other.turn.release()
        if mine.failure is not None:
            raise mine.failure
        return mine.answers[0]

    def _ask_for(self, asked: list[_Waiting[Question, Answer]]) -> None:
        """Ask for *asked*, and let the next of those who wait ask at once."""
        try:
            answers = self._ask([waiting.question for waiting in asked])
            for waiting, answer in zip(asked, answers, strict=True):
                waiting.answers.append(answer)
        except BaseException as failure:  # noqa: BLE001  each of them raises it
            if isinstance(failure, self._hopeless):
                with self._lock:
                    asked += self._take(len(self._waiting))
            for waiting in asked:
                waiting.failure = failure
        with self._lock:
            following = self._take(self._most)
            if following:
                following[0].asks_for = following
                following[0].turn.release()
            else:
                self._is_asking = False

    def _take(self, most: int) -> list[_Waiting[Question, Answer]]:
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken
