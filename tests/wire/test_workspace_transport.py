"""Whoever may not, whatever cannot be read or answered: all in the envelope."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from app.domain.access import Grant
from tests.wire.raw_http import exchange, request
from tests.wire.service import Api
from tests.wire.tcp_proxy import Mode
from tests.wire.test_races import at_once
from tests.wire.workspace import ADDED, add, call, delete, records, refusal, success

pytestmark = pytest.mark.both_servers(second="soak")

NUMBER = "12125551234"
JSON = "application/json"
ID = "f" * 24
UNAUTHORISED = "The bearer token is missing or invalid"
FORBIDDEN = "The token lacks the permission that this needs"
NO_OBJECT = "The body is not a JSON object"
UNAVAILABLE = "Service unavailable, try again"

OPERATIONS = {
    "add": ("POST", "add", {"phoneNumber": NUMBER}, Grant.INSERT),
    "list": ("GET", "list", None, Grant.READ),
    "search": ("GET", "list?search=complaint", None, Grant.READ),
    "delete": ("DELETE", f"delete/{ID}", None, Grant.DELETE),
    "delete without an id": ("DELETE", "delete/", None, Grant.DELETE),
    "enable-disable": ("POST", "enable-disable", {"enable": True}, Grant.ADMIN),
}


def send(
    api: Api, operation: str, headers: dict[str, str] | None = None
) -> requests.Response:
    method, path, body, _ = OPERATIONS[operation]
    return call(api, method, path, headers, json=body)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer nobody's", "Basic dXNlcjpwYXNz", "Bearer dncd_ü", "TOKEN"],
)
def test_without_a_valid_bearer_token_nothing_is_done(authorization, operation, api):
    method, path, body, _ = OPERATIONS[operation]
    sent = api.token if authorization == "TOKEN" else authorization

    answer = requests.request(
        method,
        f"{api.base}/api/dnc/{path}",
        params={"auth_token": api.token},  # which is another dialect's way
        json=body,
        headers={"Authorization": sent.encode()},
        timeout=20,
    )

    assert (answer.status_code, answer.json()) == (401, refusal(401, UNAUTHORISED))
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["Content-Type"] == JSON
    assert records(api) == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_grant_but_its_own_is_forbidden(operation, api, edition_api):
    needed = OPERATIONS[operation][3]

    others = edition_api.with_grants(*(set(Grant) - {needed}))
    alone = api.with_grants(needed)

    answer = send(others, operation)
    assert (answer.status_code, answer.json()) == (403, refusal(403, FORBIDDEN))
    assert send(alone, operation).status_code in {200, 400, 404}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "add", "OPTIONS, POST"),
        ("PUT", "add", "OPTIONS, POST"),
        ("POST", "list", "GET, OPTIONS"),
        ("POST", f"delete/{ID}", "DELETE, OPTIONS"),
        ("GET", f"delete/{ID}", "DELETE, OPTIONS"),
        ("GET", "enable-disable", "OPTIONS, POST"),
    ],
)
def test_another_method_is_refused(method, path, allowed, api):
    answer = call(api, method, path)

    assert (answer.status_code, answer.json()) == (
        405,
        refusal(405, "Method Not Allowed"),
    )
    assert ", ".join(sorted(answer.headers["Allow"].split(", "))) == allowed


def test_head_is_refused(api):
    assert call(api, "HEAD", "list").status_code == 405


@pytest.mark.parametrize(
    "path", ["", "adds", "add/", "list/", f"delete/{ID}/x", "../other", "%2e"]
)
def test_another_path_is_not_found(path, api):
    answer = requests.post(f"{api.base}/api/dnc/{path}", timeout=20)

    assert answer.status_code in {404, 405}
    assert answer.json() == refusal(answer.status_code, answer.json()["errorMessage"])
    assert answer.json()["errorMessage"] != ""


@pytest.mark.parametrize("operation", ["add", "enable-disable"])
@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "text/json"]
)
def test_a_body_that_is_not_json_is_refused(kind, operation, api):
    headers = {"Content-Type": kind} if kind else {}
    body = json.dumps(OPERATIONS[operation][2]).encode()

    answer = call(api, "POST", operation, headers, data=body)

    assert (answer.status_code, answer.json()) == (
        415,
        refusal(415, "Unsupported Media Type"),
    )
    assert records(api) == []


def test_json_may_name_its_charset(api):
    headers = {"Content-Type": "application/json; charset=utf-8"}
    body = json.dumps({"phoneNumber": NUMBER}).encode()

    assert call(api, "POST", "add", headers, data=body).json() == success(ADDED)


def test_a_body_over_the_limit_is_refused(api):
    body = {"phoneNumber": NUMBER, "x": "x" * 65536}

    answer = call(api, "POST", "add", json=body)

    assert (answer.status_code, answer.json()) == (
        413,
        refusal(413, "Request Entity Too Large"),
    )
    assert records(api) == []


@pytest.mark.parametrize("told", [200, 70_000])
def test_a_body_that_breaks_off_is_refused(told, api):
    bearer = [f"Authorization: Bearer {api.token}".encode()]
    body = json.dumps({"phoneNumber": NUMBER}).encode()
    sent = request("/api/dnc/add", body, JSON, headers=bearer, length=told)

    answer = exchange(api.base, sent, finish=True)

    assert answer.status == (400 if told == 200 else 413)
    text = answer.json()["errorMessage"]
    assert answer.json() == refusal(answer.status, text)
    assert records(api) == []


def test_a_body_in_chunks_is_read_whole_or_refused(api, http_server):
    bearer = f"Authorization: Bearer {api.token}".encode()
    kind = b"Content-Type: application/json"
    body = json.dumps({"phoneNumber": NUMBER}).encode()
    whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = b"POST /api/dnc/add HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join(
        [bearer, kind, b"Transfer-Encoding: chunked", b"Connection: close", b"", b""]
    )

    broken = exchange(api.base, head + whole[:-8], finish=True)
    before = records(api)
    answer = exchange(api.base, head + whole, finish=True)

    if http_server == "granian":
        assert (broken.status, answer.status) == (411, 411)
        assert answer.json() == refusal(411, "Length Required")
        return
    assert broken.status == 400
    assert broken.json() == refusal(400, NO_OBJECT)
    assert before == []
    assert answer.json() == success(ADDED)


def test_an_object_that_says_two_things_under_one_name_is_refused(api):
    body = f'{{"phoneNumber": "{NUMBER}", "phoneNumber": "+12125559999"}}'

    answer = call(api, "POST", "add", data=body, headers={"Content-Type": JSON})

    assert answer.status_code == 400
    assert answer.json() == refusal(400, NO_OBJECT)
    assert records(api) == []


def test_of_many_that_add_a_number_at_once_one_has_added_it(api):
    spellings = [NUMBER, "+12125551234", "+1 212 555 1234", "1-212-555-1234"] * 4

    answers = at_once([lambda s=s: add(api, s) for s in spellings])

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15
    assert {answer.json()["code"] for answer in answers} == {200, 400}
    assert len(records(api)) == 1


def test_of_many_that_delete_a_record_at_once_one_has_deleted_it(api):
    add(api, NUMBER)
    [record] = records(api)

    answers = at_once([lambda: delete(api, record["_id"]) for _ in range(8)])

    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7
    assert records(api) == []


@pytest.mark.parametrize(
    "mode",
    [Mode.REFUSE, pytest.param(Mode.BLACKHOLE, marks=pytest.mark.soak)],
    ids=lambda mode: mode.value,
)
def test_every_operation_says_503_while_the_database_does_not_answer(mode, reached):
    api = reached.api
    add(api, NUMBER)
    [record] = records(api)
    listed = {**OPERATIONS, "delete": ("DELETE", f"delete/{record['_id']}", None, None)}
    reached.proxy.mode = mode
    try:
        with ThreadPoolExecutor(len(listed)) as pool:
            asked = {
                name: pool.submit(call, api, method, path, json=body)
                for name, (method, path, body, _) in listed.items()
                if name != "delete without an id"
            }
            answers = {name: each.result() for name, each in asked.items()}
    finally:
        reached.proxy.mode = Mode.PASS

    for name, answer in answers.items():
        assert (answer.status_code, answer.json()) == (
            503,
            refusal(503, UNAVAILABLE),
        ), name
        assert int(answer.headers["Retry-After"]) > 0
    # What was not done was not done by halves.
    while (answer := call(api, "GET", "list")).status_code == 503:
        pass
    assert [each["phoneNumber"] for each in answer.json()["data"]["dncList"]] == [
        NUMBER
    ]
