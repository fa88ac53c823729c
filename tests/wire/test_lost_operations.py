"""A database that lacks what was anchored: nothing is said of any number."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import requests

from app.domain.access import new_secret
from app.services.organisations import EVERY_GRANT
from tests.conftest import TestServer
from tests.waiting import require
from tests.wire import command
from tests.wire.every_operation import Operation, operations
from tests.wire.service import Api, Service, serving, serving_alone
from tests.wire.vicidial import Box, with_user

# Each starts a service and some commands.
pytestmark = pytest.mark.timeout(300)

NUMBER = "5551234567"
LOST = 5000
OPERATIONS = list(operations())
# What needs the grant to insert and no other goes on.
ADDING = {"/v1/dnc/insert", "/v1/leads/insert", "/v1/dnc/import", "/api/dnc/add"}


@dataclass(frozen=True)
class Restored:
    """A service, its clients, its database, and its anchors' file."""

    api: Api
    box: Box
    url: str
    folder: Path
    anchors: Path

    def fetch(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def anchor(self, chain: str | None = None, at: str | None = None) -> None:
        """Let it have been told that far more was sealed than the database has."""
        [(own,)] = self.fetch("SELECT chain::text FROM installation")
        line = {
            "chain": chain or own,
            "sequence": 1_000_000,
            "root": uuid.uuid4().hex * 2,
            "operations": LOST,
            "at": at or datetime.now(UTC).isoformat(),
        }
        with self.anchors.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def command(self, *arguments: str) -> str:
        return command.done([*arguments], self.folder, {"DATABASE_URL": self.url})

    def readiness(self) -> requests.Response:
        return requests.get(f"{self.api.base}/readyz", timeout=5)

    def is_whole(self) -> bool:
        """Whether every operation is heard."""
        return all(is_heard(answer) for _, answer in self.send_all())

    def send_all(self) -> list[tuple[Operation, requests.Response]]:
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda one: one.send(self.api, self.box), OPERATIONS)
            return list(zip(OPERATIONS, answers, strict=True))


@pytest.fixture
def restored(
    server: TestServer, template: str, tmp_path: Path, http_server: str
) -> Iterator[Restored]:
    with (
        server.new_database(template) as url,
        serving_alone(url, tmp_path, http_server, {"DNCD_SEAL": "on"}, 2) as alone,
    ):
        box = with_user(alone.api, "documented", EVERY_GRANT)
        alone.api.insert(NUMBER)
        anchors = tmp_path / "data" / "anchors.jsonl"
        yield Restored(alone.api, box, url, tmp_path, anchors)


def is_heard(answer: requests.Response) -> bool:
    return answer.status_code in {200, 400, 404}


def test_until_an_operator_confirms_numbers_are_only_added_and_never_called_clear(
    restored: Restored,
) -> None:
    assert restored.is_whole()
    [(last_id,)] = restored.fetch("SELECT max(id) FROM dnc_entry")

    restored.anchor()
    time.sleep(0.6)

    for operation, answer in restored.send_all():
        if operation.path in ADDING:
            assert is_heard(answer), (operation.name, answer.text)
        elif "php" in operation.path or "pdnc" in operation.path:
            # Whether it adds stands in its fields.
            assert answer.status_code in {200, 503}, operation.name
        else:
            operation.require_unavailable(answer)
    for function, heard in (
        ("add_dnc_phone", True),
        ("delete_dnc_phone", False),
        ("check_phone_number", False),
        ("delete_fpg_phone", False),
    ):
        answer = restored.box.send(
            function, phone_number="7275550123", campaign_id="SYSTEM_INTERNAL"
        )
        assert (answer.status_code == 200) is heard, function
    # An id that was lost is given to nothing else.
    fresh = restored.api.insert("5550001111")
    assert fresh > last_id + LOST
    ready = restored.readiness()
    assert (ready.status_code, ready.json()["faults"]) == (
        503,
        ["operations that were anchored are missing: see `dncd recovery show`"],
    )


def test_what_is_missing_is_shown_and_once_confirmed_the_service_goes_on(
    restored: Restored,
) -> None:
    [(had,)] = restored.fetch("SELECT count(*) FROM operation")
    restored.anchor(at="2031-02-03T04:05:06+00:00")

    shown = restored.command("recovery", "show")

    assert f"In the database: {had} operations" in shown
    assert f"Missing: {LOST - had} operations at least" in shown
    assert "2031-02-03 04:05:06 UTC" in shown
    refused = command.run(
        ["check", "--organisation", "Acme", NUMBER],
        restored.folder,
        {"DATABASE_URL": restored.url},
    )
    assert refused.returncode != 0
    assert "recovery" in refused.stderr

    restored.command("recovery", "confirm", "--yes")

    require(restored.is_whole, 3)
    assert restored.readiness().status_code == 200
    body = restored.api.call("dnc/check", phone_number=NUMBER, phone_code="1")
    assert body["data"]["callable"] is False
    assert restored.command("recovery", "show").startswith("Nothing")
    [(why, actor)] = restored.fetch(
        "SELECT why, actor FROM operation WHERE kind = 'recovery:confirmed'"
    )
    assert f"{LOST - had} of {LOST}" in why
    [(confirmed_by, missed)] = restored.fetch(
        "SELECT confirmed_by, sequence FROM recovery"
    )
    assert (confirmed_by, missed) == (actor, 1_000_000)


@pytest.mark.soak
def test_a_database_of_another_chain_is_not_believed(restored: Restored) -> None:
    restored.anchor(chain=str(uuid.uuid4()))
    time.sleep(0.6)

    refused = restored.api.send("dnc/check", phone_number=NUMBER, phone_code="1")
    shown = restored.command("recovery", "show")

    assert refused.status_code == 503
    assert "another" in shown


@pytest.mark.soak
def test_anchors_that_cannot_be_read_are_no_reason_to_say_clear(
    restored: Restored,
) -> None:
    restored.anchors.write_text("nonsense\n")
    time.sleep(0.6)

    refused = restored.api.send("dnc/check", phone_number="5559999999", phone_code="1")

    assert refused.status_code == 503
    assert "cannot be read" in restored.readiness().json()["faults"][0]


def wait_until_it_says_why_not(service: Service) -> None:
    def says_why_not() -> bool:
        try:
            answer = requests.get(f"{service.base}/readyz", timeout=5)
        except (requests.ConnectionError, requests.Timeout):
            return False
        return answer.status_code == 503 and "missing" in answer.text

    require(says_why_not)


def test_a_service_on_an_emptied_database_makes_no_new_beginning(
    server: TestServer,
    tmp_path: Path,
    http_server: str,
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "token").write_text("the former token\n")
    (data / "anchors.jsonl").write_text(
        json.dumps(
            {
                "chain": str(uuid.uuid4()),
                "sequence": 3,
                "root": "ab" * 32,
                "operations": 12,
                "at": "2026-11-01T00:00:00+00:00",
            }
        )
        + "\n"
    )
    with server.new_database() as url:
        environment = {"DATABASE_URL": url, "DNCD_SEAL": "on"}
        with serving(
            tmp_path, environment, http_server, begun=wait_until_it_says_why_not
        ) as service:
            asked = {"auth_token": new_secret(), "phone_number": NUMBER}
            answer = requests.post(f"{service.base}/v1/dnc/check", asked, timeout=5)
            assert answer.status_code == 503

        with psycopg.connect(url) as connection:
            made = connection.execute("SELECT FROM organisation").fetchall()
    assert made == []
    assert (data / "token").read_text() == "the former token\n"
    assert (
        "12 of 12 anchored operations are missing"
        in (tmp_path / "service.log").read_text()
    )
