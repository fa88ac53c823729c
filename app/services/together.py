"""Questions that wait at the same moment, answered by one call."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class _Waiting(Generic[Question, Answer]):
    """One thread's question, and the lock that it sleeps on until its turn comes."""

    __slots__ = ("answers", "failure", "question", "turn")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answers: list[Answer] = []
        self.failure: BaseException | None = None
        self.turn = Lock()
        self.turn.acquire()


class Together(Generic[Question, Answer]):
    """
    Asks on behalf of every thread that waits, one call at a time.

    Whoever comes while nobody asks does so at once. Whoever comes while somebody does
    waits until that call is over, and then one of those who waited asks for all of
    them: so an answer always rests on a call that began after its question arrived.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Question]], Sequence[Answer]],
        *,
        most: int,
        hopeless: type[Exception],
    ) -> None:
        """
        Put up to *most* questions to one call of *ask*, which answers in their order.

        What it raises, all of them raise. What is *hopeless* those who wait meanwhile
        raise too, rather than wait for the same again one after the other.
        """
        self._ask = ask
        self._most = most
        self._hopeless = hopeless
        self._lock = Lock()
        self._busy = False
        self._waiting: list[_Waiting[Question, Answer]] = []

    def answer(self, question: Question) -> Answer:
        """Return the answer to *question*; raises what asking raises."""
        mine: _Waiting[Question, Answer] = _Waiting(question)
        with self._lock:
            self._waiting.append(mine)
            waits, self._busy = self._busy, True
        if waits:
            mine.turn.acquire()
        if not mine.answers and mine.failure is None:
            self._ask_for_all(mine)
        if mine.failure is not None:
            raise mine.failure
        return mine.answers[0]

    def _ask_for_all(self, mine: _Waiting[Question, Answer]) -> None:
        """Ask for the first of those who wait, *mine* among them, and wake them."""
        with self._lock:
            asked, self._waiting = (
                self._waiting[: self._most],
                self._waiting[self._most :],
            )
        try:
            answers = self._ask([waiting.question for waiting in asked])
            for waiting, answer in zip(asked, answers, strict=True):
                waiting.answers.append(answer)
        except BaseException as failure:  # noqa: BLE001  each of them raises it
            if isinstance(failure, self._hopeless):
                with self._lock:
                    asked, self._waiting = asked + self._waiting, []
            for waiting in asked:
                waiting.failure = failure
        with self._lock:
            self._busy = bool(self._waiting)
            if self._busy:
                self._waiting[0].turn.release()
        for waiting in asked:
            if waiting is not mine:
                waiting.turn.release()
