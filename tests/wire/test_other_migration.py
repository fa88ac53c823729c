"""A database at another migration: 503 everywhere, or service if it says so."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pytest
import requests

from app.services.organisations import EVERY_GRANT
from app.store.migrations import newest_revision
from tests.conftest import TestServer
from tests.waiting import TooLate, require, require_soon
from tests.wire.every_operation import Operation, operations
from tests.wire.service import CUT_OFF_SECONDS, Api, Reached, serving_by_proxy
from tests.wire.vicidial import Box, with_user

NUMBER = "5551234567"
NEWER = "9999"
OPERATIONS = list(operations())
# They name no number and need no token.
WITHOUT_DATABASE: set[str] = set()


@dataclass(frozen=True)
class Served:
    """A service, its clients, and its database to spoil."""

    api: Api
    box: Box
    url: str

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def readiness(self) -> requests.Response:
        return requests.get(f"{self.api.base}/readyz", timeout=5)

    def send_all(self) -> list[tuple[Operation, requests.Response]]:
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda one: one.send(self.api, self.box), OPERATIONS)
            return list(zip(OPERATIONS, answers, strict=True))


@pytest.fixture(scope="module")
def reached_alone(
    server: TestServer,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    http_server: str,
) -> Iterator[Reached]:
    folder = tmp_path_factory.mktemp("migration")
    with serving_by_proxy(server, template, folder, http_server) as found:
        yield found


@pytest.fixture
def served(reached_alone: Reached) -> Iterator[Served]:
    """A service that answers; whole again afterwards."""
    api = reached_alone.api
    box = with_user(api, "documented", EVERY_GRANT)
    found = Served(api, box, reached_alone.url)
    found.api.call("dnc/insert", phone_number=NUMBER, phone_code="1", campaign_id="0")
    require(lambda: all(ok(answer) for _, answer in found.send_all()))
    yield found
    found.execute(f"UPDATE alembic_version SET version_num = '{newest_revision()}'")
    found.execute(
        "INSERT INTO alembic_version"
        f" SELECT '{newest_revision()}' WHERE NOT EXISTS (SELECT FROM alembic_version)"
    )
    found.execute(f"DELETE FROM schema_revision WHERE revision = '{NEWER}'")
    require(lambda: all(ok(answer) for _, answer in found.send_all()))


def ok(answer: requests.Response) -> bool:
    """Whether the request was heard; its example may name what is not there."""
    return answer.status_code in {200, 400, 404}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            f"UPDATE alembic_version SET version_num = '{NEWER}'", id="a newer one"
        ),
        pytest.param(
            f"UPDATE alembic_version SET version_num = '{NEWER}'; INSERT INTO"
            f" schema_revision VALUES ('{NEWER}', '{NEWER}')",
            id="a newer one that older code cannot serve",
        ),
        pytest.param(
            "UPDATE alembic_version SET version_num = '0001'", id="an older one"
        ),
        pytest.param("DELETE FROM alembic_version", id="none"),
    ],
)
def test_at_another_migration_every_operation_says_503_in_time(
    spoil: str, served: Served
) -> None:
    served.execute(spoil)
    # A token is remembered for half a second.
    time.sleep(0.6)

    began = time.monotonic()
    answers = served.send_all()

    assert len(answers) >= 36
    for operation, answer in answers:
        operation.require_unavailable(answer)
        require_soon(answer.elapsed.total_seconds(), CUT_OFF_SECONDS, operation.name)
    assert time.monotonic() - began < 10
    ready = served.readiness()
    assert ready.status_code == 503
    assert any(
        "migrat" in fault or "schema" in fault for fault in ready.json()["faults"]
    )
    assert requests.get(f"{served.api.base}/healthz", timeout=5).ok


def test_a_newer_schema_that_declares_it_is_served(served: Served) -> None:
    served.execute(
        f"INSERT INTO schema_revision VALUES ('{NEWER}', '{newest_revision()}');"
        f"UPDATE alembic_version SET version_num = '{NEWER}'"
    )
    time.sleep(0.6)

    answers = [answer for _, answer in served.send_all()]
    if {answer.status_code for answer in answers if not ok(answer)} == {503}:
        raise TooLate("who waited for too long is told to come again")
    assert all(map(ok, answers))
    assert served.readiness().status_code == 200
    body = served.api.call("dnc/check", phone_number=NUMBER, phone_code="1")
    assert body["data"]["callable"] is False
