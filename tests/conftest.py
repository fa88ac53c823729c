"""A PostgreSQL for the whole run, and a migrated database of its own for each test."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from app.bootstrap import build_services
from app.dialects import DIALECTS
from app.domain import patience
from app.domain.access import Caller, Organisation
from app.services import Services
from app.services.organisations import operator
from app.store import embedded
from app.store.database import Database
from app.store.migrations import migrate
from tests.withheld import measured_again, watch

# What is not about how soon the service gives up lets it take its time.
ANSWER_SECONDS = 8
patience.promise(ANSWER_SECONDS)

# Most of it is never used; each of several processes has a server of its own.
MEMORY_BYTES = 4 * 2**30


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let whoever runs the tests choose the HTTP server of them all."""
    parser.addoption(
        "--server",
        choices=["gunicorn", "granian"],
        help="run every test of the service under this server, and once only",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have measured again what was too late while the machine was not there."""
    watch.start()
    for item in items:
        item.add_marker(measured_again)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin anew with each test, and each time that one is run again."""
    watch.begin()


@dataclass(frozen=True)
class TestServer:
    """A PostgreSQL server that tests may fill with databases."""

    __test__ = False

    url: str

    def url_of(self, database: str) -> str:
        return conninfo.make_conninfo(self.url, dbname=database)

    def execute(self, statement: sql.Composable) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def new_database(self, template: str | None = None) -> Iterator[str]:
        """Yield the URL of a database that is gone afterwards."""
        name = f"test_{uuid.uuid4().hex}"
        create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            create += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(template)
            )
        self.execute(create)
        try:
            yield self.url_of(name)
        finally:
            self.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.fixture(autouse=True)
def unhurried() -> Iterator[None]:
    """However busy the machine is, a test waits, whatever this thread served before."""
    yield
    patience.end()
    patience.promise(ANSWER_SECONDS)


@pytest.fixture
def as_shipped() -> None:
    """For a test of how soon whoever waits is given up: as nobody chooses otherwise."""
    patience.promise(patience.ANSWER_SECONDS)


@pytest.fixture(scope="session")
def server() -> Iterator[TestServer]:
    """TEST_DATABASE_URL's server, or an embedded one."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield TestServer(url)
        return
    # Not pytest's own folder: PostgreSQL, which may not be root, could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="dncd-tests-", dir=memory()))
    try:
        with embedded.owned(folder) as running:
            yield TestServer(running.url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def memory() -> Path | None:
    """A file system in memory that is large enough, if there is one."""
    found = Path("/dev/shm")
    if not found.is_dir() or shutil.disk_usage(found).free < MEMORY_BYTES:
        return None
    return found


@pytest.fixture(scope="session")
def template(server: TestServer) -> Iterator[str]:
    """The name of a migrated database to copy."""
    with server.new_database() as url:
        migrate(url)
        yield conninfo.conninfo_to_dict(url)["dbname"]


@pytest.fixture
def database_url(server: TestServer, template: str) -> Iterator[str]:
    """An empty, migrated database, seen as its owner."""
    with server.new_database(template) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same database as the service sees it."""
    found = Database(database_url, connections=4)
    yield found
    found.close()


@pytest.fixture
def services(database: Database) -> Services:
    return build_services(database)


@pytest.fixture
def organisation(services: Services) -> Organisation:
    return services.organisations.add("test", make_organisation("Acme"))


@pytest.fixture
def caller(organisation: Organisation) -> Caller:
    return operator(organisation, "test")


def make_organisation(
    name: str, time_zone: str = "UTC", edition: str = "documented"
) -> Organisation:
    return Organisation(
        id=0,
        name=name,
        time_zone=time_zone,
        default_phone_code="1",
        editions={dialect.name: edition for dialect in DIALECTS},
        checking_enabled=True,
    )
