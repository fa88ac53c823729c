"""Before Flask or through it: the answers are the same."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
import requests
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.dialects.native import DIALECT
from app.domain.access import Grant
from app.http.fast_lane import FastLane
from app.http.rates import Rates
from tests.waiting import require
from tests.wire import raw_http
from tests.wire.service import Api, Service

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

FIELDS = {"phone_number": "5551234567", "phone_code": "1", "campaign_id": ""}
NOW = re.compile(r'"checked_at":"[^"]+"')


# What the thread that waits for clients answers, and what gunicorn's leaves to others
# for the tab in it.
HEADERS = {"at once": {}, "by a thread": {"X-Way": "a\tb"}}
WAYS = pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)


def ask(
    api: Api, headers: Mapping[str, str] | None, **fields: object
) -> requests.Response:
    """Ask by a form with *headers*, or for None in a way that only Flask knows."""
    fields = {"auth_token": api.token} | FIELDS | fields
    url = f"{api.base}/v1/dnc/check"
    if headers is None:
        return requests.post(url, json=fields, timeout=10)
    return requests.post(url, data=fields, headers=headers, timeout=10)


def essence(answer: requests.Response) -> tuple[object, ...]:
    headers = {
        name.lower(): value
        for name, value in answer.headers.items()
        if name.lower() not in {"date", "x-request-id", "content-length"}
    }
    return answer.status_code, headers, NOW.sub("", answer.text)


@WAYS
@pytest.mark.parametrize("listed", ["5551234567", "5550000000"])
def test_the_same_is_answered_byte_for_byte(api: Api, listed: str, headers):
    api.insert(listed, reason='"quoted" ü')

    assert essence(ask(api, headers)) == essence(ask(api, None))


@WAYS
@pytest.mark.parametrize(
    "fields",
    [
        {"phone_number": "1"},
        {"phone_code": ""},
        {"campaign_id": "9999"},
        {"auth_token": "wrong"},
        {"auth_token": ""},
    ],
)
def test_the_same_is_refused_in_the_same_words(api: Api, fields, headers):
    refused = essence(ask(api, headers, **fields))

    assert refused == essence(ask(api, None, **fields))


@WAYS
def test_a_token_without_the_grant_is_refused_in_the_same_words(api: Api, headers):
    narrow = api.with_grants(Grant.INSERT)

    assert essence(ask(narrow, headers)) == essence(ask(narrow, None))


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda u, f: requests.get(u, params=f, timeout=9), id="query"),
        pytest.param(lambda u, f: requests.post(u, params=f, timeout=9), id="no body"),
        pytest.param(
            lambda u, f: requests.post(
                u, files={n: (None, v) for n, v in f.items()}, timeout=9
            ),
            id="multipart",
        ),
        pytest.param(
            lambda u, f: requests.post(
                u,
                data={"phone_code": "1", "phone_number": f["phone_number"]},
                params={**f, "phone_number": "5550000000"},
                timeout=9,
            ),
            id="the body wins over the query",
        ),
        pytest.param(
            lambda u, f: requests.post(
                u,
                data={n: v for n, v in f.items() if n != "auth_token"},
                headers={"Authorization": "Bearer " + f["auth_token"]},
                timeout=9,
            ),
            id="a bearer token",
        ),
        pytest.param(
            lambda u, f: requests.post(
                u,
                data={n: v for n, v in f.items() if n != "auth_token"},
                headers={"Authorization": "bearer  " + f["auth_token"]},
                timeout=9,
            ),
            id="a bearer token in its own way",
        ),
        pytest.param(
            lambda u, f: requests.post(
                u,
                data="&".join(f"{n}={v}" for n, v in f.items())
                + "&phone_number=5551234567",
                headers={"Content-Type": "application/x-www-form-urlencoded; x=y"},
                timeout=9,
            ),
            id="a media type with a parameter",
        ),
    ],
)
def test_every_way_to_ask_is_answered(api: Api, send):
    api.insert("5551234567")

    answer = send(f"{api.base}/v1/dnc/check", {"auth_token": api.token} | FIELDS)

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["callable"] is False


def test_a_repeated_parameter_is_its_last(api: Api):
    api.insert("5551234567")
    body = f"auth_token={api.token}&phone_code=1&phone_number=5550000000"
    body += "&phone_number=5551234567"
    sent = raw_http.request("/v1/dnc/check", body.encode())

    answer = raw_http.exchange(api.base, sent)

    assert answer.json()["data"]["callable"] is False


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            raw_http.request("/v1/dnc/check", b"phone_number=%ff&phone_code=1"),
            id="no UTF-8",
        ),
        pytest.param(
            raw_http.request("/v1/dnc/check", b"phone_number=1", length=5000),
            id="a body that breaks off",
        ),
        pytest.param(
            raw_http.request("/v1/dnc/check", b"&".join([b"a=1"] * 200)),
            id="too many parameters",
        ),
        pytest.param(
            raw_http.request("/v1/dnc/check", b"x" * 70_000), id="a body too large"
        ),
    ],
)
def test_what_cannot_be_read_is_refused_as_everywhere(service: Service, sent):
    answer = raw_http.exchange(service.base, sent, finish=True)

    raw_http.require_refusal(answer)
    assert answer.status in {400, 413}


def test_a_request_id_is_kept_and_logged_with_the_request(api: Api, service: Service):
    answer = requests.post(
        f"{api.base}/v1/dnc/check",
        data={"auth_token": api.token} | FIELDS,
        headers={"X-Request-ID": "fast-lane-kept"},
        timeout=9,
    )

    assert answer.headers["X-Request-ID"] == "fast-lane-kept"
    # Under granian a line is written just after its answer.
    require(lambda: "fast-lane-kept" in service.log.read_text())
    (line,) = [
        json.loads(line)
        for line in service.log.read_text().splitlines()
        if "fast-lane-kept" in line
    ]
    assert line["endpoint"] == "native.check"
    assert line["status"] == 200
    assert line["organisation"] == api.caller.organisation.id
    assert "5551234567" not in json.dumps(line)


def test_it_is_counted_like_every_request(api: Api):
    def counted() -> float:
        text = requests.get(f"{api.base}/metrics", timeout=9).text
        wanted = 'dncd_requests_total{dialect="native",operation="check",status="200"} '
        return sum(
            float(line.removeprefix(wanted))
            for line in text.splitlines()
            if line.startswith(wanted)
        )

    before = counted()
    for _ in range(5):
        ask(api, {})

    assert counted() == before + 5


@pytest.mark.parametrize(
    ("asked", "reaches_flask"),
    [
        ({"method": "POST", "data": FIELDS}, False),
        ({"method": "GET", "query_string": FIELDS}, False),
        ({"method": "POST", "json": FIELDS}, True),
        ({"method": "PUT", "data": FIELDS}, True),
        ({"method": "POST", "data": FIELDS | {"as_of": "2026-11-21T10:00Z"}}, True),
        ({"method": "GET", "query_string": FIELDS | {"as_of": ""}}, True),
    ],
    ids=["form", "query", "JSON", "PUT", "as_of", "empty as_of"],
)
def test_what_is_plain_never_reaches_flask(services, caller, asked, reaches_flask):
    reached = []

    def flask_app(_environ: object, start_response: "StartResponse") -> list[bytes]:
        reached.append(True)
        start_response("200 OK", [])
        return []

    lanes = {path: ("native", lane) for path, lane in DIALECT.lanes.items()}
    secret = services.access.issue(caller, "dialer", [Grant.CHECK])
    builder = EnvironBuilder(
        "/v1/dnc/check", headers={"Authorization": f"Bearer {secret}"}, **asked
    )

    run_wsgi_app(
        FastLane(flask_app, services, lanes, Rates(None, None, None)),
        builder.get_environ(),
    )

    assert bool(reached) is reaches_flask
