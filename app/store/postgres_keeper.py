"""
Starting the embedded server again when it has died.

Somebody killed it, or it gave up because its disk was full. The workers know only where
it listened, so it listens there again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from app.store.postgres_cluster import ServerDidNotStart
from app.store.postgres_server import Launch

LOOK_SECONDS = 0.2
PAUSE_SECONDS = 1.0

_log = structlog.get_logger()


@contextmanager
def kept(
    launch: Launch, again: Callable[[Launch], Launch]
) -> Iterator[Callable[[], Launch]]:
    """
    Until the block ends, start the server by *again* whenever it has ended.

    Yields what tells which launch is the present one. The thread that started a server
    must outlive it: on Linux it is told to stop when that thread ends.
    """
    over = threading.Event()
    present = launch

    def keep() -> None:
        nonlocal present
        while not over.wait(LOOK_SECONDS):
            if present.process.poll() is None:
                continue
            _log.error("postgres_ended", status=present.process.returncode)
            try:
                present = again(present)
            except (ServerDidNotStart, OSError) as error:
                _log.error("postgres_not_started", kind=type(error).__name__)
                over.wait(PAUSE_SECONDS)
            else:
                _log.warning("postgres_started_again")

    keeping = threading.Thread(target=keep, name="postgres-keeper", daemon=True)
    keeping.start()
    try:
        yield lambda: present
    finally:
        over.set()
