"""Whatever a superuser of the database rewrites is found, and where it is."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psycopg
import pytest
from psycopg import conninfo

from app.audit.verify import Anchor, Report
from app.bootstrap import build_services
from app.services.organisations import operator
from app.store.database import Database
from app.store.roles import Scope
from app.store.transactions import Open
from tests.conftest import TestServer, make_organisation
from tests.store import tampering
from tests.store.tampering import KINDS, ROUNDS, Tamper

PLACES = 50


@dataclass
class Within:
    """A database of one transaction, in which somebody has tampered."""

    connection: tampering.Connection
    expect: object = None

    @contextmanager
    def repeatable(self, scope: Scope, *, deadline: float | None) -> Iterator[Open]:
        assert deadline
        yield Open(self.connection, scope)

    def within(self, scope: Scope) -> Open:
        return Open(self.connection, scope)


@dataclass(frozen=True)
class History:
    """A sealed history, the key to it, and an anchor from the middle of it."""

    url: str
    key: Path
    anchor: Anchor

    def verify(self, tamper: Tamper | None, place: str = "") -> Report:
        """Return what is found after a superuser's change, which is undone again."""
        with tampering.superuser(self.url) as connection:
            connection.execute("BEGIN")
            if tamper is not None:
                tamper(connection, random.Random(place))
            connection.execute("SET LOCAL ROLE dncd_app")
            database = cast("Database", Within(connection))
            report = build_services(database, self.key).audit.verify([self.anchor])
            connection.execute("ROLLBACK")
        return report


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
        older = anchored[-2]
        assert older is not None
        yield History(url, key, older)


def test_an_untouched_history_verifies(history: History) -> None:
    report = history.verify(None)

    assert report.clean, list(report.lines())
    assert report.anchors == 1
    assert report.seals > ROUNDS
    assert report.waiting == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_by_a_superuser_is_found(history: History, kind: str) -> None:
    places = range(3)

    missed = [p for p in places if history.verify(KINDS[kind], f"{kind} {p}").clean]

    assert missed == []


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_found_at_each_of_fifty_places(history: History, kind: str) -> None:
    places = range(PLACES)

    missed = [p for p in places if history.verify(KINDS[kind], f"{kind} {p}").clean]

    assert missed == []


@pytest.mark.parametrize(
    ("tamper", "kind", "words"),
    [
        pytest.param(
            "UPDATE operation SET actor = 'x' WHERE id = 9",
            "edited",
            "the operation itself",
            id="an operation edited",
        ),
        pytest.param(
            "UPDATE dnc_entry SET reason = 'x' WHERE id = 4",
            "edited",
            "one or more of the 1 versions that it made: at or after entry 4",
            id="a version edited",
        ),
        pytest.param(
            "UPDATE dnc_entry_past SET valid_until = valid_until + interval '1 s'"
            " WHERE id = 2",
            "edited",
            "one or more of the 1 versions that it ended",
            id="an end edited",
        ),
        pytest.param(
            "DELETE FROM operation WHERE id = 9",
            "deleted",
            "is missing, though its versions are there",
            id="an operation deleted",
        ),
        pytest.param(
            "DELETE FROM dnc_entry WHERE id = 4",
            "deleted",
            "1 of the 1 versions that it made",
            id="a version deleted",
        ),
        pytest.param(
            "INSERT INTO dnc_entry (organisation_id, e164, calling_code, campaign_id,"
            " operation_id) SELECT organisation_id, 15550001111, 1, 0, operation_id"
            " FROM dnc_entry WHERE id = 4",
            "inserted",
            "1 besides the 1 versions that it made",
            id="a version inserted",
        ),
        pytest.param(
            "DELETE FROM seal WHERE sequence = 4",
            "deleted",
            "are missing from the chain",
            id="a seal deleted",
        ),
        pytest.param(
            "UPDATE seal_leaf SET hints = '\\x00' WHERE sequence = 4 AND position = 0",
            "edited",
            "what its leaf notes beside its hash",
            id="a leaf's hints edited",
        ),
    ],
)
def test_a_finding_says_what_was_done_and_where(
    history: History, tamper: str, kind: str, words: str
) -> None:
    report = history.verify(
        lambda connection, _: connection.execute(tamper.encode()) and None
    )

    assert [f for f in report.findings if f.kind == kind and words in f.words]
    assert all("organisation" in f.place or "seal" in f.place for f in report.findings)


FORGED = """
    INSERT INTO operation (
        organisation_id, at, transaction_id, actor, dialect, request_id, kind, touched
    )
    VALUES (
        1, now() - interval '{ago}', {transaction}, 'forger', 'cli', '',
        'entry:suppressed', 1
    )
"""


@pytest.mark.parametrize(
    "transaction",
    [
        pytest.param("'700'", id="an old transaction"),
        # Or it would wait for its seal for ever.
        pytest.param("'999999999999'", id="one that never was"),
        pytest.param("pg_current_xact_id()", id="one that no seal has seen"),
    ],
)
def test_an_operation_that_no_seal_holds_is_found_whatever_it_claims(
    history: History, transaction: str
) -> None:
    forged = FORGED.format(transaction=transaction, ago="1 year").encode()

    report = history.verify(lambda connection, _: connection.execute(forged) and None)

    assert [f.kind for f in report.findings] == ["inserted"]


@pytest.mark.parametrize("ago", ["1 year", "1 hour"])
def test_a_backdated_operation_is_found_though_it_was_sealed(
    server: TestServer, history: History, ago: str
) -> None:
    name = conninfo.conninfo_to_dict(history.url)["dbname"]
    with server.new_database(name) as url:
        with psycopg.connect(url) as connection:
            # As the service does it, with every trigger and a transaction of now.
            forged = FORGED.replace("'entry:suppressed', 1", "'entry:revised', 1")
            current = "pg_current_xact_id()"
            connection.execute(forged.format(transaction=current, ago=ago).encode())
        database = Database(url, connections=3)
        services = build_services(database, history.key)
        assert services.sealing.run() == 1
        report = services.audit.verify([history.anchor])
        database.close()

    assert [f.kind for f in report.findings] == ["inserted"]
    assert "is dated" in report.findings[0].words
