"""Migrations, however many processes start at once."""

import subprocess
import sys
import textwrap

import psycopg

from app.store.migrations import migrate, newest_revision
from tests.conftest import TestServer

FIFTY = textwrap.dedent(
    """
    import os, sys
    from app.store.migrations import migrate

    children = []
    for _ in range(50):
        child = os.fork()
        if child == 0:
            try:
                migrate(sys.argv[1])
            except BaseException as error:
                print(error, file=sys.stderr)
                os._exit(1)
            os._exit(0)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    sys.exit(len(failed))
    """
)


def revision(url: str) -> str:
    with psycopg.connect(url) as connection:
        [row] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return str(row[0])


def test_fifty_processes_may_migrate_an_empty_database_at_once(
    server: TestServer,
) -> None:
    with server.new_database() as url:
        finished = subprocess.run(
            [sys.executable, "-c", FIFTY, url],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

        assert finished.returncode == 0, finished.stderr
        assert revision(url) == newest_revision()


def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = revision(database_url)

    migrate(database_url)

    assert revision(database_url) == before
