"""
PostgreSQL's own programs for backups: ``pg_dump``, ``pg_restore`` and ``psql``.

They run as whoever runs dncd, and are handed the password by their environment, which
unlike arguments nobody else can read.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from psycopg import conninfo

from app.domain.errors import BackupRefused
from app.store import postgres_binaries

NAMES = ("pg_dump", "pg_restore", "psql")


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs of one PostgreSQL version."""

    directory: Path
    major: int

    def command(self, name: str, *arguments: str) -> list[str]:
        """Return the command line of the program of that name."""
        return [str(self.directory / name), *arguments]


def find(at_least: int) -> Tools:
    """
    Return the oldest programs here that can deal with major version *at_least*.

    The oldest, for what newer ones write an older server may not understand. Raises
    BackupRefused.
    """
    found = [
        Tools(directory, major)
        for directory in _directories()
        if (major := _major(directory)) is not None
    ]
    usable = [tools for tools in found if tools.major >= at_least]
    if usable:
        return min(usable, key=lambda tools: tools.major)
    seen = ", ".join(f"{tools.major} in {tools.directory}" for tools in found)
    message = (
        f"{', '.join(NAMES)} of PostgreSQL {at_least} or newer are needed, and here "
        f"are {seen or 'none'}: install the package postgresql-client-{at_least}, or "
        "`pip install 'dncd[embedded]'`"
    )
    raise BackupRefused(message)


def connection_of(url: str) -> tuple[str, Mapping[str, str]]:
    """Return the argument that names the database, and an environment with the rest."""
    parts = conninfo.conninfo_to_dict(url)
    password = parts.pop("password", None)
    environment = {**os.environ, "PGAPPNAME": "dncd backup"}
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    return f"--dbname={conninfo.make_conninfo('', **parts)}", environment


def last_words(told: bytes) -> str:
    """Return what a program said last, for a message of one line."""
    lines = [line for line in told.decode(errors="replace").splitlines() if line]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it said nothing"])[0].strip()


def _directories() -> Iterator[Path]:
    yield from postgres_binaries.directories()
    for name in NAMES[:1]:
        if program := shutil.which(name):
            yield Path(program).parent


@cache
def _major(directory: Path) -> int | None:
    """Return the version of the programs in *directory*, or None if not all run."""
    majors = set()
    for name in NAMES:
        try:
            told = subprocess.run(
                [directory / name, "--version"],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return None
        version = re.search(r"\(PostgreSQL\) ([0-9]+)", told.stdout)
        if told.returncode != 0 or version is None:
            return None
        majors.add(int(version[1]))
    return min(majors)
