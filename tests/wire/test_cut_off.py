"""A database that cannot be reached, or not trusted: 503, and never a false answer."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests
from psycopg import sql

from tests.waiting import require, require_soon
from tests.wire import stored
from tests.wire.service import CUT_OFF_SECONDS, Api, Reached
from tests.wire.tcp_proxy import Mode

NUMBER = "5551234567"
OTHER = "5557654321"
OFF = "synchronous_commit is off"

# Five seconds where two are promised, as the service is shipped.
RECOVERY_SECONDS = 2.5 * CUT_OFF_SECONDS

DNC = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}
UNANSWERED: dict[str, tuple[Any, int]] = {
    "dnc/insert": (DNC | {"phone_number": OTHER}, 6056),
    "dnc/update": ({"id": 1, "reason": "x", "phone_number": OTHER}, 6059),
    "dnc/delete": (DNC, 6004),
    "dnc/search": ({"phone_number": NUMBER}, 503),
    "dnc/check": ({"phone_number": NUMBER, "phone_code": "1"}, 503),
    "dnc/check/batch": ({"numbers": [NUMBER], "phone_code": "1"}, 503),
    "dnc/scrub": (f"phone\n{NUMBER}\n", 503),
    "dnc/import": (OTHER, 503),
    "dnc/export": (None, 503),
    "leads/insert": (DNC, 6056),
    "leads/search": ({}, 503),
    "status/search": ({}, 503),
    "campaigns/search": ({}, 503),
}


@pytest.fixture
def reached(reached: Reached) -> Iterator[Reached]:
    """The same with one entry, and whole again afterwards."""
    reached.api.call("dnc/delete", **DNC)
    reached.api.call("dnc/delete", **DNC | {"phone_number": OTHER})
    reached.api.insert(NUMBER)
    # Every worker has connections to lose, and a token that it remembers.
    require(lambda: {len(reached.fresh().search()) for _ in range(20)} == {1})
    yield reached
    reached.proxy.mode = Mode.PASS
    require(lambda: recovered(reached))


def recovered(reached: Reached) -> bool:
    """Whether whoever asks, on whichever worker, gets the whole answer."""
    with ThreadPoolExecutor(10) as pool:
        answers = [
            pool.submit(reached.fresh().send, "dnc/search", phone_number=NUMBER)
            for _ in range(20)
        ]
    return all(answer.result().status_code == 200 for answer in answers)


def send(api: Api, operation: str, what: Any) -> requests.Response:
    """Send a form, a batch or a file; or ask for one."""
    url = f"{api.base}/v1/{operation}"
    bearer = {"Authorization": f"Bearer {api.token}"}
    if what is None:
        return requests.get(url, headers=bearer, timeout=20)
    if "numbers" in what:
        return requests.post(url, json=what, headers=bearer, timeout=20)
    if isinstance(what, str):
        headers = bearer | {"Content-Type": "text/csv"}
        return requests.post(url, data=what, headers=headers, timeout=20)
    return api.send(operation, **what)


def require_unavailable(reached: Reached, operation: str) -> None:
    fields, code = UNANSWERED[operation]
    asked = time.monotonic()
    answer = send(reached.fresh(), operation, fields)
    took = time.monotonic() - asked

    assert answer.status_code == 503, (operation, answer.text)
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert (body["success"], body["code"]) == (False, code), operation
    assert body["text"] == body["message"] != ""
    require_soon(took, CUT_OFF_SECONDS, operation)


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE], ids=lambda m: m.value)
def test_every_operation_says_503_at_once_and_recovers_by_itself_after(mode, reached):
    reached.proxy.mode = mode

    for _ in range(2):
        with ThreadPoolExecutor(len(UNANSWERED)) as pool:
            asked = [
                pool.submit(require_unavailable, reached, operation)
                for operation in UNANSWERED
            ]
        for one in asked:
            one.result()
    answer = requests.get(f"{reached.api.base}/readyz", timeout=5)
    assert answer.status_code == 503
    assert answer.json()["faults"]
    assert answer.headers["Retry-After"]
    assert requests.get(f"{reached.api.base}/healthz", timeout=5).ok

    reached.proxy.mode = Mode.PASS
    require(lambda: recovered(reached), RECOVERY_SECONDS)
    numbers = stored.numbers(reached.url, reached.api.caller.organisation.id)
    assert f"1{NUMBER}" in numbers
    assert len(reached.api.search(phone_number=NUMBER)) == 1
    assert requests.get(f"{reached.api.base}/readyz", timeout=5).ok


def test_no_client_among_many_is_told_that_a_listed_number_is_clear(reached):
    """From before the cut until after it, twice over."""
    told: list[tuple[int, int]] = []
    stop = time.monotonic() + 4.5

    def ask() -> None:
        client = reached.fresh()
        while time.monotonic() < stop:
            answer = client.send("dnc/search", phone_number=NUMBER)
            total = answer.json()["data"]["total"] if answer.ok else 1
            told.append((answer.status_code, total))

    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask) for _ in range(6)]
        for mode in (Mode.REFUSE, Mode.PASS, Mode.BLACKHOLE, Mode.PASS):
            reached.proxy.mode = mode
            time.sleep(1)
        for one in asking:
            one.result()

    assert {status for status, _ in told} == {200, 503}
    assert {total for _, total in told} == {1}


def set_for_database(url: str, setting: str) -> None:
    """Change a setting for new connections to a database, and end the old ones."""
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(
            sql.SQL("ALTER DATABASE {} " + setting).format(sql.Identifier(name))
        )
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )
    # The proxy has to hear of it, and to tell it.
    time.sleep(0.2)


def test_a_database_that_forgets_what_it_acknowledged_is_not_ready(reached):
    def readiness() -> requests.Response:
        return requests.get(f"{reached.api.base}/readyz", timeout=5)

    set_for_database(reached.url, "SET synchronous_commit = off")
    try:
        require(lambda: readiness().json().get("faults") == [OFF])
        assert readiness().status_code == 503
        assert readiness().headers["Retry-After"]
    finally:
        set_for_database(reached.url, "RESET synchronous_commit")

    require(lambda: all(readiness().ok for _ in range(20)))


def test_a_restart_of_every_connection_is_noticed_by_no_client(reached):
    for _ in range(3):
        set_for_database(reached.url, "RESET synchronous_commit")
        answers = [
            reached.fresh().send("dnc/search", phone_number=NUMBER) for _ in range(20)
        ]
        assert {answer.status_code for answer in answers} == {200}
