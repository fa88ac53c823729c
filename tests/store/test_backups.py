"""A backup is one moment, whole; a restore of it is everything, or nothing."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo, sql

from app.bootstrap import build_services
from app.domain.access import Caller, Grant
from app.domain.entries import Draft, EntryFilter, Page, Revision
from app.domain.errors import BackupRefused
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.organisations import operator
from app.store import backup_archive, backup_reading, backups, restores
from app.store.backups import Known
from app.store.database import Database
from app.store.migrations import newest_revision
from tests.conftest import TestServer, make_organisation

GLOBAL = read_campaign("0")
TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1
"""
SEQUENCES = """
    SELECT sequencename, last_value FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


def number(n: int) -> PhoneNumber:
    return PhoneNumber("1", f"555{n:07}")


def fill(services: Services, name: str) -> Caller:
    """Make an organisation that has something of everything."""
    caller = operator(services.organisations.add("test", make_organisation(name)), "t")
    services.access.issue(caller, "a token", [Grant.CHECK], user=f"user-{name}")
    services.campaigns.add(
        caller, None, Campaign(0, "SPRING", "Spring", "outbound", None)
    )
    spring = read_campaign("SPRING")
    for n in range(40):
        draft = Draft(number(n), GLOBAL, reason='quoted "and" \\. \t done')
        kept = services.suppressions.suppress(caller, draft)
        services.suppressions.suppress(caller, Draft(number(n), spring))
    services.suppressions.revise(caller, kept, Revision(reason="otherwise"))
    for n in range(10):
        services.suppressions.release(caller, number(n), GLOBAL, None, None)
    return caller


def contents(url: str) -> dict[str, list[str]]:
    """Return every row of every table, as the server's superuser sees them."""
    with psycopg.connect(url) as connection:
        found = {}
        for (table,) in connection.execute(TABLES).fetchall():
            select = sql.SQL("SELECT row.*::text FROM {} AS row ORDER BY 1")
            rows = connection.execute(select.format(sql.Identifier(table)))
            found[table] = [row for (row,) in rows.fetchall()]
        return found


def sequences(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute(SEQUENCES).fetchall())


@contextmanager
def writing(services: Services, caller: Caller) -> Iterator[list[int]]:
    """Put number after number on the list until the block ends; yield which are."""
    acknowledged: list[int] = []
    stop = threading.Event()

    def write() -> None:
        n = 1000
        while not stop.is_set():
            services.suppressions.suppress(caller, Draft(number(n), GLOBAL))
            acknowledged.append(n)
            n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()


def test_a_restored_backup_is_the_database_as_it_was(
    server: TestServer, database_url: str, services: Services, tmp_path: Path
) -> None:
    callers = [fill(services, name) for name in ("one", "two")]
    before, ids = contents(database_url), sequences(database_url)
    path = tmp_path / "whole.backup"

    backups.make(database_url, path, Known())
    with server.new_database() as elsewhere:
        done = restores.restore(path, elsewhere, force=False)

        assert done.kept_as is None
        assert contents(elsewhere) == before
        after = sequences(elsewhere)
        for name in ("dnc_entry_id_seq", "operation_id_seq", "token_id_seq"):
            assert after[name] >= ids[name] + restores.IDS_AHEAD
        assert after["organisation_id_seq"] == ids["organisation_id_seq"]
        database = Database(elsewhere, connections=2)
        again = build_services(database)
        assert again.readiness.find_faults() == []
        for caller in callers:
            _, total = again.searches.search(caller, EntryFilter(), Page())
            assert total == 70
            assert not again.checks.check(caller, Question(number(20))).callable
            fresh = again.suppressions.suppress(caller, Draft(number(5), GLOBAL))
            assert fresh > ids["dnc_entry_id_seq"]
            again.suppressions.release(caller, number(20), GLOBAL, None, None)
        database.close()


def test_a_backup_under_writes_has_all_that_was_acknowledged_before_and_no_gap(
    server: TestServer, database_url: str, services: Services, tmp_path: Path
) -> None:
    caller = fill(services, "busy")
    path = tmp_path / "busy.backup"

    with writing(services, caller) as acknowledged:
        while len(acknowledged) < 50:
            pass
        known = len(acknowledged)
        manifest = backups.make(database_url, path, Known())
    with server.new_database() as elsewhere:
        restores.restore(path, elsewhere, force=False)
        with psycopg.connect(elsewhere) as connection:
            entries = connection.execute(
                "SELECT e164 FROM dnc_entry WHERE e164 >= 15550001000 ORDER BY id"
            ).fetchall()
            unmatched = connection.execute(
                "SELECT FROM dnc_entry AS entry WHERE NOT EXISTS (SELECT FROM operation"
                " WHERE organisation_id = entry.organisation_id"
                " AND id = entry.operation_id)"
            ).fetchall()
            ((total,),) = connection.execute(
                "SELECT sum(n) FROM (SELECT n FROM dnc_entry_tally"
                " WHERE grain = 'all' AND NOT detailed"
                " UNION ALL SELECT n FROM dnc_entry_tally_delta) AS told"
            ).fetchall()

    stored = [e164 - 15550000000 for (e164,) in entries]
    assert stored == list(range(1000, 1000 + len(stored)))
    assert known <= len(stored) <= len(acknowledged)
    assert not unmatched
    assert total == manifest.rows["dnc_entry"] == len(stored) + 70


@pytest.fixture
def backed_up(
    database_url: str, services: Services, tmp_path: Path
) -> tuple[str, Path]:
    fill(services, "kept")
    path = tmp_path / "kept.backup"
    backups.make(database_url, path, Known(anchor={"sequence": 7}, key="abc"))
    return database_url, path


