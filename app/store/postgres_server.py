"""
One PostgreSQL server as a child of this process: its files, its start, its stop.

As root the programs run as another user, who may be unable to reach the data
directory. They are handed an open descriptor of it instead, which needs no permission
on the directories above; nothing up there is ever opened to anyone.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg

from app.store import postgres_binaries
from app.store.postgres_binaries import Account, Binaries, EmbeddedPostgresFailed

OWNER = "dncd_owner"
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

PR_SET_PDEATHSIG = 1


class ServerDidNotStart(EmbeddedPostgresFailed):
    """PostgreSQL gave up, or did not answer in time; its last words are told."""


class DataDirectoryForeign(EmbeddedPostgresFailed):
    """The data directory is not one that we made, or not ours to write."""


class OtherMajorVersion(EmbeddedPostgresFailed):
    """The data was written by another major version than the programs at hand."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything about one server is kept."""

    root: Path

    @property
    def cluster(self) -> Path:
        """What PostgreSQL itself calls its data directory."""
        return self.root / "postgres"

    @property
    def password(self) -> Path:
        """The owner's password."""
        return self.root / "postgres.password"

    @property
    def log(self) -> Path:
        """What the server printed, start after start."""
        return self.root / "postgres.log"


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

    def connect(self) -> psycopg.Connection:
        """Connect to the maintenance database, which is always there."""
        return psycopg.connect(
            self.url_of("postgres"), autocommit=True, connect_timeout=2
        )


