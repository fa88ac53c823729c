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

from app.store import (
    postgres_binaries,
    postgres_cluster,
    postgres_keeper,
    postgres_server,
)
from app.store.postgres_binaries import (
    Account,
    Binaries,
    BinariesMissing,
    EmbeddedPostgresFailed,
)
from app.store.postgres_cluster import (
    DataDirectoryForeign,
    Home,
    OtherMajorVersion,
    ServerDidNotStart,
)
from app.store.postgres_server import Launch, Server

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

# How long a command that is done keeps its server up for others who work on it (a long
# import), and then for those who come without a word.
GUEST_PATIENCE = 4 * 3600.0
COURTESY = 5.0

SERVE, COMMAND = "serve", "command"

GUEST = "dncd guest"

GUESTS = "SELECT FROM pg_stat_activity WHERE application_name = %(guest)s LIMIT 1"

# A record lock does not keep a process from itself.
_claimed: set[tuple[int, Path]] = set()
_claiming = threading.Lock()


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


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run the server of a data directory, until it is given up."""

    home: Home
    account: Account
    binaries: Binaries
    lock: int

    def release(self) -> None:
        """Let somebody else own the server."""
        os.close(self.lock)
        with _claiming:
            _claimed.discard((os.getpid(), self.home.root))


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
    while (claim := _claim(home)) is None:
        owner = _read_owner(home)
        serves = owner is not None and owner.lives and owner.command == SERVE
        if serves or time.monotonic() > deadline:
            raise _in_use(home, owner)
        time.sleep(0.05)
    with _running(claim, SERVE) as server:
        yield server


@contextmanager
def borrowed(data_dir: Path) -> Iterator[Server]:
    """
    Use the server that runs, or run one for as long as it is needed.

    Close all connections before the block ends, or its end waits for them. Raises
    DataDirectoryInUse when an owner does not answer for half a minute; any
    EmbeddedPostgresFailed when there is no owner and no server can be had.
    """
    home = _open_home(data_dir)
    deadline = time.monotonic() + PATIENCE
    while (found := _visit(home) or _claim(home)) is None:
        if time.monotonic() > deadline:
            raise _in_use(home, _read_owner(home))
        time.sleep(0.05)
    if isinstance(found, Claim):
        with _running(found, COMMAND) as server:
            yield server
    else:
        server, connection = found
        # Held to the end: it tells an owner about to leave that we are here.
        with closing(connection):
            yield server


def _open_home(data_dir: Path) -> Home:
    """Return the data directory, made if need be; raises DataDirectoryForeign."""
    root = data_dir.absolute()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirectoryForeign(f"{root} cannot be made: {error.strerror}") from None
    uid, us = root.stat().st_uid, os.geteuid()
    # Root could write anywhere, and would leave files that shut the owner out.
    if (us == 0 and uid != 0) or not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise DataDirectoryForeign(
            f"{root} belongs to the user with id {uid}, and dncd runs with id {us}: "
            "start it as that user, or set DNCD_DATA_DIR to another directory"
        )
    return Home(root.resolve())


def _claim(home: Home) -> Claim | None:
    """
    Return the right to run the server, or None while somebody has it.

    Raises what ``require_ours`` raises, before anything is touched.
    """
    account = postgres_binaries.account()
    binaries = postgres_binaries.find(account)
    postgres_cluster.require_ours(home, account, binaries)
    us = (os.getpid(), home.root)
    with _claiming:
        # To open and close the file a second time would give up the lock.
        if us in _claimed:
            return None
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        lock = os.open(home.root / "postgres.lock", flags, 0o600)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(lock)
            return None
        _claimed.add(us)
    return Claim(home, account, binaries, lock)


def _visit(home: Home) -> tuple[Server, psycopg.Connection] | None:
    """Return the server that runs and a connection to it, or None."""
    owner = _read_owner(home)
    if owner is None or not owner.lives or not owner.port:
        return None
    try:
        server = Server(
            socket_directory=Path(owner.socket_directory),
            port=owner.port,
            pid=owner.postgres_pid,
            password=home.password.read_text(),
        )
        return server, server.connect(application_name=GUEST)
    except (OSError, psycopg.OperationalError):
        return None


@contextmanager
def _running(claim: Claim, command: str) -> Iterator[Server]:
    """Run the server as *command* until the end, then give up the claim."""
    us, home = os.getpid(), claim.home
    launch: Launch | None = None

    def again(ended: Launch) -> Launch:
        """Start a server that has died, where it listened."""
        started = postgres_server.launch(
            home, claim.account, claim.binaries, again=ended.server
        )
        _tell_where(home, us, command, started.server)
        return started

    try:
        predecessor = _read_owner(home)
        _write_owner(home, Owner(us, command))
        postgres_cluster.initialise(home, claim.account, claim.binaries)
        launch = postgres_server.launch(home, claim.account, claim.binaries)
        if predecessor is not None:
            postgres_server.discard(Path(predecessor.socket_directory))
        _tell_where(home, us, command, launch.server)
        if command == COMMAND:
            yield launch.server
        else:
            with postgres_keeper.kept(launch, again) as present:
                try:
                    yield launch.server
                finally:
                    launch = present()
    finally:
        # A forked worker that leaves owns nothing.
        if os.getpid() == us:
            attempts: tuple[tuple[signal.Signals, float], ...] = postgres_server.FAST
            try:
                if launch is not None and command == COMMAND:
                    _wait_for_guests(launch.server)
                    attempts = ((signal.SIGTERM, COURTESY), *attempts)
                # From here on nobody comes any more; they wait for the lock instead.
                _owner_file(home).unlink(missing_ok=True)
                if launch is not None and command == COMMAND:
                    _wait_for_guests(launch.server)
            finally:
                _owner_file(home).unlink(missing_ok=True)
                if launch is not None:
                    launch.stop(*attempts)
                claim.release()


def _wait_for_guests(server: Server) -> None:
    """Let those who joined us finish; they may still open connections meanwhile."""
    deadline = time.monotonic() + GUEST_PATIENCE
    with suppress(psycopg.OperationalError), server.connect() as connection:
        while connection.execute(GUESTS, {"guest": GUEST}).fetchone() is not None:
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)


def _tell_where(home: Home, pid: int, command: str, server: Server) -> None:
    where = str(server.socket_directory), server.port, server.pid
    _write_owner(home, Owner(pid, command, *where))


def _owner_file(home: Home) -> Path:
    return home.root / "postgres.json"


def _write_owner(home: Home, owner: Owner) -> None:
    postgres_cluster.write_private(_owner_file(home), json.dumps(asdict(owner)))


def _read_owner(home: Home) -> Owner | None:
    try:
        return Owner(**json.loads(_owner_file(home).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _in_use(home: Home, owner: Owner | None) -> DataDirectoryInUse:
    who = f"`{owner.command}` with process id {owner.pid}" if owner else "a process"
    return DataDirectoryInUse(
        f"{home.root} is in use by dncd {who}: stop that one first, "
        "or set DNCD_DATA_DIR to another directory"
    )
