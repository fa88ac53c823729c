"""
A PostgreSQL server of our own, for an installation without DATABASE_URL.

One process owns the server of a data directory and is its parent: when the owner dies,
by whatever signal, the server stops. The owner holds a record lock, which unlike
``flock`` is not inherited by the workers that it forks, and tells in ``postgres.json``
where the server listens. Call from the main thread: on Linux the server outlives the
thread that started it no longer than the process.
"""

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from app.store import postgres_binaries, postgres_server
from app.store.postgres_binaries import BinariesMissing, EmbeddedPostgresFailed
from app.store.postgres_server import (
    DataDirectoryForeign,
    Home,
    OtherMajorVersion,
    Server,
    ServerDidNotStart,
)

__all__ = [
    "BinariesMissing",
    "DataDirectoryForeign",
    "DataDirectoryInUse",
    "EmbeddedPostgresFailed",
    "OtherMajorVersion",
    "Server",
    "ServerDidNotStart",
    "borrowed",
    "owned",
]

# How long to wait for an owner that is starting, stopping or soon done.
PATIENCE = 30.0

# How long a command that is done keeps its server up for others.
COURTESY = 5.0

GUESTS = """
    SELECT FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class DataDirectoryInUse(EmbeddedPostgresFailed):
    """Another process owns the server of this data directory."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What ``postgres.json`` tells: who owns the server, and where it listens."""

    pid: int
    command: str
    socket_directory: str = ""
    port: int = 0
    postgres_pid: int = 0

    @property
    def lives(self) -> bool:
        """Whether the process is there; a killed one leaves its file behind."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@contextmanager
def owned(data_dir: Path) -> Iterator[Server]:
    """
    Start the server, own it, and stop it at the end; this is what ``dncd serve`` does.

    A process forked in between may leave the block without stopping the server. Raises
    DataDirectoryInUse at once when another ``serve`` owns it, and after half a minute
    when a command does; any EmbeddedPostgresFailed when it cannot be had.
    """
    home = _open_home(data_dir)
    deadline = time.monotonic() + PATIENCE
    while (lock := _claim(home)) is None:
        owner = _read_owner(home)
        serves = owner is not None and owner.lives and owner.command == "serve"
        if serves or time.monotonic() > deadline:
            raise _in_use(home, owner)
        time.sleep(0.05)
    with _running(home, lock, "serve") as server:
        yield server


@contextmanager
def borrowed(data_dir: Path) -> Iterator[Server]:
    """
    Use the server that runs, or run one for as long as it is needed.

    Raises DataDirectoryInUse when the owner does not answer for half a minute; any
    EmbeddedPostgresFailed when there is no owner and no server can be had.
    """
    home = _open_home(data_dir)
    deadline = time.monotonic() + PATIENCE
    while (visit := _visit(home)) is None and (lock := _claim(home)) is None:
        if time.monotonic() > deadline:
            raise _in_use(home, _read_owner(home))
        time.sleep(0.05)
    if visit is not None:
        server, connection = visit
        # Held to the end: it tells an owner about to leave that we are here.
        with closing(connection):
            yield server
    elif lock is not None:
        with _running(home, lock, "command") as server:
            yield server
