"""A backup restored under a running service, and on a new host."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest
import requests
from psycopg import sql

from app.audit.verify import Anchor
from app.files import anchors
from tests.conftest import TestServer
from tests.waiting import require
from tests.wire import command
from tests.wire.service import Api, serving, serving_alone

# Each starts a service and some commands.
pytestmark = pytest.mark.timeout(300)

ENVIRONMENT = {"DNCD_ANCHOR_SECONDS": "1"}
BEFORE = [f"55511{n:05}" for n in range(40)]
AFTER = [f"55522{n:05}" for n in range(15)]
LISTED = BEFORE[-1]
LOST = AFTER[-1]


@dataclass(frozen=True)
class Running:
    """A service that seals, its client, and its folder."""

    api: Api
    url: str
    folder: Path
    server: TestServer

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.url, **ENVIRONMENT}

    def command(self, *arguments: str) -> str:
        return command.done([*arguments], self.folder, self.environment)

    def newest_anchor(self) -> Anchor | None:
        return anchors.newest(self.folder / "data" / "anchors.jsonl")

    def operations(self) -> int:
        with psycopg.connect(self.url) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM operation").fetchall()
            return int(count)

    def wait_until_anchored(self) -> None:
        def is_anchored() -> bool:
            newest = self.newest_anchor()
            return newest is not None and newest.operations == self.operations()

        require(is_anchored)

    def check(self, number: str) -> requests.Response:
        return self.api.send("dnc/check", phone_number=number, phone_code="1")

    def restore(self, backup: Path) -> None:
        told = self.command("restore", "--force", str(backup))
        kept = told.rpartition("kept as ")[2].strip("'.")
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(kept))
        self.server.execute(drop)


@pytest.fixture
def running(
    server: TestServer, template: str, tmp_path: Path, http_server: str
) -> Iterator[Running]:
    settings = {"DNCD_SEAL": "on", **ENVIRONMENT}
    with (
        server.new_database(template) as url,
        serving_alone(url, tmp_path, http_server, settings, 2) as alone,
    ):
        for number in BEFORE:
            alone.api.insert(number)
        yield Running(alone.api, url, tmp_path, server)


@dataclass
class Asked:
    """What checkers were told of two numbers that were listed before."""

    statuses: set[int] = field(default_factory=set)
    clear: list[str] = field(default_factory=list)
    count: int = 0


@contextmanager
def checking(running: Running) -> Iterator[Asked]:
    """Ask again and again for numbers that are listed, until the block ends."""
    asked, stop = Asked(), threading.Event()

    def ask(number: str) -> None:
        session = requests.Session()
        fields = {
            "auth_token": running.api.token,
            "phone_number": number,
            "phone_code": "1",
        }
        while not stop.is_set():
            for path in ("check", "search"):
                url = f"{running.api.base}/v1/dnc/{path}"
                answer = session.post(url, data=fields, timeout=20)
                asked.count += 1
                asked.statuses.add(answer.status_code)
                if answer.status_code == 200:
                    data = answer.json()["data"]
                    if data.get("callable") or data.get("total") == 0:
                        asked.clear.append(f"{number} {path}")

    threads = [threading.Thread(target=ask, args=[n]) for n in (LISTED, LOST) * 2]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_restore_that_loses_opt_outs_makes_no_lost_number_clear_until_confirmed(
    running: Running,
) -> None:
    backup = running.folder / "x.backup"
    running.command("backup", str(backup))
    had = running.operations()
    ids = [running.api.insert(number) for number in AFTER]
    running.wait_until_anchored()
    missed = running.newest_anchor()
    assert missed

    with checking(running) as asked:
        time.sleep(0.5)
        running.restore(backup)
        time.sleep(1.5)

    assert asked.clear == []
    assert asked.statuses == {200, 503}
    assert asked.count > 50
    assert running.check(LOST).status_code == 503
    # An opt-out is taken all the same, and nobody's former id is given to it.
    again = running.api.insert(AFTER[0])
    assert again > max(ids)

    shown = running.command("recovery", "show")
    assert f"Anchored: {missed.operations} operations" in shown
    assert f"In the database: {had} operations" in shown
    assert f"Missing: {missed.operations - had} operations at least" in shown
    time.sleep(2.5)
    assert running.newest_anchor() == missed

    running.command("recovery", "confirm", "--yes")

    require(lambda: running.check(LOST).status_code == 200, 5)
    assert running.check(LOST).json()["data"]["callable"] is True
    assert running.check(LISTED).json()["data"]["callable"] is False
    assert running.check(AFTER[0]).json()["data"]["callable"] is False
    running.wait_until_anchored()
    newest = running.newest_anchor()
    assert newest
    assert newest.sequence > missed.sequence
    verified = running.command("audit", "verify")
    assert "CONFIRMED LOSS" in verified
    assert verified.endswith("VERIFIED")
    assert requests.get(f"{running.api.base}/readyz", timeout=5).ok


@pytest.mark.soak
def test_a_restore_that_loses_nothing_is_not_to_be_confirmed(running: Running) -> None:
    running.wait_until_anchored()
    backup = running.folder / "x.backup"
    running.command("backup", str(backup))

    running.restore(backup)

    require(lambda: running.check(LISTED).status_code == 200)
    assert running.check(LISTED).json()["data"]["callable"] is False
    assert running.command("recovery", "show").startswith("Nothing")
    fresh = running.api.insert(AFTER[0])
    assert fresh > 100_000_000
    running.wait_until_anchored()
    assert running.command("audit", "verify").endswith("VERIFIED")


@pytest.mark.soak
def test_a_new_host_with_the_key_and_the_backup_serves_what_was_backed_up(
    running: Running, server: TestServer, http_server: str, tmp_path: Path
) -> None:
    backup = running.folder / "x.backup"
    made = running.command("backup", str(backup))
    assert f"{len(BEFORE)} entries" in made
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)

    with server.new_database() as url:
        environment = {"DATABASE_URL": url, "DNCD_SEAL": "on", **ENVIRONMENT}
        command.done(["restore", str(backup)], elsewhere, environment)
        # Without its key nothing is served.
        refused = command.run(["serve"], elsewhere, environment)
        assert refused.returncode != 0
        assert "key" in refused.stderr
        key = (running.folder / "data" / "key").read_bytes()
        (elsewhere / "data" / "key").write_bytes(key)
        with serving(elsewhere, environment, http_server, workers=1) as service:
            there = Running(
                replace(running.api, base=service.base),
                url,
                elsewhere,
                server,
            )
            for number in BEFORE:
                told = there.check(number).json()
                assert told["data"]["callable"] is False
            listed = there.api.search(limit=100)
            assert len(listed) == len(BEFORE)
            there.api.call(
                "dnc/delete", phone_number=LISTED, phone_code="1", campaign_id=0
            )
            assert there.check(LISTED).json()["data"]["callable"] is True
            there.wait_until_anchored()
            assert there.command("audit", "verify").endswith("VERIFIED")
