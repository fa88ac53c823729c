"""A request that is sent again with its key is done once, in every dialect."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from app.domain.access import Grant
from app.domain.idempotency import hash_key
from app.services.organisations import EVERY_GRANT
from app.store import idempotent_requests
from tests.thinning import diagonal, thinned
from tests.waiting import require_soon
from tests.wire import stored
from tests.wire.conftest import MakeApi
from tests.wire.keyed import (
    CHANGING,
    KEY,
    LISTED,
    NEW,
    REPLAYED,
    REPRESENTATIVE,
    Asked,
    Client,
    new_key,
    prepare,
    require_refusal,
    require_same,
)
from tests.wire.service import Api
from tests.wire.test_races import at_once

every_change = pytest.mark.parametrize("asked", CHANGING, ids=lambda asked: asked.name)
each_kind_of_change = pytest.mark.parametrize(
    "asked", thinned(CHANGING, REPRESENTATIVE), ids=lambda asked: asked.name
)

DELETING = [
    asked
    for asked in CHANGING
    if any(word in asked.name.lower() for word in ("delete", "remove"))
]
ADDING = [
    asked
    for asked in CHANGING
    if asked.name
    in {
        "dncInsert",
        "importList",
        "addNumber",
        "internalDnc add",
        "nonAgentApiByQuery add_dnc_phone",
    }
]


@pytest.fixture
def client(api: Api) -> Client:
    return prepare(api)


@pytest.fixture
def count(api: Api, service_database: str) -> Callable[[], dict[str, int]]:
    """Count what the organisation has, behind the service's back."""
    return lambda: stored.count(service_database, api.caller.organisation.id)


@every_change
def test_a_request_sent_again_is_answered_alike_and_done_once(asked, client, count):
    key, before = new_key(), count()

    first = client.send(asked, key)

    assert first.status_code == 200
    assert "ERROR" not in first.text
    assert "false" not in first.text
    after = count()
    assert after["operations"] == before["operations"] + 1
    for _ in range(3):
        require_same(first, client.send(asked, key))
    assert count() == after


@each_kind_of_change
def test_without_a_key_a_request_is_answered_as_with_one(asked, make_api):
    with_key, without = (prepare(make_api()) for _ in range(2))

    answers = with_key.send(asked, new_key()), without.send(asked)

    told = {answer.status_code for answer in answers}
    assert told == {200}
    names = [set(answer.headers) for answer in answers]
    assert names[0] == names[1]
    assert len({answer.headers["Content-Type"] for answer in answers}) == 1
    assert REPLAYED not in answers[0].headers


@each_kind_of_change
def test_another_request_with_the_key_is_refused_and_changes_nothing(
    asked, client, count
):
    key = new_key()
    first = client.send(asked, key)
    after = count()

    require_refusal(client.send(asked.with_others(), key), 422)

    assert count() == after
    require_same(first, client.send(asked, key))


@each_kind_of_change
def test_a_refusal_is_replayed_too(asked, client, count):
    key, before = new_key(), count()
    wrong = asked.with_wrong()

    first = client.send(wrong, key)

    assert first.status_code in {200, 400}
    require_same(first, client.send(wrong, key))
    require_refusal(client.send(asked, key), 422) if wrong != asked else None
    assert count() == before


@contextmanager
def held(url: str, organisation_id: int, key: str):
    """Hold *key* as a request does that is being carried out."""
    lock = idempotent_requests.lock_of(organisation_id, hash_key(key))
    with psycopg.connect(url) as connection:
        connection.execute(idempotent_requests.CLAIM, {"lock": lock})
        yield


@each_kind_of_change
def test_while_a_request_is_carried_out_its_key_is_refused_at_once(
    asked, client, count, service_database
):
    key, before = new_key(), count()
    with held(service_database, client.api.caller.organisation.id, key):
        began = time.monotonic()
        answer = client.send(asked, key)
        took = time.monotonic() - began

    require_refusal(answer, 409)
    assert int(answer.headers["Retry-After"]) >= 1
    require_soon(took, 1)
    assert count() == before
    # Nothing was kept of it: now it is done.
    done = client.send(asked, key)
    assert done.status_code == 200
    assert REPLAYED not in done.headers


