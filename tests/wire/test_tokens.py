"""Tokens: what they let through, when they end, and that nobody can read them."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import requests
from psycopg import sql

from app.domain.access import Grant, new_secret
from tests.waiting import TooLate, require
from tests.wire import command
from tests.wire.service import Api

NUMBER = "5551234567"
OPERATIONS = {
    "dnc/insert": Grant.INSERT,
    "dnc/update": Grant.UPDATE,
    "dnc/search": Grant.READ,
    "dnc/delete": Grant.DELETE,
    "leads/insert": Grant.INSERT,
    "leads/search": Grant.READ,
    "status/search": Grant.READ,
    "campaigns/search": Grant.READ,
}
FORBIDDEN = {"success": False, "code": 403, "text": "Forbidden", "message": "Forbidden"}
UNKNOWN = {
    "success": False,
    "code": 5001,
    "text": "Auth token is invalid",
    "message": "Auth token is invalid",
}
DNC = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}


def anyone(api: Api, token: str, operation: str = "dnc/search") -> requests.Response:
    """Ask on a connection of its own, which any worker may answer."""
    return requests.post(
        f"{api.base}/v1/{operation}", data={"auth_token": token}, timeout=20
    )


@pytest.mark.parametrize(("operation", "needed"), OPERATIONS.items())
def test_every_other_grant_together_does_not_open(operation, needed, api):
    entry = api.insert(NUMBER)
    campaign = api.add_campaign("SPRING")
    client = api.with_grants(*set(Grant) - {needed})

    answer = client.send(operation, **DNC | {"id": entry, "campaign_id": campaign})

    assert answer.status_code == 403
    assert answer.json() == FORBIDDEN
    (listed,) = api.search()
    assert listed["campaign_id"] == "0"
    assert api.call("leads/search")["data"]["total"] == 0


@pytest.mark.parametrize(("operation", "needed"), OPERATIONS.items())
def test_the_one_grant_alone_opens(operation, needed, api):
    api.insert("5557654321", reason="DNC")
    entry = api.insert(NUMBER)
    campaign = api.add_campaign("SPRING")
    fields = {
        "dnc/insert": DNC | {"phone_number": "5550001111"},
        "dnc/update": {"id": entry, "reason": "DNCT"},
        "dnc/delete": DNC,
        "leads/insert": DNC | {"campaign_id": campaign},
    }

    body = api.with_grants(needed).call(operation, **fields.get(operation, {}))

    assert body["success"] is True


@pytest.mark.parametrize(
    "change", [{"phone_number": "5557654321"}, {"campaign_id": "SPRING"}]
)
def test_an_update_that_un_blocks_a_number_needs_the_delete_grant(change, api):
    entry = api.insert(NUMBER)
    api.add_campaign("SPRING")

    answer = api.with_grants(Grant.UPDATE, Grant.INSERT).send(
        "dnc/update", id=entry, **change
    )

    assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert len(api.search(phone_number=NUMBER, campaign_id=0)) == 1


def mistyped(token: str) -> str:
    return token[:10] + ("x" if token[10] != "x" else "y") + token[11:]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("spoil", [mistyped, lambda _: new_secret(), str.swapcase])
def test_a_token_that_was_never_issued_opens_nothing(spoil, operation, api):
    answer = anyone(api, spoil(api.token), operation)

    assert (answer.status_code, answer.json()) == (401, UNKNOWN)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_also_taken_as_a_bearer_token_and_only_as_that(api):
    def status(authorization: str) -> int:
        answer = requests.post(
            f"{api.base}/v1/dnc/search",
            headers={"Authorization": authorization},
            timeout=20,
        )
        return answer.status_code

    assert status(f"Bearer {api.token}") == 200
    assert status(f"bearer {api.token}") == 200
    for authorization in (api.token, f"Basic {api.token}", "Bearer", "Bearer  "):
        assert status(authorization) == 401


def test_a_token_of_another_organisation_finds_and_changes_nothing_here(make_api):
    ours, theirs = make_api(), make_api()
    entry = ours.insert(NUMBER)

    assert theirs.search(phone_number=NUMBER) == []
    assert theirs.search(id=entry) == []
    assert theirs.call("dnc/update", id=entry, reason="x")["code"] == 6056
    assert theirs.call("dnc/delete", **DNC)["code"] == 6001
    (listed,) = ours.search()
    assert (listed["id"], listed["reason"]) == (str(entry), "")


def test_a_token_ends_at_its_instant_on_every_worker(api):
    ends = datetime.now(UTC) + timedelta(seconds=1.5)
    token = api.services.access.issue(api.caller, "short", [Grant.READ], expires=ends)

    before: list[int] = []
    while datetime.now(UTC) < ends + timedelta(seconds=0.6):
        answer = anyone(api, token)
        if datetime.now(UTC) < ends:
            before.append(answer.status_code)
        time.sleep(0.01)
    assert set(before) == {200}

    answers = [anyone(api, token) for _ in range(40)]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json() == UNKNOWN


def test_an_ended_token_that_was_never_used_is_refused(api):
    past = datetime.now(UTC) - timedelta(days=1)

    token = api.services.access.issue(api.caller, "past", [Grant.READ], expires=past)

    assert anyone(api, token).json() == UNKNOWN


def test_a_revoked_token_stops_within_a_second_on_every_worker(api):
    token = api.services.access.issue(api.caller, "revoked", list(Grant))
    stopping = threading.Event()
    late: list[float] = []

    def use(revoked: list[float]) -> None:
        while not stopping.is_set():
            asked = time.monotonic()
            if anyone(api, token).ok and revoked and asked > revoked[0] + 1:
                late.append(asked)

    # Kept in use all the time, so that no worker's memory of it grows old.
    revoked: list[float] = []
    users = [threading.Thread(target=use, args=[revoked]) for _ in range(4)]
    for user in users:
        user.start()
    assert {anyone(api, token).status_code for _ in range(30)} == {200}

    assert api.services.access.revoke(api.caller, "revoked") == 1
    revoked.append(time.monotonic())

    time.sleep(1.3)
    stopping.set()
    for user in users:
        user.join(10)
    if late:
        raise TooLate(f"answered {len(late)} times after a second")
    assert {anyone(api, token).status_code for _ in range(40)} == {401}
    assert {anyone(api, api.token).status_code for _ in range(10)} == {200}


def test_revoking_one_organisation_s_token_leaves_the_namesake_of_another(make_api):
    ours, theirs = make_api(), make_api()

    assert ours.services.access.revoke(ours.caller, "everything") == 1

    require(lambda: anyone(ours, ours.token).status_code == 401, 1)
    assert theirs.search() == []


def test_the_list_of_tokens_shows_no_secret_and_no_hash(
    api, service_database, tmp_path
):
    environment = {"DATABASE_URL": service_database}
    api.search()
    ours = ["--organisation", api.caller.organisation.name]
    name = ["--name", "from the command"]
    add = ["token", "add", *ours, *name, "--grants", "check"]
    secret = command.done(add, tmp_path, environment)

    told = command.done(["token", "list", *ours], tmp_path, environment)
    as_json = command.done(["token", "list", *ours, "--json"], tmp_path, environment)

    assert len(json.loads(as_json)) == len(told.splitlines()) == 2
    hashes = fetch(service_database, "SELECT encode(hash, 'hex') AS found FROM token")
    for shown in (told, as_json):
        assert "from the command" in shown
        for kept in (secret, api.token, secret[5:], *hashes):
            assert kept not in shown
            assert kept[:12] not in shown.replace("dncd_", "")


def fetch(url: str, statement: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(statement.encode())]


def test_no_table_holds_a_secret_anywhere(api, service_database):
    narrow = api.with_grants(Grant.READ)
    api.insert(NUMBER, reason="DNC")
    narrow.search()
    api.call("dnc/delete", **DNC)
    api.services.access.revoke(api.caller, "narrow")
    tables = fetch(
        service_database,
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'public'",
    )
    assert {"token", "operation", "dnc_entry", "dnc_entry_past"} <= set(tables)

    with psycopg.connect(service_database) as connection:
        for table in tables:
            statement = sql.SQL("SELECT t::text FROM {} AS t").format(
                sql.Identifier(table)
            )
            text = "\n".join(row[0] for row in connection.execute(statement))
            for secret in (api.token, narrow.token):
                for form in (secret, secret[5:], secret.encode().hex()):
                    assert form not in text, table


def test_the_first_use_of_a_token_is_noted_and_a_refused_use_is_not(api):
    unused = api.with_grants(Grant.READ)
    started = datetime.now(UTC) - timedelta(seconds=5)

    assert api.search() == []

    tokens = api.services.access.list_tokens(api.caller)
    used = {token.name: token.last_used_at for token in tokens}
    assert used["everything"] is not None
    assert started < used["everything"] < datetime.now(UTC) + timedelta(seconds=5)
    assert used["narrow"] is None
    assert replace(unused, token=mistyped(unused.token)).send("dnc/search").ok is False
    tokens = api.services.access.list_tokens(api.caller)
    assert {token.name: token.last_used_at for token in tokens}["narrow"] is None
