"""A list of leads of any size, streamed in and out."""

import csv
import gzip
import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from app.domain.access import Grant
from tests.conftest import TestServer
from tests.waiting import require_soon
from tests.wire.service import Api, serving_by_proxy
from tests.wire.tcp_proxy import Mode

HEADER = b"name,phone,city\n"
ADDED = ",dnc_status,dnc_rule,dnc_entry_id,dnc_since"


def scrub(api: Api, body: object, **query: object) -> requests.Response:
    return requests.post(
        f"{api.base}/v1/dnc/scrub",
        params=query,
        data=body,
        headers={"Authorization": f"Bearer {api.token}", "Content-Type": "text/csv"},
        timeout=60,
    )


def rows(answer: requests.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def leads(count: int, first: int = 5550000000) -> Iterator[bytes]:
    yield HEADER
    for start in range(first, first + count, 500):
        end = min(start + 500, first + count)
        yield b"".join(b"Ada,%d,London\n" % number for number in range(start, end))


def test_every_row_is_told_apart_and_every_column_kept(api: Api):
    entry_id = api.insert("5551234567")
    text = 'name,Phone Number,note\nAda,(555) 123-4567,"a, b"\nBen,5551234568,\nC,x,\n'

    answer = scrub(api, text)

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    found = rows(answer)
    assert list(found[0]) == ["name", "Phone Number", "note", *ADDED[1:].split(",")]
    assert [row["dnc_status"] for row in found] == ["listed", "callable", "invalid"]
    assert found[0]["note"] == "a, b"
    assert found[0]["dnc_rule"] == "organisation"
    assert found[0]["dnc_entry_id"] == str(entry_id)
    assert found[0]["dnc_since"].endswith("+00:00")


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("all", ["Ada", "Ben", "Cy"]),
        ("callable", ["Ben"]),
        ("listed", ["Ada"]),
        ("invalid", ["Cy"]),
    ],
)
def test_only_the_rows_that_are_wanted(api: Api, only: str, names: list[str]):
    api.insert("5551234567")

    answer = scrub(api, "name,phone\nAda,5551234567\nBen,5551234568\nCy,1\n", only=only)

    assert [row["name"] for row in rows(answer)] == names


def test_a_campaign_and_the_columns_can_be_named(api: Api):
    spring = api.add_campaign("SPRING", "TELEMKT")
    api.insert("2079460958", -1, purpose="TELEMKT", phone_code="44")
    text = "phone,work,cc\n5551234567,020 7946 0958,44\n5551234567,5551234567,1\n"

    answer = scrub(
        api, text, phone_column="Work", phone_code_column="cc", campaign_id=spring
    )

    assert [row["dnc_rule"] for row in rows(answer)] == ["purpose", ""]
    assert [row["dnc_status"] for row in rows(answer)] == ["listed", "callable"]


@pytest.mark.parametrize(
    ("body", "query", "code", "words"),
    [
        ("name,x\nAda,1\n", {}, 6062, "no column"),
        ("", {}, 6062, "no column"),
        (b"phone\n\xff\n", {}, 6063, "line 2"),
        ("phone\n5551234567\n".encode("utf-16-le"), {}, 6063, "UTF-16"),
        (gzip.compress(b"phone\n5551234567\n", mtime=0), {}, 6067, "compressed"),
        ("phone\n" + "5" * 70_000, {}, 6064, "line 2"),
        ("phone\n1,2\n", {}, 6066, "line 2"),
        ('phone\n"1', {}, 6066, "line 2"),
        ("phone\n", {"only": "some"}, 6008, "only"),
        ("phone\n", {"campain_id": "0"}, 6008, "'campain_id'"),
        ("phone\n", {"campaign_id": "NOSUCH"}, 6026, "campaign"),
        ("phone\n", {"campaign_id": "-1"}, 6026, "campaign"),
        ("phone\n", {"phone_code": "999"}, 6006, "phone code"),
    ],
)
def test_what_cannot_be_scrubbed_is_refused_by_name(api: Api, body, query, code, words):
    answer = scrub(api, body, **query)

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["success"] is False
    assert answer.json()["code"] == code
    assert words in answer.json()["text"]


def test_it_needs_a_bearer_token_with_the_grant_and_csv(api: Api):
    assert scrub(api.with_grants(Grant.READ), "phone\n").status_code == 403
    assert scrub(api.with_grants(Grant.CHECK), "phone\n").status_code == 200
    url = f"{api.base}/v1/dnc/scrub"
    bearer = {"Authorization": f"Bearer {api.token}"}
    assert (
        requests.post(url, data={"a": 1}, headers=bearer, timeout=9).status_code == 415
    )
    nobody = requests.post(url, data="phone\n", timeout=9)
    assert (nobody.status_code, nobody.json()["code"]) == (401, 5001)


