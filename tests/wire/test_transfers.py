"""Whole lists over HTTP: what is exported can be imported elsewhere as it is."""

import gzip
import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from app.domain.access import Grant
from tests.conftest import ANSWER_SECONDS, TestServer
from tests.wire import stored, workspace
from tests.wire.service import Api, serving_by_proxy
from tests.wire.tcp_proxy import Mode

# A hundred megabytes in as many kilobytes.
BOMB = gzip.compress(b"phone,note\n" + (b"5551234567," + b"x" * 60_000 + b"\n") * 1_800)
HEADER = "phone_number,phone_code,campaign_id,campaign_uid,purpose,reason,inserted_at,"
HEADER += "evidence"


def post(
    api: Api, body: object, kind: str = "text/csv", **query: object
) -> requests.Response:
    return requests.post(
        f"{api.base}/v1/dnc/import",
        params=query,
        data=body,
        headers={"Authorization": f"Bearer {api.token}", "Content-Type": kind},
        timeout=60,
    )


def imported(api: Api, body: object, **query: object) -> dict[str, object]:
    answer = post(api, body, **query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True
    data: dict[str, object] = answer.json()["data"]
    return data


def export(api: Api, **query: object) -> requests.Response:
    return requests.get(
        f"{api.base}/v1/dnc/export",
        params=query,
        headers={"Authorization": f"Bearer {api.token}"},
        timeout=60,
    )


def sorted_rows(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    header, *rows = answer.content.decode().splitlines()
    assert header == HEADER
    return sorted(rows)


@pytest.mark.both_servers
def test_what_is_exported_is_the_same_list_elsewhere(make_api):
    here, there = make_api(), make_api()
    for api in (here, there):
        api.add_campaign("SPRING", "TELEMKT")
    here.insert("5551234567", reason='quoted, "so"')
    here.insert("5551234567", "SPRING")
    here.insert("5557654321", -1, purpose="TELEMKT", reason="ConsentRevoked")
    here.insert("0612345678", phone_code="39")
    evidence = {"batchId": "B7", "requestUUID": 'said \\ "so"'}
    workspace.add(here, "+15550000001", type="complaint", **evidence)

    exported = export(here)
    data = imported(there, exported.content)

    assert exported.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert (data["outcome"], data["read"], data["inserted"]) == ("stored", 5, 5)
    # The id of a campaign is each organisation's own, its code is not.
    theirs = [row.split(",")[:2] + row.split(",")[3:] for row in sorted_rows(exported)]
    ours = [
        row.split(",")[:2] + row.split(",")[3:] for row in sorted_rows(export(there))
    ]
    assert ours == theirs
    assert there.call("dnc/search", phone_code="39")["data"]["total"] == 1
    (record,) = workspace.records(there, search="+15550000001")
    assert evidence.items() <= record.items()
    again = imported(there, exported.content)
    assert (again["outcome"], again["already_listed"]) == ("unchanged", 5)


@pytest.mark.both_servers
def test_what_was_imported_blocks_the_next_check(api: Api):
    numbers = [str(5550000000 + n) for n in range(3)]

    imported(api, "\n".join(numbers), reason="Registry", phone_code="1")

    for number in numbers:
        checked = api.call("dnc/check", phone_number=number, phone_code="1")
        (match,) = checked["data"]["matches"]
        assert (match["rule"], match["reason"]) == ("organisation", "Registry")


def test_history_tells_who_imported_what_from_where(api: Api, service_database):
    data = imported(api, "5551234567\n5551234568\n", file_name="march.csv")

    with psycopg.connect(service_database) as connection:
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, true)",
            [str(api.caller.organisation.id)],
        )
        row = connection.execute(
            "SELECT actor, host(address), why, kind, touched FROM operation"
            " WHERE id = %s",
            [data["operation_id"]],
        ).fetchone()
    assert row is not None
    actor, source, why, kind, touched = row
    assert actor == "everything"
    assert source == "127.0.0.1"
    assert (why, kind, touched) == ("march.csv", "entries:imported", 2)


def test_a_row_that_cannot_be_taken_stops_all_unless_asked(api: Api, service_database):
    body = "5551234567\n727XXXXXXX\n5551234568\n"

    refused = post(api, body)

    assert (refused.status_code, refused.json()["code"]) == (400, 6068)
    assert refused.json()["success"] is False
    data = refused.json()["data"]
    assert (data["outcome"], data["inserted"], data["rejected"]) == ("refused", 0, 1)
    assert data["rejects"][0]["line"] == 2
    assert "area code" in data["rejects"][0]["cause"]
    assert stored.numbers(service_database, api.caller.organisation.id) == []

    tried = imported(api, body, skip_invalid="true", dry_run="1")
    assert (tried["outcome"], tried["inserted"]) == ("dry run", 2)
    assert stored.numbers(service_database, api.caller.organisation.id) == []
    done = imported(api, body, skip_invalid="true")
    assert (done["inserted"], done["rejected"]) == (2, 1)
    listed = stored.numbers(service_database, api.caller.organisation.id)
    assert listed == ["15551234567", "15551234568"]


