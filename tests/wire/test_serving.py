"""The running service: reloading, stopping, and what it tells about itself."""

import contextlib
import http.client
import itertools
import json
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import psycopg
import pytest
import requests

from tests.conftest import TestServer
from tests.waiting import require
from tests.wire import stored
from tests.wire.service import Api, Service, serving_alone

pytestmark = pytest.mark.both_servers(second="soak")

ROOT = Path(__file__).parents[2]
NUMBER = "5551234567"

# For two seconds from when it is told to stop a service waits for what a client may be
# about to send. A client that was silent for so long, a little less by its own clock,
# has not been cut off.
SILENT_SECONDS = 1.9


@pytest.fixture
def own(
    server: TestServer, template: str, tmp_path: Path, http_server: str
) -> Iterator[tuple[Service, Api, str]]:
    """A service that a test may stop, a client, and its database."""
    with (
        server.new_database(template) as url,
        serving_alone(url, tmp_path, http_server) as alone,
    ):
        yield alone.service, alone.api, url


def inserting(api: Api, numbers: Iterator[int]) -> tuple[str, str]:
    """Return a number that nobody has had, and the form that inserts it."""
    number = f"555{next(numbers):07}"
    fields = {"auth_token": api.token, "phone_number": number, "phone_code": 1}
    return number, urlencode(fields | {"campaign_id": 0})


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def post(connection: http.client.HTTPConnection, form: str) -> bool:
    """Return whether an insert was answered, in full, that it is done."""
    connection.request("POST", "/v1/dnc/insert", form, FORM)
    return is_done(connection.getresponse())


def is_done(answer: http.client.HTTPResponse) -> bool:
    """Return whether *answer*, all of which comes, tells of success."""
    body = json.loads(answer.read())
    return answer.status == 200 and body["success"] is True


def test_a_reload_costs_no_client_an_answer(own):
    service, api, url = own
    where = urlsplit(service.base).netloc
    numbers = itertools.count(1)
    stopping = threading.Event()
    acknowledged: list[str] = []

    def ask(*, keep_alive: bool) -> None:
        with closing(http.client.HTTPConnection(where, timeout=20)) as connection:
            heard = time.monotonic()
            while not stopping.is_set():
                number, form = inserting(api, numbers)
                sent = None
                try:
                    connection.request("POST", "/v1/dnc/insert", form, FORM)
                    sent = time.monotonic()
                    assert is_done(connection.getresponse())
                except ConnectionError:
                    # Who stood still for so long was silent, and may be hung up on.
                    silent = (sent or time.monotonic()) - heard
                    if not keep_alive or silent < SILENT_SECONDS:
                        raise
                    connection.close()
                    continue
                heard = time.monotonic()
                acknowledged.append(number)
                if not keep_alive:
                    connection.close()

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, keep_alive=n % 2 == 0) for n in range(8)]
        try:
            for _ in range(2):
                seen = len(acknowledged)
                service.process.send_signal(signal.SIGHUP)
                time.sleep(1.5)
                require(lambda seen=seen: len(acknowledged) > seen)
        finally:
            stopping.set()
        for one in asking:
            one.result()

    assert service.process.poll() is None
    kept = stored.numbers(url, api.caller.organisation.id)
    assert kept == sorted(f"1{number}" for number in acknowledged)


def refuses_connections(service: Service) -> bool:
    where = urlsplit(service.base)
    try:
        socket.create_connection((where.hostname, where.port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_stop_waits_for_the_answers_that_it_owes(own):
    service, api, url = own
    where = urlsplit(service.base).netloc
    numbers = itertools.count(1)
    early = [api.insert(f"556000000{n}") for n in range(5)]

    def ask() -> tuple[str, bool]:
        number, form = inserting(api, numbers)
        with closing(http.client.HTTPConnection(where, timeout=20)) as connection:
            return number, post(connection, form)

    def waiting() -> bool:
        found = watcher.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
        return found == (6,)

    with (
        psycopg.connect(url, autocommit=True) as owner,
        psycopg.connect(url, autocommit=True) as watcher,
        ThreadPoolExecutor(6) as pool,
    ):
        # Inserts wait for this lock, as for a slow disk.
        with owner.transaction():
            owner.execute("LOCK TABLE dnc_entry IN SHARE ROW EXCLUSIVE MODE")
            asked = [pool.submit(ask) for _ in range(6)]
            require(waiting)
            service.process.terminate()
            time.sleep(0.3)
            assert service.process.poll() is None
        answers = [one.result() for one in asked]
        assert all(done for _, done in answers)
        require(lambda: refuses_connections(service))

    assert service.process.wait(20) == 0
    kept = stored.numbers(url, api.caller.organisation.id)
    assert set(kept) >= {f"1{number}" for number, _ in answers}
    assert len(kept) == len(early) + len(answers)


def test_a_stop_under_load_loses_nothing_that_was_acknowledged(own):
    service, api, url = own
    numbers = itertools.count(1)
    acknowledged: list[str] = []
    where = urlsplit(service.base).netloc

    def ask() -> None:
        with (
            closing(http.client.HTTPConnection(where, timeout=20)) as connection,
            contextlib.suppress(ConnectionError),
        ):
            while True:
                number, form = inserting(api, numbers)
                assert post(connection, form)
                acknowledged.append(number)

    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask) for _ in range(6)]
        require(lambda: len(acknowledged) > 100)
        service.process.terminate()
        for one in asking:
            one.result()

    assert service.process.wait(20) == 0
    kept = stored.numbers(url, api.caller.organisation.id)
    assert set(kept) >= {f"1{number}" for number in acknowledged}


