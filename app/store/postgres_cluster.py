"""
The files of one embedded server, and their making.

``initdb`` works in a directory beside the final one, which gets its name when all is
written: a data directory is whole or not there.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.disk import sync_folder
from app.store.postgres_binaries import (
    ENVIRONMENT,
    Account,
    Binaries,
    EmbeddedPostgresFailed,
    dies_with_us,
    reachable,
)

OWNER = "dncd_owner"


class DataDirectoryForeign(EmbeddedPostgresFailed):
    """The data directory is not one that we made, or not ours to write."""


class OtherMajorVersion(EmbeddedPostgresFailed):
    """The data was written by another major version than the programs at hand."""


class ServerDidNotStart(EmbeddedPostgresFailed):
    """PostgreSQL gave up, or did not answer in time; its last words are told."""


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
    with reachable(forming, account) as (name, descriptors):
        arguments = ["-D", f"{name}/cluster", f"--pwfile={name}/password", "-U", OWNER]
        arguments += ["-A", "scram-sha-256", "-E", "UTF8", "--no-locale"]
        made = subprocess.run(
            [binaries.directory / "initdb", *arguments, "--data-checksums"],
            cwd="/",
            env=ENVIRONMENT,
            pass_fds=descriptors,
            preexec_fn=dies_with_us(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **account.arguments,
        )
    if made.returncode != 0:
        shutil.rmtree(forming, ignore_errors=True)
        raise ServerDidNotStart(f"initdb failed:\n{end_of(made.stdout)}")
    cluster.rename(home.cluster)
    sync_folder(home.root)
    shutil.rmtree(forming, ignore_errors=True)


def end_of(told: str) -> str:
    """Return the last lines, for a message."""
    return "\n".join(told.strip().splitlines()[-10:])