@each_kind_of_change
def test_nobody_is_shown_an_answer_without_a_good_token_and_its_grant(
    asked, client, count
):
    key = new_key()
    stranger = Client(client.api, client.user, "dncd_none", client.ids)
    weak = client.with_grants([Grant.CHECK, Grant.READ])
    first = client.send(asked, key)
    after = count()

    for other in (stranger, weak):
        answer = other.send(asked, key)
        assert answer.status_code in {200, 401, 403}
        assert REPLAYED not in answer.headers
        assert answer.content != first.content
    assert count() == after


@each_kind_of_change
def test_another_token_of_the_organisation_is_refused_the_key(asked, client, count):
    key, other = new_key(), client.with_grants(EVERY_GRANT)
    client.send(asked, key)
    after = count()

    require_refusal(other.send(asked, key), 422)

    assert count() == after


def test_the_key_of_another_organisation_is_another_key(make_api: MakeApi):
    key = new_key()
    asked = ADDING[0]
    for client in (prepare(make_api()), prepare(make_api())):
        answer = client.send(asked, key)
        assert answer.json()["success"] is True
        assert REPLAYED not in answer.headers


@pytest.mark.both_servers(second="soak")
@pytest.mark.parametrize(
    ("asked", "key"),
    diagonal(ADDING, ["a b", '"open', '"a" b', "x" * 256, '""', "\xe9", "", "a\tb"]),
    ids=str,
)
def test_what_is_no_key_is_refused_and_nothing_is_done(asked, key, client, count):
    before = count()

    require_refusal(client.send(asked, key.encode("latin-1")), 400)

    assert count() == before


@pytest.mark.parametrize(
    ("one", "other"),
    [("abc", '"abc"'), ('a"b', '"a\\"b"'), ("x" * 255, f'"{"x" * 255}"')],
)
def test_a_key_may_be_quoted(one, other, client):
    first = client.send(ADDING[0], one)

    require_same(first, client.send(ADDING[0], other))


@pytest.mark.parametrize("asked", DELETING, ids=lambda asked: asked.name)
def test_an_old_delete_sent_again_leaves_a_newer_opt_out_alone(asked, client):
    api, key = client.api, new_key()
    on = "FPG1" if "fpg" in asked.name else "0"
    deleted = client.send(asked, key)
    assert not api.search(phone_number=LISTED, campaign_id=on)
    newer = api.insert(LISTED, campaign_id=on)

    require_same(deleted, client.send(asked, key))

    (entry,) = api.search(phone_number=LISTED, campaign_id=on)
    assert entry["id"] == str(newer)


@pytest.mark.both_servers(second="soak")
@pytest.mark.parametrize("asked", ADDING, ids=lambda asked: asked.name)
def test_of_twenty_at_once_one_is_done_and_the_others_wait_or_hear_of_it(
    asked, client, count
):
    key, before = new_key(), count()

    answers = at_once([lambda: client.send(asked, key) for _ in range(20)])

    refusals = [each for each in answers if "being carried out" in each.text.lower()]
    done = [each for each in answers if each not in refusals]
    assert {each.status_code for each in done} == {200}
    first = [each for each in done if REPLAYED not in each.headers]
    assert len(first) == 1
    assert {each.content for each in done} == {first[0].content}
    for refused in refusals:
        require_refusal(refused, 409)
    assert count()["operations"] == before["operations"] + 1
    require_same(first[0], client.send(asked, key))


def test_many_keys_at_once_cross_and_each_is_done_once(client, count):
    """Ten keys for one number: nine find it there, and say so again."""
    before, keys = count(), [new_key() for _ in range(10)]

    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(client.send, ADDING[0], key) for key in keys * 2]
    bodies = [each.result() for each in asked]

    assert {each.status_code for each in bodies} <= {200, 409}
    assert count()["entries"] == before["entries"] + 1
    settled = [client.send(ADDING[0], key).json() for key in keys]
    assert sorted(each["success"] for each in settled) == [False] * 9 + [True]
    assert len({each["id"] for each in settled}) == 1


