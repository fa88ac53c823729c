"""A PostgreSQL server that a test can stop, kill, freeze and fill up."""

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from app.store import postgres_binaries, postgres_cluster, postgres_server
from app.store.postgres_cluster import Home
from app.store.postgres_server import Launch

# Enough for a cluster and some of its log; soon full.
DISK = "size=224m"


class Postgres:
    """One server; started again it listens elsewhere, on the same data."""

    def __init__(self, root: Path) -> None:
        self._home = Home(root)
        self._account = postgres_binaries.account()
        self._binaries = postgres_binaries.find(self._account)
        postgres_cluster.initialise(self._home, self._account, self._binaries)
        self._launch: Launch | None = None
        self._ballast = root / "ballast"
        self.start()

    @property
    def launch(self) -> Launch:
        assert self._launch is not None
        return self._launch

    @property
    def url(self) -> str:
        """The database, as its owner and a superuser."""
        return self.launch.server.url

    def start(self) -> None:
        """Start, if it does not run."""
        if self._launch is None or self._launch.process.poll() is not None:
            self._launch = postgres_server.launch(
                self._home, self._account, self._binaries
            )

    def end(self, ending: signal.Signals) -> None:
        """Stop: SIGQUIT is what ``pg_ctl -m immediate`` sends."""
        self.launch.process.send_signal(ending)
        self.launch.process.wait(30)

    def freeze(self) -> None:
        """Let none of its processes do anything."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def fill_disk(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(64 * 1024))
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(512))

    def free_disk(self) -> None:
        """Let there be room again."""
        self._ballast.unlink(missing_ok=True)

    def execute(self, statement: sql.Composable | str) -> None:
        """Carry out a statement as a superuser."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            # Whatever the server is set to for everybody else.
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(statement)  # type: ignore[arg-type]

    def cut_off(self, login: str) -> None:
        """End every connection of a login."""
        self.execute(
            sql.SQL(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE usename = {}"
            ).format(login)
        )

    def close(self) -> None:
        """Stop for good."""
        self.thaw()
        self.launch.stop((signal.SIGINT, 20.0))

    def _signal(self, number: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(self.launch.process.pid)
            # The one that starts others first, and last when they go on.
            for process in [server, *server.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)


def can_mount() -> bool:
    """Whether this machine lets us have a small disk of our own."""
    return os.geteuid() == 0 and Path("/proc/filesystems").exists()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small disk, where that is allowed; else use *folder* itself."""
    place = folder / f"disk-{uuid.uuid4().hex[:8]}"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", DISK, "none", str(place)]
    mounted = (
        can_mount()
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )
    try:
        yield place
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def is_small_disk(place: Path) -> bool:
    """Whether *place* is a disk that can be filled."""
    return place.is_mount()
