"""Whatever a superuser of the database rewrites is found, and where it is."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from psycopg import conninfo

from app.audit.verify import Anchor, Report
from app.bootstrap import build_services
from app.services.organisations import operator
from app.store.database import Database
from tests.conftest import TestServer, make_organisation
from tests.store import tampering
from tests.store.tampering import KINDS, ROUNDS

PLACES = 50


@dataclass(frozen=True)
class History:
    """A sealed history, the key to it, and an anchor from the middle of it."""

    database: str
    key: Path
    anchor: Anchor


@pytest.fixture(scope="module")
def history(
    server: TestServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    key = tmp_path_factory.mktemp("tampering") / "key"
    with server.new_database(template) as url:
        database = Database(url, connections=3)
        services = build_services(database, key)
        services.keys.start()
        callers = [
            operator(services.organisations.add("test", make_organisation(name)), "me")
            for name in ("first", "second")
        ]
        anchored: list[Anchor | None] = []
        for turn in range(ROUNDS):
            tampering.work(services, callers, turn)
            services.sealing.run()
            anchored.append(services.sealing.newest())
        database.close()
        middle = anchored[-2]
        assert middle is not None
        yield History(conninfo.conninfo_to_dict(url)["dbname"], key, middle)


def verified(url: str, history: History) -> Report:
    database = Database(url, connections=3)
    try:
        services = build_services(database, history.key)
        return services.audit.verify([history.anchor])
    finally:
        database.close()


def found(server: TestServer, history: History, kind: str, place: int) -> Report:
    """Return what is found after one kind of change at one place."""
    with server.new_database(history.database) as url:
        with tampering.superuser(url) as connection:
            KINDS[kind](connection, random.Random(f"{kind} {place}"))
        return verified(url, history)


def test_an_untouched_history_verifies(server: TestServer, history: History) -> None:
    with server.new_database(history.database) as url:
        report = verified(url, history)

    assert report.clean, list(report.lines())
    assert report.anchors == 1
    assert report.seals > ROUNDS
    assert report.waiting == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_by_a_superuser_is_found(
    server: TestServer, history: History, kind: str
) -> None:
    missed = [p for p in range(3) if found(server, history, kind, p).clean]

    assert missed == []


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_found_at_each_of_fifty_places(
    server: TestServer, history: History, kind: str
) -> None:
    missed = [p for p in range(PLACES) if found(server, history, kind, p).clean]

    assert missed == []
