"""An answer that was lost: the same request with its key ends it rightly."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import psycopg
import pytest
import requests

from tests.thinning import thinned
from tests.waiting import require, require_soon
from tests.wire import stored
from tests.wire.keyed import (
    CHANGING,
    LISTED,
    REPLAYED,
    Asked,
    Client,
    new_key,
    prepare,
    require_same,
)
from tests.wire.service import Reached
from tests.wire.tcp_proxy import Mode

# The end of the work, after which its answer is kept, and of the transaction.
DONE = b"RELEASE\0"
COMMITTED = (DONE, b"COMMIT\0")

INSERT = next(asked for asked in CHANGING if asked.operation == "dncInsert")
DELETE = next(asked for asked in CHANGING if asked.operation == "dncDelete")
ONE_OF_EACH = [
    asked
    for asked in CHANGING
    if asked.name
    in {
        "dncInsert",
        "dncUpdate",
        "dncDelete",
        "leadsInsert",
        "importList",
        "addNumber",
        "deleteRecord",
        "enableDisable",
        "internalDnc add",
        "internalDnc remove",
        "nonAgentApiByQuery add_dnc_phone",
        "nonAgentApiByQuery delete_dnc_phone",
    }
]

# One of each way to read a request; the proxy cuts below all of them.
ONE_OF_EACH_DIALECT = {
    "dncInsert",
    "importList",
    "deleteRecord",
    "internalDnc add",
    "nonAgentApiByQuery add_dnc_phone",
}
one_of_each_dialect = pytest.mark.parametrize(
    "asked",
    thinned(
        ONE_OF_EACH,
        [one for one in ONE_OF_EACH if one.name in ONE_OF_EACH_DIALECT],
    ),
    ids=lambda asked: asked.name,
)


@pytest.fixture(scope="module")
def prepared(reached: Reached) -> Client:
    return prepare(reached.api)


@pytest.fixture
def client(prepared: Client, reached: Reached) -> Iterator[Client]:
    """A client of an organisation with one entry; the way is whole afterwards."""
    for number in (LISTED, "5551234568"):
        reached.api.call(
            "dnc/delete", phone_number=number, phone_code="1", campaign_id="0"
        )
    entry = reached.api.insert(LISTED)
    require(lambda: all(ready(reached) for _ in range(10)))
    yield replace(prepared, ids={"id": entry})
    reached.proxy.lost, reached.proxy.after_loss = (), Mode.REFUSE
    reached.proxy.mode = Mode.PASS
    require(lambda: all(ready(reached) for _ in range(10)))


def ready(reached: Reached) -> bool:
    try:
        return reached.fresh().send("dnc/search", phone_number=LISTED).ok
    except requests.ConnectionError:
        return False


def count(reached: Reached) -> dict[str, int]:
    return stored.count(reached.url, reached.api.caller.organisation.id)


def send_until_settled(client: Client, asked: Asked, key: str) -> requests.Response:
    """Send a request again as a client does that was not answered."""
    # Before PostgreSQL itself ends whoever holds the key and says nothing.
    deadline = time.monotonic() + 25
    while True:
        answer: requests.Response = client.send(asked, key)
        if answer.status_code not in {409, 503} and "CARRIED OUT" not in answer.text:
            return answer
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)


@one_of_each_dialect
def test_a_commit_whose_answer_was_lost_is_settled_by_asking_again(
    asked, client, reached
):
    key, before = new_key(), count(reached)
    reached.proxy.lost = COMMITTED

    cut = client.send(asked, key)

    assert cut.status_code == 503
    assert int(cut.headers["Retry-After"]) >= 1
    reached.proxy.mode = Mode.PASS
    after = count(reached)
    assert after["operations"] == before["operations"] + 1

    settled = send_until_settled(client, asked, key)

    assert settled.status_code == 200
    assert settled.headers[REPLAYED] == "true"
    assert "ERROR" not in settled.text
    assert "false" not in settled.text
    assert count(reached) == after


@pytest.mark.parametrize("asked", [INSERT, DELETE], ids=lambda asked: asked.name)
def test_a_worker_killed_between_commit_and_answer_leaves_the_answer_behind(
    asked, client, reached
):
    key, before = new_key(), count(reached)
    reached.proxy.lost, reached.proxy.after_loss = COMMITTED, Mode.BLACKHOLE
    workers = psutil.Process(reached.service.process.pid).children()

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client.send, asked, key)
        require(lambda: reached.proxy.mode is Mode.BLACKHOLE)
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(requests.ConnectionError):
            sent.result()
    reached.proxy.mode = Mode.PASS
    require(lambda: ready(reached))
    after = count(reached)
    assert after["operations"] == before["operations"] + 1

    settled = send_until_settled(client, asked, key)

    assert settled.json()["success"] is True
    assert settled.headers[REPLAYED] == "true"
    assert count(reached) == after


@one_of_each_dialect
def test_what_was_cut_off_before_the_commit_is_done_when_asked_again(
    asked, client, reached
):
    key, before = new_key(), count(reached)
    reached.proxy.lost = (DONE,)

    cut = client.send(asked, key)

    assert cut.status_code == 503
    reached.proxy.mode = Mode.PASS
    require(lambda: count(reached) == before)

    settled = send_until_settled(client, asked, key)

    assert settled.status_code == 200
    assert REPLAYED not in settled.headers
    assert "ERROR" not in settled.text
    assert "false" not in settled.text
    assert count(reached)["operations"] == before["operations"] + 1


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE], ids=lambda m: m.value)
def test_no_503_is_kept(mode, client, reached):
    key = new_key()
    reached.proxy.mode = mode
    assert client.send(INSERT, key).status_code == 503

    reached.proxy.mode = Mode.PASS
    done = send_until_settled(client, INSERT, key)

    assert done.json()["success"] is True
    assert REPLAYED not in done.headers
    require_same(done, send_until_settled(client, INSERT, key))


def test_who_waits_for_a_row_holds_the_key_meanwhile(client, reached):
    """Another transaction adds the number and takes its time."""
    key = new_key()
    with psycopg.connect(reached.url) as other:
        other.execute(
            "SELECT set_config('dncd.organisation', %s, true)",
            [str(reached.api.caller.organisation.id)],
        )
        other.execute(
            "INSERT INTO dnc_entry (organisation_id, e164, calling_code, campaign_id,"
            " operation_id) VALUES (%s, 15551234568, 1, 0, 1)",
            [reached.api.caller.organisation.id],
        )
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.send, INSERT, key)
            time.sleep(0.5)
            began = time.monotonic()
            assert client.send(INSERT, key).status_code == 409
            require_soon(time.monotonic() - began, 0.5)
            other.rollback()
            first = waiting.result()

    assert first.json()["success"] is True
    require_same(first, client.send(INSERT, key))


def test_what_is_older_than_thirty_days_is_forgotten(reached, client):
    key = new_key()
    forgotten = client.send(INSERT, key)
    with psycopg.connect(reached.url) as owner:
        owner.execute(
            "SELECT set_config('dncd.organisation', %s, true)",
            [str(reached.api.caller.organisation.id)],
        )
        owner.execute(
            "UPDATE idempotent_request SET at = at - interval '30 days 1 second'"
        )

    again = client.send(INSERT, key)

    assert forgotten.json()["success"] is True
    assert REPLAYED not in again.headers
    assert again.json()["code"] == 6007
    require_same(again, client.send(INSERT, key))
