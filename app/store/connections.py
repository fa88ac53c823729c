"""Connections that wait no longer than they may for whoever answers."""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import DictRow

from app.domain import patience
from app.store.pulse import Pulse
from app.store.roles import Scope


class BoundedConnection(psycopg.Connection[DictRow]):
    """A connection that no hung server can hold for longer than the deadline."""

    # For one answer, other than as patience has it; a request has less for all of its
    # answers together.
    deadline: float | None = None

    # Whether whoever waits for this is served, and may not wait any longer than that.
    hurried = True

    # As whom its session sees the database outside transactions.
    entered_as: Scope | None = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Take psycopg's own arguments."""
        super().__init__(*arguments, **settings)
        self.prepared: set[str] = set()
        self.pulse = Pulse()

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """Wait for the server; a deadline that passes ends the connection."""
        began, seconds = self.begin_waiting()
        try:
            return super().wait(gen, interval, timeout or seconds)
        except errors._WaitTimeout as error:  # noqa: SLF001  psycopg has no public name
            self.pgconn.finish()
            message = "the database did not answer in time"
            raise errors.OperationalError(message) from error
        finally:
            self.end_waiting(began, seconds)

    def begin_waiting(self) -> tuple[float, float]:
        """
        Return the instant, and how long the server has for its next answer.

        Ends the connection and raises OperationalError where no time is left.
        """
        usual = patience.request_seconds() if self.deadline is None else self.deadline
        seconds = patience.left(usual) if self.hurried else usual
        if seconds <= 0:
            self.pgconn.finish()
            message = "the database did not answer in time"
            raise errors.OperationalError(message)
        return time.monotonic(), seconds

    def end_waiting(self, began: float, seconds: float) -> None:
        """Know whether the server has answered what it was asked at *began*."""
        if not self.hurried:
            return
        now = time.monotonic()
        patience.spend(now - began)
        if not self.closed:
            # In a pipeline this may only have been sent.
            if self._pipeline is None:
                self.pulse.answered(now)
        elif now >= began + seconds:
            self.pulse.missed(began, seconds)

    def is_hung_up(self) -> bool:
        """
        Whether the server has ended an idle connection; costs one poll, no trip.

        It has nothing to say on an idle connection but farewell. Where it was only a
        notice, a new connection does no harm.
        """
        if self.closed:
            return True
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLIN)
        return bool(waiting.poll(0))

    @contextmanager
    def allowed(self, seconds: float | None) -> Iterator[None]:
        """Let each answer take that long until the block ends; None changes nothing."""
        usual = self.deadline, self.hurried
        if seconds is not None:
            self.deadline, self.hurried = seconds, False
        try:
            with ExitStack() as self._lasting:
                yield
        finally:
            self.deadline, self.hurried = usual

    def allow_more(
        self, seconds: float, watching: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Let answers take that long, *watching*, to the end of ``allowed``."""
        if self.hurried:
            self._lasting.enter_context(watching())
        self.deadline, self.hurried = max(self.deadline or 0.0, seconds), False


class UnboundedConnection(BoundedConnection):
    """For an operator's command, which may take as long as it takes."""

    deadline = 24 * 3600.0
    hurried = False
