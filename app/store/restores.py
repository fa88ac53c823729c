"""
Restoring a backup: all of it in one transaction, or nothing.

``psql`` runs what ``pg_restore`` makes of the dump, and behind it, before COMMIT, what
must hold: every table has as many rows as were backed up. A database that is not empty
is never written to: the backup is restored into a new one, which then takes its name.
"""

import json
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo, errors, sql

from app.domain.errors import BackupRefused, StoreUnavailable
from app.store import backup_archive, backup_reading, postgres_tools
from app.store.backup_archive import Manifest
from app.store.failures import first_line
from app.store.migrations import newest_revision
from app.store.postgres_tools import Tools

# Ids that were given out after the backup was made must mean nothing else later: who
# kept one would change another entry by it. There is room for 90 thousand millions.
IDS_AHEAD = 100_000_000

IS_EMPTY = """
    SELECT NOT EXISTS (
        SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace
    ) AND NOT EXISTS (
        SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    )
"""

# As migration 0001 makes it: roles are the server's, and in no dump of a database; and
# an empty one has no function yet that could be asked.
ROLE = """
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dncd_app') THEN
            CREATE ROLE dncd_app NOLOGIN;
        END IF;
        IF NOT pg_has_role(current_user, 'dncd_app', 'MEMBER') THEN
            GRANT dncd_app TO CURRENT_USER;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END $$
"""

# An owner who is no superuser sees every row only while it is not forced to look as
# one organisation. Nobody else sees the tables before COMMIT.
CHECK = """
DO $check$
DECLARE
    wanted jsonb := {rows};
    name text;
    forced boolean;
    found bigint;
BEGIN
    FOR name IN SELECT jsonb_object_keys(wanted) LOOP
        SELECT relforcerowsecurity INTO STRICT forced FROM pg_catalog.pg_class
        WHERE oid = format('public.%I', name)::regclass;
        IF forced THEN
            EXECUTE format('ALTER TABLE public.%I NO FORCE ROW LEVEL SECURITY', name);
        END IF;
        EXECUTE format('SELECT count(*) FROM public.%I', name) INTO found;
        IF forced THEN
            EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
        END IF;
        IF found <> (wanted ->> name)::bigint THEN
            RAISE EXCEPTION '% rows of % were backed up, and % are there',
                wanted ->> name, name, found;
        END IF;
    END LOOP;
    FOREACH name IN ARRAY ARRAY[
        'dnc_entry_id_seq', 'operation_id_seq', 'lead_id_seq', 'token_id_seq'
    ] LOOP
        EXECUTE format(
            'SELECT pg_catalog.setval(%L, last_value + {ahead}) FROM public.%I',
            'public.' || name, name
        );
    END LOOP;
END $check$;
"""

SHAPE = """
    SELECT current_database() AS name, pg_encoding_to_char(encoding) AS encoding,
           datcollate, datctype
    FROM pg_database WHERE datname = current_database()
"""

END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = %(name)s AND pid <> pg_backend_pid()
"""

_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and under which name the former database is kept, if any."""

    manifest: Manifest
    kept_as: str | None


def restore(path: Path, url: str, *, force: bool) -> Restored:
    """
    Restore the backup at *path* into the database at *url*.

    That one must be empty; with *force* it is kept under another name otherwise. All of
    the backup is there when this returns, or the database is as it was. Raises
    BackupRefused, StoreUnavailable.
    """
    manifest = backup_archive.require_undamaged(path)
    if manifest.revision > newest_revision():
        raise BackupRefused(
            f"the backup is of migration {manifest.revision}, and this dncd knows "
            f"{newest_revision()}: restore it with the dncd that made it, or a newer"
        )
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            server = connection.info.server_version // 10_000
            [(is_empty,)] = connection.execute(IS_EMPTY).fetchall()
            if server < manifest.server:
                raise BackupRefused(
                    f"the backup is of PostgreSQL {manifest.server}, and the server "
                    f"here is {server}: it takes one at least as new"
                )
            if not is_empty and not force:
                raise BackupRefused(
                    f"the database {connection.info.dbname!r} is not empty. --force "
                    "restores beside it, gives the new one its name, and keeps it "
                    "under another"
                )
            tools = postgres_tools.find(max(server, manifest.tools))
            connection.execute(ROLE)
            if is_empty:
                _load(path, url, manifest, tools)
                return Restored(manifest, None)
            return _restore_beside(connection, path, url, manifest, tools)
    except psycopg.Error as error:
        raise StoreUnavailable(first_line(error)) from error


