"""Making a backup: one snapshot of everything, dumped by ``pg_dump``."""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from app.domain.errors import BackupRefused, StoreUnavailable
from app.store import backup_archive, backup_reading, postgres_tools
from app.store.backup_archive import Dump, Manifest
from app.store.failures import first_line
from app.store.postgres_tools import Tools

_BLOCK = 1024 * 1024

# One that row-level security holds for would see no row, and none would be missed.
SEES_EVERYTHING = """
    SELECT rolsuper OR rolbypassrls AS sees_everything
    FROM pg_roles WHERE rolname = current_user
"""

TABLES = """
    SELECT relname::text AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    ORDER BY relname
"""

OPERATIONS = """
    SELECT count(*) AS operations, max(at) AS last_at,
           (SELECT version_num FROM alembic_version) AS revision
    FROM operation
"""

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

UNHURRIED = """
    SELECT set_config('statement_timeout', '0', true),
           set_config('idle_in_transaction_session_timeout', '0', true),
           set_config('row_security', 'off', true)
"""

SNAPSHOT = "SELECT pg_export_snapshot() AS name"


@dataclass(frozen=True, slots=True)
class Known:
    """What belongs into a backup and stands outside of the database."""

    anchor: Mapping[str, Any] | None = None
    key: str | None = None


def make(url: str, path: Path, known: Known) -> Manifest:
    """
    Write everything in the database at *url*, as of one moment, to a file at *path*.

    When this returns the file is whole, has been read again, and is on disk. Raises
    BackupRefused, also where the login is one that row-level security hides rows from;
    StoreUnavailable; OSError.
    """
    now = time.time()
    with _snapshot(url) as (connection, snapshot):
        tools = postgres_tools.find(_major(connection))
        facts = _find_facts(connection)
        with backup_archive.forming(path) as (file, place):
            dump = Dump(file)
            _dump(url, tools, snapshot, dump)
            manifest = Manifest(
                made_at=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
                server=_major(connection),
                tools=tools.major,
                sha256=dump.sha256,
                size=dump.size,
                anchor=known.anchor,
                key=known.key,
                **facts,
            )
            backup_archive.finish(file, dump, manifest, now)
            backup_reading.verify(place)
    return manifest


def _dump(url: str, tools: Tools, snapshot: str, dump: Dump) -> None:
    database, environment = postgres_tools.connection_of(url)
    command = tools.command(
        "pg_dump",
        database,
        "--format=custom",
        "--compress=1",
        "--no-password",
        "--lock-wait-timeout=60s",
        f"--snapshot={snapshot}",
    )
    with tempfile.TemporaryFile() as told:
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=told
        ) as process:
            try:
                while process.stdout and (block := process.stdout.read(_BLOCK)):
                    dump.write(block)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            told.seek(0)
            words = postgres_tools.last_words(told.read())
            raise BackupRefused(f"nothing was backed up: {words}")


@contextmanager
def _snapshot(url: str) -> Iterator[tuple[psycopg.Connection[dict[str, Any]], str]]:
    """Yield a connection in a snapshot that others can join, and its name."""
    try:
        connection = psycopg.connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=10
        )
    except psycopg.Error as error:
        raise StoreUnavailable(first_line(error)) from error
    with connection:
        [login] = connection.execute(SEES_EVERYTHING).fetchall()
        if not login["sees_everything"]:
            raise BackupRefused(
                f"row-level security would hide rows from {connection.info.user}, and "
                "a backup without them is none: let a login back up that is a "
                "superuser or has BYPASSRLS (DNCD_OWNER_DATABASE_URL)"
            )
        connection.execute(BEGIN)
        connection.execute(UNHURRIED)
        [row] = connection.execute(SNAPSHOT).fetchall()
        yield connection, row["name"]


def _find_facts(connection: psycopg.Connection[dict[str, Any]]) -> dict[str, Any]:
    """Return what is in the snapshot, by the manifest's names."""
    rows: dict[str, int] = {}
    for table in connection.execute(TABLES).fetchall():
        count = sql.SQL("SELECT count(*) AS rows FROM public.{}")
        name = sql.Identifier(table["name"])
        [counted] = connection.execute(count.format(name)).fetchall()
        rows[table["name"]] = counted["rows"]
    if "operation" not in rows or "alembic_version" not in rows:
        raise BackupRefused("there is nothing of dncd in that database to back up")
    [found] = connection.execute(OPERATIONS).fetchall()
    last = found["last_at"]
    return {
        "rows": rows,
        "revision": found["revision"],
        "operations": found["operations"],
        "last_operation_at": last and last.astimezone(UTC).isoformat(),
    }


def _major(connection: psycopg.Connection[Any]) -> int:
    return connection.info.server_version // 10_000