def test_a_compressed_list_is_read_as_what_it_holds(api: Api):
    packed = gzip.compress(b"555,1234567\n")

    assert imported(api, packed, kind="application/gzip")["inserted"] == 1


@pytest.mark.parametrize(
    ("body", "query", "code", "words"),
    [
        (b"", {}, 6066, "empty"),
        (b"name,city\n5551234567,Rome\n", {}, 6062, "names no column"),
        (b"\xff\xfe5\x005\x00", {}, 6063, "UTF-16"),
        (b"phone\n" + b"5" * 70_000, {}, 6064, "longer than 64 KiB"),
        (BOMB, {}, 6065, "unpacks to more"),
        (gzip.compress(b"5551234567\n")[:-9], {}, 6067, "damaged"),
        (b"5551234567\n", {"campaign_id": "NOSUCH"}, 6026, ""),
        (b"5551234567\n", {"campaign_id": "-1"}, 6058, ""),
        (b"5551234567\n", {"purpose": "x" * 65}, 6058, ""),
        (b"5551234567\n", {"reason": "x" * 256}, 6057, ""),
        (b"5551234567\n", {"phone_code": "999"}, 6006, ""),
        (b"5551234567\n", {"dry_run": "maybe"}, 6008, "dry_run"),
        (b"5551234567\n", {"file_name": "a\nb"}, 6008, "file_name"),
        (b"5551234567\n", {"campain_id": "0"}, 6008, "'campain_id'"),
    ],
    ids=lambda value: value if isinstance(value, int) else "",
)
def test_what_cannot_be_imported_is_refused_by_name(api: Api, body, query, code, words):
    answer = post(api, body, **query)

    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert answer.json()["success"] is False
    assert words in answer.json()["text"]
    assert sorted_rows(export(api)) == []


def test_one_list_alone_can_be_exported_and_an_unknown_one_not(api: Api):
    api.add_campaign("SPRING")
    api.insert("5551234567")
    api.insert("5557654321", "SPRING")

    (row,) = sorted_rows(export(api, campaign_id="SPRING"))

    assert row.startswith("5557654321,1,")
    unknown = export(api, campaign_id="NOSUCH")
    assert (unknown.status_code, unknown.json()["code"]) == (400, 6026)
    misspelt = export(api, campain_id="SPRING")
    assert (misspelt.status_code, misspelt.json()["code"]) == (400, 6008)


@pytest.mark.both_servers
def test_nobody_transfers_without_the_grant_or_another_s_list(make_api):
    api, neighbour = make_api(), make_api()
    api.insert("5551234567")

    assert post(api.with_grants(Grant.READ), "5551234567\n").status_code == 403
    assert export(api.with_grants(Grant.INSERT)).status_code == 403
    assert export(api.with_grants(Grant.READ)).status_code == 200
    assert sorted_rows(export(neighbour)) == []
    url = f"{api.base}/v1/dnc/export"
    nobody = requests.get(url, timeout=9)
    assert (nobody.status_code, nobody.json()["code"]) == (401, 5001)
    in_query = requests.get(url, params={"auth_token": api.token}, timeout=9)
    assert len(sorted_rows(in_query)) == 1


def test_only_what_may_be_a_list_is_read(api: Api):
    assert post(api, {"a": "b"}, kind="multipart/form-data").status_code == 415
    url = f"{api.base}/v1/dnc/export"
    bearer = {"Authorization": f"Bearer {api.token}"}
    assert requests.head(url, headers=bearer, timeout=9).status_code == 405
    assert requests.post(url, headers=bearer, timeout=9).status_code == 405


@pytest.mark.parametrize("told", [True, False], ids=["told", "chunked"])
def test_a_body_that_breaks_off_or_is_too_large_stores_nothing(
    api: Api, told, http_server: str
):
    where = urlsplit(api.base)
    head = (
        "POST /v1/dnc/import HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
        f"Authorization: Bearer {api.token}\r\n"
    )
    length = "Content-Length: 500\r\n" if told else "Transfer-Encoding: chunked\r\n"
    begun = "5551234567\n" if told else "b\r\n5551234567\n\r\n"
    with socket.create_connection((where.hostname, where.port), 20) as connection:
        connection.sendall(f"{head}{length}\r\n{begun}".encode())
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        # granian takes no body in chunks: it would not know that it broke off.
        refused = 400 if told or http_server == "gunicorn" else 411
        assert answer.status == refused
    with socket.create_connection((where.hostname, where.port), 20) as connection:
        connection.sendall(f"{head}Content-Length: {3 * 1024**3}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 413

    assert sorted_rows(export(api)) == []


def test_an_export_whose_database_goes_away_does_not_look_whole(
    server: TestServer, template: str, tmp_path: Path
):
    with serving_by_proxy(
        server, template, tmp_path, "gunicorn", ANSWER_SECONDS
    ) as reached:
        numbers = "".join(f"{5550000000 + n}\n" for n in range(100_000))
        assert imported(reached.api, numbers)["inserted"] == 100_000
        reached.proxy.left = 2_000_000
        try:
            answer = export(reached.api)
        except requests.exceptions.ChunkedEncodingError:
            assert reached.proxy.mode is Mode.REFUSE
        else:
            # On a machine that is busy nothing may have been sent by then.
            assert answer.status_code == 503