def _restore_beside(
    connection: psycopg.Connection[Any],
    path: Path,
    url: str,
    manifest: Manifest,
    tools: Tools,
) -> Restored:
    [(name, encoding, collation, character)] = connection.execute(SHAPE).fetchall()
    stamp = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    forming, kept = (
        f"{name[: _LONGEST_NAME - len(word) - len(stamp) - 2]}_{word}_{stamp}"
        for word in ("restoring", "before")
    )
    _create(connection, forming, encoding, collation, character)
    try:
        _load(path, conninfo.make_conninfo(url, dbname=forming), manifest, tools)
        connection.close()
        _swap(url, name, forming, kept)
    except BaseException:
        with suppress(psycopg.Error), _maintain(url, name) as maintenance:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            maintenance.execute(drop.format(sql.Identifier(forming)))
        raise
    return Restored(manifest, kept)


def _create(connection: psycopg.Connection[Any], name: str, *shape: str) -> None:
    create = sql.SQL(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
    )
    try:
        connection.execute(
            create.format(sql.Identifier(name), *map(sql.Literal, shape))
        )
    except errors.InsufficientPrivilege as error:
        raise BackupRefused(
            f"{connection.info.user} may not create databases (CREATEDB), which takes "
            "the place of one that is not empty: restore into an empty database, and "
            "set DATABASE_URL to that one"
        ) from error


def _load(path: Path, url: str, manifest: Manifest, tools: Tools) -> None:
    """Restore into the empty database at *url*: everything, or nothing."""
    database, environment = postgres_tools.connection_of(url)
    quiet = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1")
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            tools.command("psql", database, *quiet),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=told,
        )
        # Without the last word it rolls back, whatever ends this in between.
        with suppress(BrokenPipeError), process:
            try:
                _write_script(process.stdin, path, manifest, tools)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            told.seek(0)
            words = postgres_tools.last_words(told.read())
            raise BackupRefused(f"nothing was restored: {words}")
    with (
        suppress(psycopg.Error),
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute("ANALYZE")


def _write_script(into: Any, path: Path, manifest: Manifest, tools: Tools) -> None:
    unneeded = (
        "--no-owner",
        "--no-tablespaces",
        "--no-security-labels",
        "--no-publications",
        "--no-subscriptions",
    )
    into.write(b"BEGIN;\n")
    with backup_reading.script_of(path, tools, *unneeded) as script:
        shutil.copyfileobj(script, into, 1024 * 1024)
    rows = sql.Literal(json.dumps(dict(manifest.rows))).as_string(None)
    into.write(CHECK.format(rows=rows, ahead=IDS_AHEAD).encode())
    into.write(b"COMMIT;\n")
    into.close()


def _swap(url: str, name: str, forming: str, kept: str) -> None:
    """Let *forming* have the name of *name*, which becomes *kept*; or nothing."""
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    old, new, aside = map(sql.Identifier, (name, forming, kept))
    yes, no = sql.SQL("true"), sql.SQL("false")
    with _maintain(url, name) as maintenance:
        # Or whoever is sent away would be back before the name is given.
        maintenance.execute(allow.format(old, no))
        try:
            maintenance.execute(END_OTHERS, {"name": name})
            with maintenance.transaction():
                maintenance.execute(rename.format(old, aside))
                maintenance.execute(rename.format(new, old))
        except BaseException as error:
            maintenance.execute(allow.format(old, yes))
            if isinstance(error, errors.ObjectInUse | errors.InsufficientPrivilege):
                raise BackupRefused(
                    f"others use the database {name!r}: stop the service first "
                    f"({first_line(error)})"
                ) from error
            raise
        maintenance.execute(allow.format(aside, yes))


def _maintain(url: str, name: str) -> psycopg.Connection[Any]:
    """Connect to the server beside the database *name*."""
    beside = "template1" if name == "postgres" else "postgres"
    return psycopg.connect(
        conninfo.make_conninfo(url, dbname=beside), autocommit=True, connect_timeout=10
    )
