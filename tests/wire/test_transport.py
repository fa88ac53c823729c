"""However a request travels, it means the same; whatever is refused, in JSON."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from app.domain.access import Grant
from tests.thinning import diagonal
from tests.wire.answers import FORBIDDEN, refusal
from tests.wire.service import Api

pytestmark = pytest.mark.both_servers(second="soak")

NUMBER = "5551234567"
OTHER = "5557654321"
FORM = "application/x-www-form-urlencoded"
LISTED = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}

# Fields that succeed, for an organisation with one entry and one campaign.
OPERATIONS: dict[str, dict[str, str]] = {
    "dnc/insert": LISTED | {"phone_number": OTHER, "reason": "Ä & = + ü"},
    "dnc/update": {"id": "ENTRY", "reason": "Ä & = + ü"},
    "dnc/search": {"phone_number": NUMBER, "reason": "-BLANK-"},
    "dnc/delete": LISTED,
    "leads/insert": LISTED | {"campaign_id": "SPRING", "first_name": "Ä & = + ü"},
    "leads/search": {"campaign_id": "SPRING", "status": "NEW"},
    "status/search": {"status": "NEW"},
    "campaigns/search": {"limit": "1"},
}
WRITING = ["dnc/insert", "dnc/update", "dnc/delete", "leads/insert"]

Send = Callable[[str, dict[str, str]], requests.Response]
WAYS: dict[str, Send] = {
    "POST of a form": lambda url, f: requests.post(url, f, timeout=20),
    "GET with a query": lambda url, f: requests.get(url, f, timeout=20),
    "POST of a query": lambda url, f: requests.post(url, params=f, timeout=20),
    "POST of a query and an empty form": lambda url, f: requests.post(
        url, "", params=f, headers={"Content-Type": FORM}, timeout=20
    ),
    "multipart": lambda url, f: requests.post(
        url, files={name: (None, value) for name, value in f.items()}, timeout=20
    ),
    "JSON": lambda url, f: requests.post(url, json=f, timeout=20),
    "JSON with a charset": lambda url, f: requests.post(
        url,
        json.dumps(f),
        headers={"Content-Type": "application/json; charset=utf-8"},
        timeout=20,
    ),
}

BODIES = {"form": FORM, "JSON": "application/json"}


def prepared(api: Api, operation: str) -> tuple[str, dict[str, str]]:
    """Return where *operation* is, and fields that it takes, in *api*."""
    entry = api.insert(NUMBER)
    api.add_campaign("SPRING")
    given = {
        k: v.replace("ENTRY", str(entry)) for k, v in OPERATIONS[operation].items()
    }
    return f"{api.base}/v1/{operation}", {"auth_token": api.token, **given}


def state(api: Api) -> tuple[Any, Any]:
    """Return everything that a request could have changed."""
    return api.search(), api.call("leads/search")["data"]["entries"]


@pytest.mark.parametrize(("operation", "way"), diagonal(OPERATIONS, WAYS))
def test_every_operation_takes(operation, way, api):
    url, fields = prepared(api, operation)

    answer = WAYS[way](url, fields)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["success"] is True
    if operation in WRITING:
        text = fields.get("reason") or fields.get("first_name")
        assert text is None or text in str(state(api))
    else:
        assert answer.json()["data"]["total"] == (operation != "leads/search")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_takes_the_token_as_bearer(operation, api):
    url, fields = prepared(api, operation)
    bearer = {"Authorization": f"Bearer {fields.pop('auth_token')}"}

    by_form = requests.post(url, fields, headers=bearer, timeout=20)

    assert by_form.status_code == 200
    assert by_form.json()["success"] is True


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_body_wins_over_the_query(method, kind, api):
    query = LISTED | {"auth_token": "nobody's", "reason": "query", "purpose": "query"}
    body = {"auth_token": api.token, "phone_number": OTHER, "reason": "body"}
    sent = urlencode(body) if kind == "form" else json.dumps(body)

    answer = requests.request(
        method,
        f"{api.base}/v1/dnc/insert",
        params=query,
        data=sent,
        headers={"Content-Type": BODIES[kind]},
        timeout=20,
    )

    assert answer.json()["success"] is True
    (entry,) = api.search()
    shown = (entry["phone_number"], entry["reason"], entry["purpose"])
    assert shown == (OTHER, "body", "query")


@pytest.mark.parametrize("way", ["query", "form", "multipart"])
def test_the_last_of_a_repeated_parameter_wins(way, api):
    twice = [(k, v) for k, v in LISTED.items() if k != "phone_number"]
    twice += [("auth_token", "nobody's"), ("phone_number", NUMBER), ("reason", "first")]
    twice += [("auth_token", api.token), ("phone_number", OTHER), ("reason", "last")]
    url = f"{api.base}/v1/dnc/insert"

    if way == "query":
        answer = requests.get(url, twice, timeout=20)
    elif way == "form":
        answer = requests.post(url, twice, timeout=20)
    else:
        parts = [(name, (None, value)) for name, value in twice]
        answer = requests.post(url, files=parts, timeout=20)

    assert answer.json()["success"] is True
    (entry,) = api.search()
    assert (entry["phone_number"], entry["reason"]) == (OTHER, "last")


def test_an_empty_parameter_in_the_body_wins_over_a_full_one_in_the_query(api):
    entry = api.insert(NUMBER, reason="DNC")

    requests.post(
        f"{api.base}/v1/dnc/update?reason=DNCT",
        {"auth_token": api.token, "id": str(entry), "reason": ""},
        timeout=20,
    )

    assert api.search()[0]["reason"] == ""


def test_json_may_hold_numbers_nulls_and_booleans(api):
    campaign = api.add_campaign("SPRING")
    lead = api.call("leads/insert", **LISTED | {"campaign_id": campaign})["id"]
    number = {"phone_number": int(NUMBER), "phone_code": 1, "campaign_id": campaign}

    def post(operation: str, **fields: object) -> dict[str, Any]:
        body = {"auth_token": api.token, **fields}
        answer = requests.post(f"{api.base}/v1/{operation}", json=body, timeout=20)
        found: dict[str, Any] = answer.json()
        return found

    added = post("dnc/insert", **number, reason=None, purpose=None)
    found = post("dnc/search", id=added["id"], offset=0, limit=1, reason=None)
    kept = post("dnc/delete", **number, update_lead_status=False, lead_status="DNC")
    post("dnc/insert", **number)
    gone = post("dnc/delete", **number, update_lead_status=True, lead_status="ACTIVE")

    assert added["success"] is True
    assert [entry["id"] for entry in found["data"]["entries"]] == [str(added["id"])]
    assert found["data"]["entries"][0]["reason"] == ""
    assert kept == gone == {"success": True}
    (after,) = api.call("leads/search")["data"]["entries"]
    assert (after["id"], after["status"]) == (str(lead), "ACTIVE")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_head_is_refused_and_does_nothing(operation, api):
    url, fields = prepared(api, operation)
    before = state(api)

    answer = requests.head(url, params=fields, timeout=20)

    assert answer.status_code == 405
    assert answer.headers["Content-Type"] == "application/json"
    assert state(api) == before


def require_refused(
    answer: requests.Response, status: int, code: int, text: str
) -> None:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == refusal(code, text)


@pytest.mark.parametrize("token", [None, "", "nobody's", "dncd_"])
@pytest.mark.parametrize(
    ("operation", "way"),
    diagonal(OPERATIONS, ["POST of a form", "GET with a query", "JSON"]),
)
def test_401_is_answered_to_a_token(operation, token, way, api):
    url, fields = prepared(api, operation)
    before = state(api)
    fields["auth_token"] = token

    answer = WAYS[way](url, {k: v for k, v in fields.items() if v is not None})

    require_refused(answer, 401, 5001, "Auth token is invalid")
    assert state(api) == before


@pytest.mark.parametrize(("operation", "way"), diagonal(OPERATIONS, WAYS))
def test_403_is_answered_to_a_token_that_may_only_check(operation, way, api):
    url, fields = prepared(api, operation)
    before = state(api)
    narrow = api.with_grants(Grant.CHECK).token

    answer = WAYS[way](url, fields | {"auth_token": narrow})

    require_refused(answer, 403, *FORBIDDEN)
    assert state(api) == before


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(
    "path", ["dnc/nosuch", "dnc", "dnc/insert/1", "leads/delete", "DNC/INSERT", ""]
)
def test_404_is_answered_to_the_path(path, method, api):
    answer = requests.request(
        method, f"{api.base}/v1/{path}", data={"auth_token": api.token}, timeout=20
    )

    require_refused(answer, 404, 404, "Not Found")


@pytest.mark.parametrize(
    ("operation", "method"), diagonal(OPERATIONS, ["PUT", "PATCH", "DELETE"])
)
def test_405_is_answered_with_the_methods_that_are_allowed(operation, method, api):
    url, fields = prepared(api, operation)
    before = state(api)

    answer = requests.request(method, url, data=fields, timeout=20)

    require_refused(answer, 405, 405, "Method Not Allowed")
    allowed = {each.strip() for each in answer.headers["Allow"].split(",")}
    assert {"GET", "POST"} <= allowed
    assert method not in allowed
    assert state(api) == before


def test_no_method_is_named_as_allowed_and_then_refused(api):
    url, fields = prepared(api, "dnc/search")
    allowed = requests.put(url, fields, timeout=20).headers["Allow"].split(", ")

    answers = {
        method: requests.request(method, url, params=fields, timeout=20).status_code
        for method in allowed
    }

    assert set(answers.values()) == {200}, answers


@pytest.mark.parametrize(
    ("operation", "way"), diagonal(OPERATIONS, ["POST of a form", "multipart", "JSON"])
)
def test_413_is_answered_to_a_body_that_is_too_large(operation, way, api):
    url, fields = prepared(api, operation)
    before = state(api)

    answer = WAYS[way](url, {**fields, "ignored": "x" * 70_000})

    require_refused(answer, 413, 413, "Request Entity Too Large")
    assert state(api) == before


@pytest.mark.parametrize(
    ("operation", "kind"),
    diagonal(OPERATIONS, ["text/plain", "application/xml", "text/json"]),
)
def test_415_is_answered_to_a_body_of_another_kind(operation, kind, api):
    url, fields = prepared(api, operation)
    before = state(api)

    answer = requests.post(
        url, urlencode(fields), headers={"Content-Type": kind}, timeout=20
    )

    require_refused(answer, 415, 415, "Unsupported Media Type")
    assert state(api) == before


def test_a_null_in_json_is_a_parameter_left_out(api):
    entry = api.insert("5551234567", reason="DNC")

    answer = requests.post(
        f"{api.base}/v1/dnc/update",
        json={"auth_token": api.token, "id": entry, "reason": None, "purpose": "note"},
        timeout=20,
    )

    assert answer.json() == {"success": True, "id": entry}
    [found] = api.search(id=entry)
    assert (found["reason"], found["purpose"]) == ("DNC", "note")
