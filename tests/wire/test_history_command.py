"""A number's past at the command line: history, restoring, evidence and --as-of."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.entries import Draft
from app.domain.phone import PhoneNumber
from app.domain.scopes import read_campaign
from app.services import Services
from app.services.organisations import operator
from tests.wire.command import Command

NUMBER = PhoneNumber("1", "5551234567")
OWN = read_campaign("0")
NASTY = '<script>alert("1")</script>'


@pytest.fixture
def acting(command: Command, services: Services) -> Caller:
    """The operator of the organisation that the command works on."""
    del command
    return operator(services.organisations.require("default"), "cli:someone")


def now() -> str:
    instant = datetime.now(UTC)
    time.sleep(0.005)
    return instant.isoformat()


def put(services: Services, caller: Caller, reason: str = "Asked") -> int:
    draft = Draft(NUMBER, OWN, None, reason, {"ip": "192.0.2.9"})
    return services.suppressions.suppress(caller, draft)


def take(services: Services, caller: Caller) -> None:
    services.suppressions.release(caller, NUMBER, OWN, None, None)


def test_a_check_and_an_export_tell_what_was_listed_at_an_instant(
    command: Command, services: Services, acting: Caller
) -> None:
    before = now()
    put(services, acting)
    during = now()
    take(services, acting)

    statuses = [
        command.run("check", "5551234567", "--as-of", each).returncode
        for each in (before, during, now())
    ]
    exported = [
        command.run("export", "--as-of", each).stdout.decode().count("5551234567")
        for each in (before, during, now())
    ]

    assert statuses == [0, 1, 0]
    assert exported == [0, 1, 0]


def test_what_is_no_instant_and_what_is_not_settled_is_told_in_one_line(
    command: Command, services: Services, acting: Caller
) -> None:
    put(services, acting)
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with psycopg.connect(command.url) as late:
        late.execute(
            "SELECT set_config('dncd.organisation', %s, true), dnc_instant()",
            [str(acting.organisation.id)],
        )
        unsettled = command.run("check", "5551234567", "--as-of", now())
    zoneless = command.run("check", "5551234567", "--as-of", "2026-01-01T00:00:00")
    future = command.run("export", "--as-of", ahead)

    assert unsettled.returncode == 1
    assert unsettled.stderr.startswith(b"Error: not settled yet")
    assert unsettled.stdout == b""
    assert zoneless.returncode == 2
    assert b"as_of has no zone" in zoneless.stderr
    assert (future.returncode, future.stdout) == (1, b"")
    assert b"as_of has not passed" in future.stderr


def test_history_is_a_table_that_tells_who_did_what(
    command: Command, services: Services, acting: Caller
) -> None:
    entry_id = put(services, acting)
    take(services, acting)

    by_number = command.run("history", "555-123-4567").stdout.decode()
    by_entry = command.run("history", "--entry", str(entry_id)).stdout.decode()
    as_json = json.loads(command.run("history", "5551234567", "--json").stdout)
    never = command.run("history", "5550000000")

    heading, row = by_number.splitlines()
    assert heading.startswith("FROM")
    for told in ("+15551234567", "Global DNC", "Asked", str(entry_id)):
        assert told in row
    assert "cli:someone: entry:suppressed (cli)" in row
    assert row.endswith("cli:someone: entry:released (cli)")
    assert by_entry == by_number
    [version] = as_json["versions"]
    assert version["ended_by"]["kind"] == "entry:released"
    assert (never.returncode, never.stdout) == (0, b"never listed\n")
    for wrong in (["history"], ["history", "5551234567", "--entry", "1"]):
        assert command.run(*wrong).returncode == 2


def test_a_deleted_entry_is_restored_once(
    command: Command, services: Services, acting: Caller
) -> None:
    entry_id = str(put(services, acting))
    take(services, acting)

    done = command.run("restore-entry", entry_id)
    again = command.run("restore-entry", entry_id)
    unknown = command.run("restore-entry", "999999")
    blocked = command.run("check", "5551234567")
    take(services, acting)
    other = put(services, acting)
    taken = command.run("restore-entry", entry_id)

    assert (done.returncode, done.stdout) == (
        0,
        f"Restored entry {entry_id}.\n".encode(),
    )
    assert blocked.returncode == 1
    assert again.stderr == f"Error: entry {entry_id} is listed\n".encode()
    assert unknown.returncode == 1
    assert f"by entry {other}".encode() in taken.stderr


def test_a_proof_pack_holds_states_versions_operations_and_how_to_read_them(
    command: Command, services: Services, acting: Caller
) -> None:
    before = now()
    entry_id = put(services, acting)
    during = now()
    take(services, acting)
    services.histories.restore(acting, entry_id)

    then = json.loads(command.run("evidence", "5551234567", "--as-of", during).stdout)
    earlier = json.loads(
        command.run("evidence", "5551234567", "--as-of", before).stdout
    )
    plain = json.loads(command.run("evidence", "+15551234567").stdout)

    assert then["format"] == "dncd evidence 1"
    assert then["number"]["e164"] == "+15551234567"
    assert then["organisation"] == "default"
    assert then["then"]["at"] == during
    assert then["then"]["listed"] is True
    [by] = then["then"]["by"]
    assert (by["entry_id"], by["blocks"], by["reason"]) == (
        str(entry_id),
        "every call",
        "Asked",
    )
    assert then["now"]["listed"] is True
    assert earlier["then"] == {"at": before, "listed": False, "by": []}
    assert plain["then"] is None
    first, second = then["versions"]
    assert first["evidence"] == {"ip": "192.0.2.9"}
    assert second["valid_until"] is None
    kinds = {each["id"]: each["kind"] for each in then["operations"]}
    assert kinds[first["made_by_operation"]] == "entry:suppressed"
    assert kinds[first["ended_by_operation"]] == "entry:released"
    assert kinds[second["made_by_operation"]] == "entry:restored"
    assert len(kinds) == 3
    assert len(then["how_to_read"]) >= 5


class Page(HTMLParser):
    """What a page shows, and every place that it would ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.asks: list[str] = []
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.add(str(value))
            if name in {"src", "href", "action", "data", "srcset"}:
                self.asks.append(str(value))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_the_same_and_asks_nothing_of_any_other_place(
    command: Command, services: Services, acting: Caller
) -> None:
    put(services, acting, NASTY)
    during = now()
    take(services, acting)

    done = command.run(
        "evidence", "5551234567", "--html", "--as-of", during, "-o", "pack.html"
    )
    never = command.run("evidence", "5550000000", "--html").stdout.decode()

    assert (done.returncode, done.stdout) == (0, b"")
    text = (command.folder / "pack.html").read_text()
    page = Page(text)
    assert "+15551234567" in page.text
    assert NASTY in page.text
    assert "script" not in page.tags
    for told in ("Listed", "Not listed", "cli:someone", "entry:released", "192.0.2.9"):
        assert told in page.text
    assert page.asks
    assert all(each.startswith("#") and each[1:] in page.ids for each in page.asks)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "was never on a list" in never