def test_fields_count_by_what_they_say_not_by_how_they_are_sent(client):
    key = new_key()
    fields = {**ADDING[0].fields, "auth_token": client.token}
    url = f"{client.api.base}/v1/dnc/insert"
    post, headers = client.api.session.post, {KEY: key}
    first = post(url, data=fields, headers=headers, timeout=20)

    turned = dict(reversed(fields.items()))
    require_same(first, post(url, json=turned, headers=headers, timeout=20))
    parts = {name: (None, value) for name, value in fields.items()}
    require_same(first, post(url, files=parts, headers=headers, timeout=20))
    bearer = {**headers, "Authorization": f"Bearer {fields.pop('auth_token')}"}
    require_same(first, post(url, data=fields, headers=bearer, timeout=20))


def test_json_counts_by_its_members_not_by_its_spaces(client):
    key = new_key()
    add = next(asked for asked in CHANGING if asked.name == "addNumber")
    first = client.send(add, key)
    for body in (
        f'{{"type":"asked","phoneNumber":"+1{NEW}"}}',
        f'  {{ "phoneNumber" : "+1{NEW}", "type": "asked" }}\n',
    ):
        require_same(first, client.send(add, key, data=body))
    for body in (
        f'{{"type":"asked","phoneNumber":"+1{NEW}","batchId":""}}',
        f'{{"type":"Asked","phoneNumber":"+1{NEW}"}}',
        "{",
    ):
        require_refusal(client.send(add, key, data=body), 422)


@pytest.mark.both_servers(second="soak")
def test_an_import_of_many_numbers_is_replayed_by_what_it_holds(
    client, count, http_server
):
    key = new_key()
    numbers = "".join(f"555{n:07}\n" for n in range(2_000_000, 2_050_000))
    asked = Asked(
        "importList", "/v1/dnc/import", {}, {}, {}, sent_as="file", body=numbers
    )

    first = client.send(asked, key)

    assert first.json()["data"]["inserted"] == 50_000
    after = count()
    require_same(first, client.send(asked, key))
    chunks = iter([numbers[:1000].encode(), numbers[1000:].encode()])
    if http_server != "granian":  # which takes no body in chunks
        require_same(first, client.send(asked, key, data=chunks))
    changed = asked.with_fields({"body": numbers[:-2] + "8\n"})
    require_refusal(client.send(changed, key), 422)
    assert count() == after


def test_what_cannot_be_read_to_its_end_leaves_the_key_free(client):
    key = new_key()
    insert = ADDING[0]
    headers = {KEY: key, "Content-Type": "application/json"}
    url = f"{client.api.base}/v1/dnc/insert?auth_token={client.token}"

    broken = client.api.session.post(url, data="{", headers=headers, timeout=20)

    assert broken.status_code == 400
    done = client.send(insert, key)
    assert done.json()["success"] is True
    assert REPLAYED not in done.headers


def test_a_search_takes_no_notice_of_a_key(client):
    fields = {"auth_token": client.token, "phone_number": NEW}
    url = f"{client.api.base}/v1/dnc/search"
    totals = []
    for _ in range(2):
        answer = client.api.session.post(
            url, data=fields, headers={KEY: "the same"}, timeout=20
        )
        assert REPLAYED not in answer.headers
        totals.append(answer.json()["data"]["total"])
        client.api.insert(NEW) if len(totals) == 1 else None

    assert totals == [0, 1]


def test_neither_key_nor_number_nor_token_of_a_request_is_kept(
    client, service_database
):
    key = f"opt-out-of-1{NEW}"
    client.send(ADDING[0], key)

    with psycopg.connect(service_database) as connection:
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, true)",
            [str(client.api.caller.organisation.id)],
        )
        ((kept,),) = connection.execute(
            "SELECT row_to_json(kept)::text FROM idempotent_request AS kept"
            " WHERE organisation_id = %s",
            [client.api.caller.organisation.id],
        ).fetchall()

    for secret in (NEW, key, key.encode().hex(), client.token):
        assert secret not in kept