def write_private(path: Path, text: str) -> None:
    """Replace the contents of *path*, for our eyes only, and never by halves."""
    forming = path.with_name(f"{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(forming, flags, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    forming.rename(path)


def require_ours(home: Home, account: Account, binaries: Binaries) -> None:
    """
    Raise unless the data directory is empty, or holds what these programs can serve.

    Raises DataDirectoryForeign or OtherMajorVersion; touches nothing.
    """
    cluster = home.cluster
    try:
        if not cluster.exists() or not any(cluster.iterdir()):
            return
        major = (cluster / "PG_VERSION").read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        raise DataDirectoryForeign(
            f"{cluster} is not a PostgreSQL data directory; it was left alone: "
            "move it away, or set DNCD_DATA_DIR to another directory"
        ) from None
    except PermissionError:
        major = None
    uid = cluster.stat().st_uid
    if major is None or uid != account.uid:
        raise DataDirectoryForeign(
            f"{cluster} belongs to the user with id {uid}, and PostgreSQL would run as "
            f"{account.name} (id {account.uid}): start dncd as the user who made it"
        )
    if major != str(binaries.major):
        raise OtherMajorVersion(
            f"{cluster} was written by PostgreSQL {major}, and the programs in "
            f"{binaries.directory} are of {binaries.major}. It was left alone. Install "
            f"PostgreSQL {major} and set DATABASE_URL to a server of it; to change "
            f"over, dump from there and load into a new DNCD_DATA_DIR"
        )
    if not home.password.exists():
        raise DataDirectoryForeign(
            f"{cluster} holds data, but its password is missing: put {home.password} "
            "back, it is made together with the data"
        )


def initialise(home: Home, account: Account, binaries: Binaries) -> None:
    """
    Make the data directory, unless it is there; a crash leaves none by halves.

    Raises ServerDidNotStart with what ``initdb`` said.
    """
    for leftover in home.root.glob("postgres.forming-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    if home.cluster.exists() and any(home.cluster.iterdir()):
        return
    if not home.password.exists():
        write_private(home.password, os.urandom(24).hex())
    forming = Path(tempfile.mkdtemp(prefix="postgres.forming-", dir=home.root))
    cluster, password = forming / "cluster", forming / "password"
    cluster.mkdir(mode=0o700)
    write_private(password, home.password.read_text())
    for path in (forming, cluster, password):
        account.take(path)
    with _reachable(forming, account) as (name, descriptors):
        arguments = ["-D", f"{name}/cluster", f"--pwfile={name}/password", "-U", OWNER]
        arguments += ["-A", "scram-sha-256", "-E", "UTF8", "--no-locale"]
        made = subprocess.run(  # noqa: PLW1509  see _dies_with_us
            [binaries.directory / "initdb", *arguments, "--data-checksums"],
            cwd="/",
            env=postgres_binaries.ENVIRONMENT,
            pass_fds=descriptors,
            preexec_fn=_dies_with_us(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **account.arguments,
        )
    if made.returncode != 0:
        shutil.rmtree(forming, ignore_errors=True)
        raise ServerDidNotStart(f"initdb failed:\n{_end_of(made.stdout)}")
    cluster.rename(home.cluster)
    _flush(home.root)
    shutil.rmtree(forming, ignore_errors=True)


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


def launch(home: Home, account: Account, binaries: Binaries) -> Launch:
    """
    Start the server, and return when it accepts connections and our database is there.

    Waits for a predecessor that is still stopping, and takes another port when one is
    taken. Raises ServerDidNotStart.
    """
    deadline = time.monotonic() + START_PATIENCE
    while _predecessor_runs(home.cluster) and time.monotonic() < deadline:
        time.sleep(0.02)
    while True:
        logged = home.log.stat().st_size if home.log.exists() else 0
        started = _spawn(home, account, binaries)
        try:
            if _becomes_ready(started, deadline):
                _create_database(started.server)
                return started
            overdue = started.process.poll() is None or time.monotonic() > deadline
        except BaseException:
            started.stop(*FAST)
            raise
        started.stop(*FAST)
        told = home.log.read_text(errors="replace")[logged:]
        if overdue or not any(words in told for words in PASSING):
            raise ServerDidNotStart(
                f"PostgreSQL did not start; {home.log} ends with:\n{_end_of(told)}"
            )
        time.sleep(0.1)


def discard(socket_directory: Path) -> None:
    """Remove a socket directory, if it is one that was made because paths are long."""
    if str(socket_directory).startswith(SHORT_DIRECTORY):
        shutil.rmtree(socket_directory, ignore_errors=True)


def _spawn(home: Home, account: Account, binaries: Binaries) -> Launch:
    socket_directory = _socket_directory(home, account)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = [part for pair in SETTINGS.items() for part in ("-c", "=".join(pair))]
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    with (
        os.fdopen(os.open(home.log, flags, 0o600), "w") as log,
        _reachable(home.cluster, account) as (cluster, descriptors),
    ):
        listens_in = cluster if socket_directory == home.cluster else socket_directory
        process = subprocess.Popen(  # noqa: PLW1509  see _dies_with_us
            [
                *(binaries.directory / "postgres", "-D", cluster, "-k", listens_in),
                *("-h", "127.0.0.1", "-p", str(port), *settings),
            ],
            cwd="/",
            env=postgres_binaries.ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=descriptors,
            preexec_fn=_dies_with_us(),
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


def _socket_directory(home: Home, account: Account) -> Path:
    """Return the data directory, or one with a shorter path, or one without comma."""
    longest = os.fsencode(home.cluster / ".s.PGSQL.65535")
    if len(longest) <= SOCKET_PATH_LIMIT and b"," not in longest:
        return home.cluster
    prefix = Path(SHORT_DIRECTORY)
    directory = Path(tempfile.mkdtemp(prefix=prefix.name, dir=prefix.parent))
    account.take(directory)
    return directory


@contextmanager
def _reachable(path: Path, account: Account) -> Iterator[tuple[str, tuple[int, ...]]]:
    """
    Yield a name of *path* that *account* can use, and the descriptors it depends on.

    What /proc/self/fd names is opened without asking the directories above it.
    """
    if not account.is_other or not Path("/proc/self/fd").is_dir():
        yield str(path), ()
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _dies_with_us() -> Callable[[], None] | None:
    """Return what a child calls before it becomes a program that stops when we die."""
    if sys.platform != "linux":
        return None
    us, libc = os.getpid(), ctypes.CDLL(None)

    def ask() -> None:
        # A shell's background job ignores SIGINT, and its children inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != us:
            os._exit(1)

    return ask


def _end_of(told: str) -> str:
    return "\n".join(told.strip().splitlines()[-10:])