def test_whoever_comes_after_a_stop_is_refused_and_not_left_waiting(own):
    service, api, _ = own
    host, port = urlsplit(service.base).netloc.split(":")
    numbers = itertools.count(1)
    told: list[str] = []

    def ask() -> None:
        with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as asking:
            try:
                asking.connect()
            except ConnectionRefusedError:
                told.append("refused")
                return
            assert post(asking, inserting(api, numbers)[1])
            told.append("answered")

    with (
        closing(http.client.HTTPConnection(host, int(port), timeout=20)) as staying,
        closing(socket.create_connection((host, int(port)))) as silent,
    ):
        # Whoever may still ask on such a connection is waited for.
        assert post(staying, inserting(api, numbers)[1])
        ask()
        service.process.terminate()

        def is_refused() -> bool:
            ask()
            return told[-1] == "refused"

        require(is_refused)
        for _ in range(10):
            ask()
        assert service.process.wait(10) == 0
        assert silent.recv(1) == b""

    assert told[0] == "answered"
    assert told[-11:] == ["refused"] * 11


@pytest.mark.parametrize("offered", ["abc-123", "A.b_c", "x" * 64])
def test_a_request_id_comes_back_and_is_kept_with_the_operation(
    offered, api, service_database
):
    api.session.headers["X-Request-ID"] = offered

    fields = {"phone_number": NUMBER, "phone_code": 1, "campaign_id": 0}
    answer = api.send("dnc/insert", **fields)

    assert answer.headers["X-Request-ID"] == offered
    assert kept_request_id(service_database, api) == offered


@pytest.mark.parametrize("offered", [None, "", "x" * 65, "a b", "<script>", "é", "a;b"])
def test_a_request_without_a_usable_id_is_given_one(offered, api, service_database):
    if offered is not None:
        api.session.headers["X-Request-ID"] = offered.encode()

    fields = {"phone_number": NUMBER, "phone_code": 1, "campaign_id": 0}
    answers = [api.send("dnc/insert", **fields) for _ in range(2)]

    given = [answer.headers["X-Request-ID"] for answer in answers]
    assert offered not in given
    assert given[0] != given[1]
    assert kept_request_id(service_database, api) == given[0]


def kept_request_id(url: str, api: Api) -> str:
    """Return the request id of the organisation's one insert."""
    with psycopg.connect(url) as connection:
        ((found,),) = connection.execute(
            "SELECT request_id FROM operation"
            " WHERE organisation_id = %s AND kind = 'entry:suppressed'",
            [api.caller.organisation.id],
        ).fetchall()
    return str(found)


def test_a_service_in_order_says_so(service):
    health = requests.get(f"{service.base}/healthz", timeout=5)
    readiness = requests.get(f"{service.base}/readyz", timeout=5)

    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (readiness.status_code, readiness.json()) == (200, {"status": "ready"})


def counted(service: Service) -> Counter[str]:
    text = requests.get(f"{service.base}/metrics", timeout=5).text
    lines = re.findall(
        r'^dncd_requests_total\{.*operation="(\w+)".*status="(\d+)".*\} (\S+)$',
        text,
        re.MULTILINE,
    )
    found: Counter[str] = Counter()
    for operation, status, number in lines:
        found[f"{operation} {status}"] += int(float(number))
    return found


def test_requests_are_counted_whichever_worker_answered(service, api):
    before = counted(service)

    for _ in range(25):
        assert replace(api, session=requests.Session()).search() == []
    with ThreadPoolExecutor(10) as pool:
        bad = replace(api, token="nobody's")
        refused = [pool.submit(bad.send, "dnc/delete") for _ in range(10)]
    assert {one.result().status_code for one in refused} == {401}

    # One worker's view of all of them, and every worker's view alike.
    for _ in range(10):
        grown = counted(service) - before
        assert (grown["dnc_search 200"], grown["dnc_delete 401"]) == (25, 10)


def test_the_api_browser_needs_nothing_from_outside(service):
    page = requests.get(f"{service.base}/docs", timeout=5)

    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "://" not in policy
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text, flags=re.DOTALL)
    links = re.findall(r"""(?:src|href)=["']?([^"' >]+)""", page.text)
    assets = [link for link in links if not link.startswith(("#", "data:"))]
    assert assets
    for link in assets:
        asset = requests.get(urljoin(f"{service.base}/docs", link), timeout=5)
        assert asset.status_code == 200, link
        if "css" in asset.headers["Content-Type"]:
            assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", asset.text)


def test_the_published_document_is_the_repository_s(service):
    answer = requests.get(f"{service.base}/openapi.yaml", timeout=5)

    assert answer.status_code == 200
    assert "openapi: 3.0.3" in answer.text
    kept = ROOT / "openapi.yaml"
    if kept.exists():
        assert answer.text == kept.read_text()
