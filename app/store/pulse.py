"""
Whether the database answers at all.

One request waits for as long as it may. Where nobody had an answer in all that time the
database is taken for dead, and whoever comes after is refused at once, so that threads
that wait for nothing do not keep others waiting behind them; one at a time still asks,
briefly, and with the first answer all is well again. What waits long by its nature, a
file on its way in or out, has somebody beside it who asks on another connection.
"""

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg

from app.domain.errors import StoreUnavailable

# While the database is taken for dead one asks so long, and so often.
ASKING_SECONDS = 0.25
PAUSE_SECONDS = 0.25

# Who waits so long for nothing, while nobody else is answered, knows something.
TELLING_SECONDS = 0.5

# How often whoever watches a long wait asks.
WATCH_SECONDS = 0.4


class Pulse:
    """What the threads of a process know of one database."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the database for alive; *clock* counts seconds and never goes back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._dead = False
        self._ask_at = 0.0
        self._answered_at = clock()

    def admit(self) -> float | None:
        """
        Return None while the database lives, else how long this thread is to ask it.

        Raises StoreUnavailable at once for everybody else.
        """
        if not self._dead:
            return None
        with self._lock:
            now = self._clock()
            if not self._dead:
                return None
            if now < self._ask_at:
                raise StoreUnavailable("the database has not answered of late")
            self._ask_at = now + ASKING_SECONDS + PAUSE_SECONDS
        return ASKING_SECONDS

    @property
    def is_weak(self) -> bool:
        """Whether the database is taken for dead, and is asked by one at a time."""
        return self._dead

    def answered(self, now: float) -> None:
        """Know that the database has answered somebody."""
        self._answered_at = now
        if self._dead:
            self._dead = False

    def missed(self, began: float, seconds: float) -> None:
        """
        Know that somebody has waited in vain since *began*, for so many *seconds*.

        Who had hardly any time left has learnt nothing.
        """
        if seconds >= TELLING_SECONDS and self._answered_at < began:
            self._dead = True


@contextmanager
def watched(
    connection: psycopg.Connection[Any], url: str, silence: float
) -> Iterator[None]:
    """
    Until the block ends, break *connection* off if its server falls silent.

    That is asked at *url* over a connection of its own. To be refused is an answer as
    well, and so is whatever else is said; only *silence*, of so many seconds, is none.
    """
    over = threading.Event()
    breaking = threading.Lock()

    def watch() -> None:
        with closing(_Asker(url, silence)) as asker:
            while not over.wait(WATCH_SECONDS):
                if not asker.hears():
                    with breaking:
                        if not over.is_set():
                            _break_off(connection)
                    return

    threading.Thread(target=watch, name="database-watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        with breaking:
            pass


def connect_seconds(most: float) -> int:
    """Return libpq's connect_timeout for *most* seconds: whole ones, two or more."""
    return max(2, math.ceil(most))


class _Asker:
    """
    Somebody who asks a server whether it is there.

    Over one connection: a machine that is busy is slow to make new ones, and would be
    taken for one whose database is silent.
    """

    def __init__(self, url: str, silence: float) -> None:
        self._url = url
        self._silence = silence
        self._connection: psycopg.Connection[Any] | None = None
        self._closed = False

    def hears(self) -> bool:
        """Whether the server says anything at all before that is silence."""
        spoke = threading.Event()

        def ask() -> None:
            # A thread of its own: to look a name up nothing bounds.
            try:
                self._ask()
            except psycopg.Error:
                self._part()
            spoke.set()
            if self._closed:
                self._part()

        threading.Thread(target=ask, name="database-asking", daemon=True).start()
        return spoke.wait(self._silence)

    def close(self) -> None:
        """Ask no more; whoever waits for an answer hears of that."""
        self._closed = True
        self._part()

    def _part(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            _break_off(connection)
            connection.close()

    def _ask(self) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                # To give up sooner would pass for an answer.
                connect_timeout=connect_seconds(self._silence + 1),
                application_name="dncd watch",
            )
        self._connection.execute("SELECT 1", prepare=False)


def _break_off(connection: psycopg.Connection[Any]) -> None:
    """Let whoever waits for *connection* hear that it has ended."""
    with suppress(OSError, psycopg.Error):
        descriptor = os.dup(connection.fileno())
        with socket.socket(fileno=descriptor) as end:
            end.shutdown(socket.SHUT_RDWR)
