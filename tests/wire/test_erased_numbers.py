"""A number that was erased is blocked behind every door, and found in no answer."""

import json

import pytest
import requests

from app.domain.access import Grant
from app.services.keys import Keys
from app.store.database import Database
from tests.wire.command import Command
from tests.wire.doors import COUNTERS, DELETERS, DOORS, LOOKUPS, say_listed
from tests.wire.service import Api

NUMBER = "7275551212"
OTHER = "7275551213"

# Whoever names the number is told of it; an export has no number to name.
ASKED = set(LOOKUPS) - {("native", "export")}

added_by = pytest.mark.parametrize("adder", DOORS, ids=lambda name: f"{name} added")


def erase(api: Api, number: str = NUMBER) -> dict[str, object]:
    body = api.call("dnc/erase", phone_number=number, phone_code="1", reason="ticket 7")
    assert body["success"] is True, body
    data: dict[str, object] = body["data"]
    return data


@pytest.fixture
def owner(api: Api, doors) -> Api:
    """The organisation of the doors, with a token that may do everything."""
    del doors
    return api


@added_by
def test_every_look_up_says_that_an_erased_number_is_listed(adder, owner, doors):
    doors[adder].add(NUMBER)

    erased = erase(owner)

    assert (erased["entries"], erased["versions"]) == (1, 1)
    # Often enough that each worker was asked for the first time.
    for _ in range(4):
        assert say_listed(doors, NUMBER) == ASKED
        assert say_listed(doors, OTHER) == set()
    assert {doors[name].count() for name in COUNTERS} == {1}


@pytest.mark.parametrize("deleter", DELETERS, ids=lambda name: f"{name} deleted")
def test_an_erased_number_is_gone_everywhere_whoever_deleted_it(deleter, owner, doors):
    doors["convoso"].add(NUMBER)
    doors["convoso"].add(OTHER)
    erase(owner)

    said = doors[deleter].delete(NUMBER)

    assert said.success, said
    assert say_listed(doors, NUMBER) == set()
    assert say_listed(doors, OTHER) == set(LOOKUPS)
    assert {doors[name].count() for name in COUNTERS} == {1}


@added_by
def test_an_erased_number_can_be_added_again(adder, owner, doors):
    doors["convoso"].add(NUMBER)
    erase(owner)

    assert doors[adder].add(NUMBER).success

    assert say_listed(doors, NUMBER) == set(LOOKUPS)
    assert erase(owner)["entries"] == 1
    assert say_listed(doors, NUMBER) == ASKED


def test_no_list_shows_the_number_and_a_search_by_it_does(owner):
    entry_id = owner.insert(NUMBER, reason="Quokka asked")
    erase(owner)

    (shown,) = owner.search()
    (found,) = owner.search(phone_number=NUMBER)
    bearer = {"Authorization": f"Bearer {owner.token}"}
    listed = requests.get(f"{owner.base}/api/dnc/list", headers=bearer, timeout=20)
    exported = requests.get(
        f"{owner.base}/v1/dnc/export", headers=bearer, timeout=20
    ).text

    assert shown["id"] == found["id"] == str(entry_id)
    assert (shown["phone_number"], shown["phone_code"]) == ("", "1")
    assert found["phone_number"] == NUMBER
    assert shown["reason"] == found["reason"] == ""
    (record,) = listed.json()["data"]["dncList"]
    assert record["phoneNumber"] == ""
    for text in (json.dumps(shown), listed.text, exported):
        assert NUMBER not in text
        assert "Quokka" not in text
    assert "erased,1,0,0,," in exported


def test_an_erased_entry_is_not_updated(owner):
    entry_id = owner.insert(NUMBER)
    erase(owner)

    body = owner.call("dnc/update", id=entry_id, reason="x")

    assert body["success"] is False
    (found,) = owner.search(phone_number=NUMBER)
    assert found["reason"] == ""


@pytest.mark.parametrize(
    "grants",
    [[Grant.ADMIN], [Grant.DELETE], [grant for grant in Grant if grant != "admin"]],
    ids="+".join,
)
def test_erasing_needs_admin_and_delete(grants, owner):
    owner.insert(NUMBER)

    answer = owner.with_grants(*grants).send(
        "dnc/erase", phone_number=NUMBER, phone_code="1"
    )

    assert answer.status_code == 403
    assert owner.search(phone_number=NUMBER)[0]["phone_number"] == NUMBER
    assert owner.search()[0]["phone_number"] == NUMBER


@pytest.fixture
def keyed(command: Command) -> Command:
    """A command whose service has been started once, and so has a key."""
    (command.folder / "data").mkdir(exist_ok=True)
    database = Database(command.url, connections=1)
    Keys(database, command.folder / "data" / "key").start()
    database.close()
    return command


def test_the_command_erases_what_it_reads_and_says_nothing_of_whom(keyed):
    keyed.run("import", "-", data=f"{NUMBER}\n".encode())

    result = keyed.run(
        "erase", "-", "--reason", "ticket 7", data=f"{NUMBER}\n".encode()
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(b"Forgotten: 1 entries, which block it still")
    assert NUMBER.encode() not in result.stdout + result.stderr
    assert keyed.run("check", NUMBER).returncode == 1
    assert keyed.run("check", OTHER).returncode == 0


def test_the_command_names_the_law_that_a_retention_would_break(keyed):
    refused = keyed.run("retention", "set", "12")

    assert refused.returncode == 1
    assert b"47 CFR 64.1200(d)(6)" in refused.stderr
    assert keyed.run("retention", "set", "60").returncode == 0
    assert keyed.run("retention", "show").stdout == b"60 months\n"
    result = keyed.run("retention", "apply", "--json")
    assert json.loads(result.stdout) == {
        "versions": 0,
        "operations": 0,
        "dry_run": False,
    }