def test_a_backup_says_what_it_holds_and_is_its_owner_s_alone(
    backed_up: tuple[str, Path],
) -> None:
    url, path = backed_up

    manifest = backup_reading.verify(path)

    assert manifest.rows == {name: len(rows) for name, rows in contents(url).items()}
    assert manifest.revision == newest_revision()
    assert (manifest.anchor, manifest.key) == ({"sequence": 7}, "abc")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_backup_is_refused_wherever_it_is_damaged(
    backed_up: tuple[str, Path], server: TestServer
) -> None:
    _, path = backed_up
    whole = path.read_bytes()
    spoilt = [whole[: len(whole) * part // 7] for part in range(0, 7, 2)]
    spoilt += [
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        for place in range(600, len(whole) - 3000, len(whole) // 5)
    ]

    with server.new_database() as elsewhere:
        for damaged in spoilt:
            path.write_bytes(damaged)
            with pytest.raises(BackupRefused):
                backup_reading.verify(path)
            with pytest.raises(BackupRefused):
                restores.restore(path, elsewhere, force=False)

        assert contents(elsewhere) == {}


def test_a_database_that_is_not_empty_is_left_alone_or_kept_under_another_name(
    backed_up: tuple[str, Path], server: TestServer, services: Services
) -> None:
    url, path = backed_up
    fill(services, "newer")
    before = contents(url)

    with pytest.raises(BackupRefused, match="not empty"):
        restores.restore(path, url, force=False)
    assert contents(url) == before
    # Whoever is connected is sent away.
    done = restores.restore(path, url, force=True)

    assert done.kept_as
    try:
        assert len(contents(url)["organisation"]) == 1
        assert contents(server.url_of(done.kept_as)) == before
    finally:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        server.execute(drop.format(sql.Identifier(done.kept_as)))


def rewrite(path: Path, **changes: Any) -> None:
    """Let the manifest say something else than what is in the dump."""
    manifest, whole = backup_archive.require_undamaged(path), path.read_bytes()
    told = json.dumps(
        {
            **json.loads(
                whole[whole.index(b'{\n  "anchor"') :].split(b"\n}")[0] + b"\n}"
            ),
            **changes,
        }
    )
    with backup_archive.forming(path) as (file, _):
        dump = backup_archive.Dump(file)
        dump.write(whole[512 : 512 + manifest.size])
        new = backup_archive.Manifest(**json.loads(told))
        backup_archive.finish(file, dump, new, 0)


@pytest.mark.parametrize("full", [False, True], ids=["empty", "not empty"])
def test_a_restore_that_fails_at_its_end_leaves_the_database_as_it_was(
    backed_up: tuple[str, Path], server: TestServer, *, full: bool
) -> None:
    url, path = backed_up
    rows = backup_archive.require_undamaged(path).rows
    rewrite(path, rows={**rows, "dnc_entry": rows["dnc_entry"] + 1})

    with server.new_database() as empty:
        target = url if full else empty
        before = contents(target)
        with pytest.raises(BackupRefused, match="dnc_entry"):
            restores.restore(path, target, force=full)

        assert contents(target) == before
    with psycopg.connect(url) as connection:
        left = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE '%restoring%'"
        ).fetchall()
    assert not left
    with pytest.raises(BackupRefused, match="dnc_entry"):
        backup_reading.verify(path)


def test_a_backup_of_a_newer_dncd_is_not_restored_by_an_older_one(
    backed_up: tuple[str, Path], server: TestServer
) -> None:
    _, path = backed_up
    rewrite(path, revision="9999")

    with server.new_database() as elsewhere:
        with pytest.raises(BackupRefused, match="9999"):
            restores.restore(path, elsewhere, force=False)

        assert contents(elsewhere) == {}


@pytest.fixture
def login(server: TestServer) -> Iterator[str]:
    """A login that is no superuser and may do nothing that it is not given."""
    name = f"owner_{uuid.uuid4().hex}"
    role = sql.Identifier(name)
    server.execute(
        sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD 'made-up'").format(role)
    )
    server.execute(sql.SQL("GRANT dncd_app TO {} WITH ADMIN OPTION").format(role))
    yield name
    server.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_login_that_row_level_security_hides_rows_from_is_refused(
    backed_up: tuple[str, Path], server: TestServer, login: str, tmp_path: Path
) -> None:
    url, _ = backed_up
    as_login = conninfo.make_conninfo(url, user=login, password="made-up")
    path = tmp_path / "less.backup"

    with pytest.raises(BackupRefused, match="row-level security"):
        backups.make(as_login, path, Known())
    assert not path.exists()

    role = sql.Identifier(login)
    server.execute(sql.SQL("ALTER ROLE {} BYPASSRLS").format(role))
    server.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(role))
    assert backups.make(as_login, path, Known()).rows["dnc_entry"] == 70


def test_an_owner_who_is_no_superuser_restores_into_an_empty_database_of_its_own(
    backed_up: tuple[str, Path], server: TestServer, login: str
) -> None:
    url, path = backed_up
    before = contents(url)

    with server.new_database() as elsewhere:
        name = conninfo.conninfo_to_dict(elsewhere)["dbname"]
        server.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(name), sql.Identifier(login)
            )
        )
        as_login = conninfo.make_conninfo(elsewhere, user=login, password="made-up")
        restores.restore(path, as_login, force=False)

        assert contents(elsewhere) == before
        with pytest.raises(BackupRefused, match="CREATEDB"):
            restores.restore(path, as_login, force=True)
        server.execute(
            sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(
                sql.Identifier(login)
            )
        )
