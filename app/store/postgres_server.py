"""One PostgreSQL server as a child of this process: its start and its stop."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from app.store.postgres_binaries import (
    ENVIRONMENT,
    Account,
    Binaries,
    dies_with_us,
    reachable,
)
from app.store.postgres_cluster import OWNER, Home, ServerDidNotStart, end_of

DATABASE = "dncd"

# A crash may have left much to recover.
START_PATIENCE = 60.0

# sun_path holds 108 bytes with its final NUL on Linux, 104 on macOS.
SOCKET_PATH_LIMIT = 103
SHORT_DIRECTORY = "/tmp/dncd-socket-"  # noqa: S108  mkdtemp makes the rest of it

# The first five keep telephone numbers, which are values, out of the log.
SETTINGS = {
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "max_connections": "200",
}

# What passes by itself: another port is tried, a dying predecessor dies.
PASSING = (
    "Address already in use",
    "pre-existing shared memory block",
    'lock file "postmaster.pid" already exists',
)

FAST = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs; *url* is for psycopg, as the owner of everything in it."""

    socket_directory: Path
    port: int
    pid: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """How to connect to our database."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Return how to connect to another database of the server."""
        host = quote(str(self.socket_directory), safe="")
        where = f"{database}?host={host}&port={self.port}"
        return f"postgresql://{OWNER}:{self.password}@/{where}"

    def connect(self, application_name: str = "dncd launcher") -> psycopg.Connection:
        """Connect to the maintenance database, which is always there."""
        return psycopg.connect(
            self.url_of("postgres"),
            autocommit=True,
            connect_timeout=2,
            application_name=application_name,
        )


@dataclass(frozen=True, slots=True)
class Launch:
    """A server that this process started, and its way to stop it."""

    server: Server
    process: subprocess.Popen[bytes]

    def stop(self, *attempts: tuple[signal.Signals, float]) -> None:
        """Send each signal, with its patience in seconds, until the server is gone."""
        for number, patience in (*attempts, (signal.SIGKILL, 30.0)):
            self.process.send_signal(number)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            break
        discard(self.server.socket_directory)


def launch(
    home: Home, account: Account, binaries: Binaries, *, again: Server | None = None
) -> Launch:
    """
    Start the server, and return when it accepts connections and our database is there.

    Waits for a predecessor that is still stopping, and takes another port when one is
    taken; but where *again* listened, if that is given. Raises ServerDidNotStart.
    """
    deadline = time.monotonic() + START_PATIENCE
    while _predecessor_runs(home.cluster) and time.monotonic() < deadline:
        time.sleep(0.02)
    while True:
        logged = home.log.stat().st_size if home.log.exists() else 0
        started = _spawn(home, account, binaries, again)
        try:
            if _becomes_ready(started, deadline):
                _create_database(started.server)
                return started
            overdue = started.process.poll() is None or time.monotonic() > deadline
        except BaseException:
            started.stop(*FAST)
            raise
        started.stop(*FAST)
        told = _read_from(home.log, logged)
        if overdue or not any(words in told for words in PASSING):
            raise ServerDidNotStart(
                f"PostgreSQL did not start; {home.log} ends with:\n{end_of(told)}"
            )
        time.sleep(0.1)


def discard(socket_directory: Path) -> None:
    """Remove a socket directory, if it is one that was made because paths are long."""
    if str(socket_directory).startswith(SHORT_DIRECTORY):
        shutil.rmtree(socket_directory, ignore_errors=True)


def _read_from(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def _spawn(
    home: Home, account: Account, binaries: Binaries, again: Server | None
) -> Launch:
    socket_directory, port = _place(home, account, again)
    settings = [part for pair in SETTINGS.items() for part in ("-c", "=".join(pair))]
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    with (
        os.fdopen(os.open(home.log, flags, 0o600), "w") as log,
        reachable(home.cluster, account) as (cluster, descriptors),
    ):
        listens_in = cluster if socket_directory == home.cluster else socket_directory
        process = subprocess.Popen(
            [
                *(binaries.directory / "postgres", "-D", cluster, "-k", listens_in),
                *("-h", "127.0.0.1", "-p", str(port), *settings),
            ],
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=descriptors,
            preexec_fn=dies_with_us(),  # noqa: PLW1509  before any thread
            start_new_session=True,
            **account.arguments,
        )
    password = home.password.read_text()
    return Launch(Server(socket_directory, port, process.pid, password), process)


def _becomes_ready(started: Launch, deadline: float) -> bool:
    """Whether connections are accepted before the server gives up, or we do."""
    while started.process.poll() is None and time.monotonic() < deadline:
        try:
            started.server.connect().close()
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error):
                raise ServerDidNotStart(
                    "PostgreSQL does not know the password in postgres.password"
                ) from error
            time.sleep(0.02)
        else:
            return True
    return False


def _create_database(server: Server) -> None:
    with server.connect() as connection:
        known = "SELECT FROM pg_database WHERE datname = %(name)s"
        if connection.execute(known, {"name": DATABASE}).fetchone() is None:
            connection.execute("CREATE DATABASE dncd")


def _predecessor_runs(cluster: Path) -> bool:
    """
    Whether a server that lost its owner is still stopping.

    PostgreSQL judges by the process id alone; we also look where that process works,
    for a number that has gone to somebody else is nothing to wait for.
    """
    try:
        pid = abs(int((cluster / "postmaster.pid").read_text().split("\n", 1)[0]))
        os.kill(pid, 0)
        return sys.platform != "linux" or cluster.samefile(f"/proc/{pid}/cwd")
    except (OSError, ValueError):
        return False


def _place(home: Home, account: Account, again: Server | None) -> tuple[Path, int]:
    """Return where to listen: the socket's directory, and the port."""
    if again is not None:
        if not again.socket_directory.exists():
            again.socket_directory.mkdir(mode=0o700)
            account.take(again.socket_directory)
        return again.socket_directory, again.port
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return _socket_directory(home, account), probe.getsockname()[1]


def _socket_directory(home: Home, account: Account) -> Path:
    """Return the data directory, or one with a shorter path, or one without comma."""
    longest = os.fsencode(home.cluster / ".s.PGSQL.65535")
    if len(longest) <= SOCKET_PATH_LIMIT and b"," not in longest:
        return home.cluster
    prefix = Path(SHORT_DIRECTORY)
    directory = Path(tempfile.mkdtemp(prefix=prefix.name, dir=prefix.parent))
    account.take(directory)
    return directory
