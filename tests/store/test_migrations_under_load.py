"""Migrations while the release before them goes on working, and after them."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from app.domain.access import hash_secret, new_secret
from app.domain.errors import StoreUnavailable
from app.store import migrations
from app.store.migrations import migrate, newest_revision
from tests.conftest import TestServer
from tests.store import old_schema
from tests.store.release_0004 import Release
from tests.store.test_migrations import revision

BEFORE = "0004"
ENTRIES = 100_000
FIRST = 15550000001
LISTED = range(FIRST, FIRST + ENTRIES)

# Files that hold the list and its indexes: another file is another copy of it all.
FILES = """
    SELECT relname, pg_relation_filenode(oid) AS file FROM pg_class
    WHERE oid = 'dnc_entry'::regclass
       OR oid IN (
           SELECT indexrelid FROM pg_index WHERE indrelid = 'dnc_entry'::regclass
       )
    ORDER BY relname
"""

# One that needs the list for itself, if only for an instant.
EXCLUSIVE = """
from alembic import op

revision = "9998"
down_revision = "{newest}"
serves_from = "{newest}"


def upgrade() -> None:
    op.execute("ALTER TABLE dnc_entry ADD COLUMN later text")
"""

READ = """
    SELECT coalesce(seq_tup_read, 0) AS read, n_tup_upd AS updated
    FROM pg_stat_all_tables WHERE relid = 'dnc_entry'::regclass
"""


@dataclass(frozen=True)
class Old:
    """A database at the schema before, with a long list."""

    url: str
    organisation_id: int
    secret_hash: bytes

    def connect(self) -> Release:
        return Release(self.url, self.organisation_id, self.secret_hash)


@pytest.fixture(scope="module")
def filled(server: TestServer) -> Iterator[Old]:
    secret_hash = hash_secret(new_secret())
    with server.new_database() as url:
        old_schema.migrate_to(url, BEFORE)
        yield Old(url, old_schema.fill(url, secret_hash, ENTRIES), secret_hash)


@pytest.fixture
def old(server: TestServer, filled: Old) -> Iterator[Old]:
    """A copy of it for one test."""
    name = psycopg.conninfo.conninfo_to_dict(filled.url)["dbname"]
    with server.new_database(name) as url:
        yield Old(url, filled.organisation_id, filled.secret_hash)


@pytest.fixture
def newest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The newest of the migrations that there are, now with EXCLUSIVE after it."""
    newest = newest_revision()
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, folder)
    (folder / "versions" / "9998_later.py").write_text(EXCLUSIVE.format(newest=newest))
    monkeypatch.setattr(migrations, "FOLDER", folder)
    return newest


@dataclass
class Work:
    """What workers of the release before did, and what became of it."""

    done: int = 0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)
    inserted: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def working(old: Old) -> Iterator[Work]:
    """Let writers and checkers of the release before work until the block ends."""
    work, stop = Work(), threading.Event()

    def write(release: Release, worker: int, n: int) -> None:
        number = FIRST + 1_000_000 * (worker + 1) + n
        assert release.insert(number)
        with work.lock:
            work.inserted.append(number)
        assert release.check(number)
        if n % 3 == 0:
            release.revise(number, "again")
        if n % 5 == 0:
            assert release.release(number - 1_000_000 * (worker + 1) + 50_000 * worker)

    def ask(release: Release, worker: int, n: int) -> None:
        assert release.authenticate()
        assert release.check(LISTED[-1 - n - worker])

    def run(what: Callable[[Release, int, int], None], worker: int) -> None:
        release, n = old.connect(), 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                what(release, worker, n)
            except (psycopg.Error, AssertionError) as error:
                work.failures.append(f"{what.__name__}: {type(error).__name__} {error}")
            took = time.monotonic() - began
            with work.lock:
                work.done += 1
                work.slowest = max(work.slowest, took)
            n += 1
        release.connection.close()

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(run, what, n) for what in (write, ask) for n in (0, 1)]
        try:
            yield work
        finally:
            stop.set()
        for job in jobs:
            job.result()


def test_the_release_before_fails_nothing_while_and_after_the_schema_is_migrated(
    old: Old,
) -> None:
    with working(old) as work:
        time.sleep(0.5)
        before = work.done
        migrate(old.url)
        during = work.done
        time.sleep(0.5)

    assert work.failures == []
    assert revision(old.url) == newest_revision()
    assert 0 < before < during < work.done
    with psycopg.connect(old.url) as connection:
        rows = connection.execute(
            "SELECT e164 FROM dnc_entry WHERE e164 > %s", [LISTED[-1]]
        ).fetchall()
        [(counted,)] = connection.execute("SELECT count(*) FROM dnc_entry").fetchall()
        [(told,)] = connection.execute(
            "SELECT sum(n) FROM (SELECT n FROM dnc_entry_tally"
            " WHERE grain = 'all' AND NOT detailed"
            " UNION ALL SELECT n FROM dnc_entry_tally_delta) AS told"
        ).fetchall()
    assert sorted(e164 for (e164,) in rows) == sorted(work.inserted)
    assert told == counted


def test_a_migration_that_finds_the_list_in_use_lets_others_by_and_tries_again(
    old: Old, newest: str
) -> None:
    """Whoever waits behind it waits no longer than it waits itself."""
    with (
        working(old) as work,
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(old.url) as importing,
    ):
        importing.execute("LOCK TABLE dnc_entry IN ROW EXCLUSIVE MODE")
        migrating = pool.submit(migrate, old.url)
        time.sleep(4)
        assert not migrating.done()
        importing.commit()
        migrating.result(timeout=30)

    assert work.failures == []
    assert revision(old.url) == "9998"
    # What it declares of itself is there with it: code without it may go on.
    with psycopg.connect(old.url) as connection:
        declared = connection.execute(
            "SELECT serves_from FROM schema_revision WHERE revision = '9998'"
        ).fetchall()
    assert declared == [(newest,)]


@pytest.mark.usefixtures("newest")
def test_a_migration_gives_up_in_the_end_and_can_be_run_again(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PATIENCE", 1.0)
    with psycopg.connect(old.url) as importing:
        importing.execute("LOCK TABLE dnc_entry IN ROW EXCLUSIVE MODE")

        with pytest.raises(StoreUnavailable, match="lock timeout"):
            migrate(old.url)

    assert revision(old.url) != "9998"
    with closing(old.connect().connection):
        migrate(old.url)
    assert revision(old.url) == "9998"


def test_no_migration_rewrites_reads_or_indexes_the_list(old: Old) -> None:
    """It may hold ten million entries, and be locked meanwhile."""
    with psycopg.connect(old.url, row_factory=dict_row) as connection:
        files = connection.execute(FILES).fetchall()
        [read] = connection.execute(READ).fetchall()

    migrate(old.url)

    time.sleep(1)  # until the server has counted what an ended session did
    with psycopg.connect(old.url, row_factory=dict_row) as connection:
        assert connection.execute(FILES).fetchall() == files
        assert connection.execute(READ).fetchall() == [read]
