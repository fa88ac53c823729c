"""Migrations, however many processes start at once."""

import runpy
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from app.domain.errors import SchemaNotServed
from app.store.migrations import FOLDER, migrate, newest_revision
from tests.conftest import TestServer

MANY = textwrap.dedent(
    """
    import os, sys
    from app.store.migrations import migrate

    children = []
    for _ in range(int(sys.argv[2])):
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


@pytest.mark.parametrize("processes", [6, pytest.param(50, marks=pytest.mark.soak)])
def test_many_processes_may_migrate_an_empty_database_at_once(
    processes: int, server: TestServer
) -> None:
    with server.new_database() as url:
        finished = subprocess.run(
            [sys.executable, "-c", MANY, url, str(processes)],
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


FIRST_TO_DECLARE = "0009"


@pytest.mark.parametrize(
    "file",
    [
        file
        for file in sorted((FOLDER / "versions").glob("[0-9]*_*.py"))
        if file.name[:4] >= FIRST_TO_DECLARE
    ],
    ids=lambda file: file.stem,
)
def test_a_migration_declares_which_code_its_schema_serves(file: Path) -> None:
    """Or the release before it would refuse everything once it is migrated."""
    declared = runpy.run_path(str(file))

    assert "serves_from" in declared
    assert declared["serves_from"] <= declared["revision"]


@pytest.mark.parametrize(
    ("serves_from", "is_served"), [("0010", True), ("9999", False)]
)
def test_older_code_leaves_a_newer_schema_alone_and_starts_on_it_if_it_may(
    database_url: str, serves_from: str, *, is_served: bool
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        declare = "INSERT INTO schema_revision VALUES ('9999', %s)"
        connection.execute(declare, [serves_from])

    if is_served:
        migrate(database_url)
    else:
        with pytest.raises(SchemaNotServed, match="9999"):
            migrate(database_url)

    assert revision(database_url) == "9999"
