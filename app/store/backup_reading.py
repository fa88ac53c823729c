"""What is in a backup: the SQL that restores it, and whether it is whole."""

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO

from app.domain.errors import BackupRefused
from app.store import backup_archive, postgres_tools
from app.store.backup_archive import Manifest
from app.store.postgres_tools import Tools

_COPY = b"COPY public."
_END_OF_COPY = b"\\.\n"


def verify(path: Path) -> Manifest:
    """
    Read a backup as a restore would, without a database, and return what it holds.

    Its checksum is right, ``pg_restore`` can read it to its end, and every table has
    as many rows as were counted. Raises BackupRefused.
    """
    manifest = backup_archive.require_undamaged(path)
    tools = postgres_tools.find(manifest.tools)
    found = Counter[str]()
    with script_of(path, tools, "--data-only") as lines:
        table = None
        for line in lines:
            if table is None:
                if line.startswith(_COPY):
                    name = line.split(b" ", 2)[1].removeprefix(b"public.")
                    table = name.decode().strip('"')
            elif line == _END_OF_COPY:
                table = None
            else:
                found[table] += 1
    wrong = [name for name, rows in manifest.rows.items() if rows != found[name]]
    if wrong:
        raise BackupRefused(f"rows of {', '.join(sorted(wrong))} are not in {path}")
    return manifest


@contextmanager
def script_of(path: Path, tools: Tools, *options: str) -> Iterator[IO[bytes]]:
    """
    Yield the SQL that restores the backup, to be read to its end.

    Raises BackupRefused, after the block, where ``pg_restore`` could not read it all.
    """
    command = tools.command("pg_restore", "--format=custom", "--file=-", *options)
    with backup_archive.opened(path) as (_, dump), tempfile.TemporaryFile() as told:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told
        ) as process:
            feeding = Thread(target=_feed, args=(dump, process.stdin))
            feeding.start()
            try:
                if process.stdout:
                    yield process.stdout
            finally:
                # One that has said all is at its end; any other has nobody to talk to.
                if process.stdout:
                    process.stdout.close()
                feeding.join()
        if process.returncode != 0:
            told.seek(0)
            words = postgres_tools.last_words(told.read())
            raise BackupRefused(f"{path} cannot be read: {words}")


def _feed(dump: IO[bytes], into: IO[bytes] | None) -> None:
    """Hand over the dump, as far as it is wanted."""
    if into is not None:
        with suppress(BrokenPipeError):
            shutil.copyfileobj(dump, into, 1024 * 1024)
        with suppress(BrokenPipeError):
            into.close()