def test_a_switched_off_check_is_told_in_a_header_and_listed_rows_stay_listed(api: Api):
    api.insert("5551234567")
    api.services.organisations.switch_checking(api.caller, enabled=False)

    answer = scrub(api, "phone\n5551234567\n")

    assert answer.headers["X-DNC-Checking"] == "off"
    assert [row["dnc_status"] for row in rows(answer)] == ["listed"]


@pytest.mark.parametrize("chunked", ["told", "chunked"])
def test_a_client_that_sends_all_before_it_reads_gets_everything(
    api: Api, chunked: str, http_server: str
):
    """What neither side takes at once would stand still without a place to wait."""
    api.insert("5550123456")
    body: object = leads(300_000)
    if chunked == "told":
        body = b"".join(leads(300_000))

    answer = scrub(api, body)

    if (chunked, http_server) == ("chunked", "granian"):
        assert answer.status_code == 411
        return
    lines = answer.content.splitlines()
    assert len(lines) == 300_001
    assert lines[0] == (HEADER.strip().decode() + ADDED).encode()
    assert lines[-1] == b"Ada,5550299999,London,callable,,,"
    assert next(line for line in lines if b"listed" in line).startswith(
        b"Ada,5550123456"
    )


def connect(api: Api) -> socket.socket:
    where = urlsplit(api.base)
    connection = socket.create_connection((where.hostname, where.port), 20)
    connection.sendall(
        b"POST /v1/dnc/scrub HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
        b"Transfer-Encoding: chunked\r\nAuthorization: Bearer "
        + api.token.encode()
        + b"\r\n\r\n"
    )
    return connection


def send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))


def require_length(connection: socket.socket) -> None:
    """See a body in chunks refused, as granian cannot tell a whole one from a part."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert answer.status == 411


def test_rows_come_back_while_the_list_is_still_being_sent(api: Api, http_server: str):
    with connect(api) as connection:
        if http_server == "granian":
            require_length(connection)
            return
        send(connection, b"".join(leads(5000)))
        answer = http.client.HTTPResponse(connection)
        answer.begin()

        early = answer.read(2000)

        assert early.startswith((HEADER.strip().decode() + ADDED).encode())
        assert b"Ada,5550000000,London,callable,,," in early
        send(connection, b"Eve,5551111111,Rome\n")
        connection.sendall(b"0\r\n\r\n")
        assert answer.read().endswith(b"Eve,5551111111,Rome,callable,,,\n")


def test_a_list_that_breaks_off_gets_no_answer_that_looks_whole(
    api: Api, http_server: str
):
    with connect(api) as connection:
        if http_server == "granian":
            require_length(connection)
            return
        send(connection, b"".join(leads(5000)))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read(100)
        connection.sendall(b"1000\r\nhalf a chunk")
        connection.shutdown(socket.SHUT_WR)

        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()


def test_memory_does_not_grow_with_the_list(api: Api, service, http_server: str):
    body: object = leads(400_000)
    if http_server == "granian":
        body = b"".join(leads(400_000))
    workers = psutil.Process(service.process.pid).children()
    workers = [worker for worker in workers if "postgres" not in worker.name()]
    highest = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.02):
            highest = max(highest, *(worker.memory_info().rss for worker in workers))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with requests.post(
            f"{api.base}/v1/dnc/scrub",
            data=body,
            headers={
                "Authorization": f"Bearer {api.token}",
                "Content-Type": "text/csv",
            },
            stream=True,
            timeout=60,
        ) as answer:
            size = sum(map(len, answer.iter_content(65536)))
    finally:
        done.set()
        watcher.join()

    assert size > 10_000_000
    assert highest < 200 * 1024 * 1024


def test_a_database_that_goes_away_in_the_middle_leaves_no_whole_answer(
    server: TestServer, template: str, tmp_path: Path
):
    with serving_by_proxy(server, template, tmp_path, "gunicorn") as reached:
        with connect(reached.api) as connection:
            send(connection, b"".join(leads(5000)))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            answer.read(100)
            reached.proxy.mode = Mode.BLACKHOLE
            began = time.monotonic()
            send(connection, b"".join(leads(40_000))[len(HEADER) :])
            send(connection, b"".join(leads(40_000))[len(HEADER) :])

            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                answer.read()

            require_soon(time.monotonic() - began, 10)
        refused = scrub(reached.api, "phone\n5551234567\n")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        reached.proxy.mode = Mode.PASS
    assert "answer_broken_off" in reached.service.log.read_text()
