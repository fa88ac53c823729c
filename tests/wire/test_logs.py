"""Whatever is sent wherever, no number and no secret stands in what is left behind."""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import RemoteDisconnected
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest
import requests

from app.domain.access import Grant, new_secret
from tests.conftest import TestServer
from tests.wire.raw_http import JSON, Answer, chunked, exchange, form, request
from tests.wire.service import Api, Service, serving_alone

pytestmark = pytest.mark.both_servers(second="soak")

# Digits that nothing else here brings about.
NUMBER = "2025550147"
SPELLINGS = [
    NUMBER,
    f"1{NUMBER}",
    f"+1{NUMBER}",
    "202-555-0147",
    "(202) 555-0147",
    "+1 202 555 0147",
    "202.555.0147",
    "202 - 555 - 0147",
    "2 0 2 5 5 5 0 1 4 7",
    "202/555/0147",
    "202%20555%200147",
]
# However it is spelled, or escaped in a URL or in JSON.
BETWEEN = r"(?:%[0-9A-Fa-f]{2}|\\u[0-9a-f]{4}|[^0-9]){0,4}"
WHOLE_NUMBER = re.compile(BETWEEN.join(NUMBER))

OPERATIONS = {
    "dnc/insert": ["phone_number", "phone_code", "campaign_id", "reason", "purpose"],
    "dnc/update": ["id", "phone_number", "phone_code", "campaign_id", "reason"],
    "dnc/search": ["id", "phone_number", "campaign_id", "insert_date", "offset"],
    "dnc/delete": ["phone_number", "phone_code", "campaign_id", "lead_status"],
    "leads/insert": ["phone_number", "campaign_id", "status", "first_name"],
    "leads/search": ["id", "phone_number", "campaign_id", "status", "limit"],
    "status/search": ["status", "offset"],
    "campaigns/search": ["id", "limit"],
}
BASE = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}


NO_ANSWER = Answer(0, {}, b"")


@dataclass(frozen=True)
class Watched:
    """A service of this file alone, and the secrets that it was told."""

    service: Service
    api: Api
    secrets: tuple[str, ...]
    url: str

    def left_behind(self) -> str:
        metrics = requests.get(f"{self.service.base}/metrics", timeout=5)
        return self.service.log.read_text() + metrics.text

    def require_silence(self, text: str) -> None:
        found = WHOLE_NUMBER.search(text)
        assert not found, text[max(0, found.start() - 200) : found.end() + 50]
        for secret in self.secrets:
            assert secret not in text
            assert secret[5:] not in text

    def send(self, sent: bytes) -> Answer:
        """Send bytes; a refusal, if there is one, must not repeat them."""
        try:
            answer = exchange(self.service.base, sent, finish=True)
        except RemoteDisconnected:
            return NO_ANSWER
        if answer.status >= 400 or b'"success": false' in answer.body:
            self.require_silence(answer.body.decode())
        return answer


@pytest.fixture(scope="module")
def watched(
    server: TestServer,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    http_server: str,
) -> Iterator[Watched]:
    folder: Path = tmp_path_factory.mktemp("logs")
    with (
        server.new_database(template) as url,
        serving_alone(url, folder, http_server) as alone,
    ):
        narrow = alone.api.with_grants(Grant.CHECK).token
        secrets = (alone.api.token, narrow, new_secret())
        yield Watched(alone.service, alone.api, secrets, url)


def refusing(watched: Watched, fields: dict[str, object]) -> Iterator[bytes]:
    """Yield *fields* as requests of every shape, for each operation and token."""
    for operation, token in itertools.product(OPERATIONS, watched.secrets):
        path, sent = f"/v1/{operation}", {"auth_token": token, **fields}
        encoded = form(sent)
        yield request(path, encoded)
        yield request(f"{path}?{encoded.decode()}", method=b"GET")
        yield request(path, json.dumps(sent).encode(), JSON)
        yield request(path, encoded, "text/plain")
        yield request(path, encoded, method=b"PUT")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_number_is_left_behind(spelling, watched):
    for sent in refusing(watched, BASE | {"phone_number": spelling}):
        watched.send(sent)

    watched.require_silence(watched.left_behind())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_field_that_holds_a_number_or_a_token_is_left_behind(operation, watched):
    canaries = ["202-555-0147", f"{NUMBER}\0", *watched.secrets]
    for name, canary in itertools.product([*OPERATIONS[operation], "x"], canaries):
        sent = {"auth_token": watched.api.token, **BASE, name: canary}
        watched.send(request(f"/v1/{operation}", form(sent)))
        watched.send(request(f"/v1/{operation}", form(sent | {canary: name})))

    watched.require_silence(watched.left_behind())


def test_nothing_of_a_path_a_header_or_a_broken_request_is_left_behind(watched):
    for canary in ["202-555-0147", NUMBER, *watched.secrets]:
        query = form({"auth_token": canary, "phone_number": NUMBER}).decode()
        text = canary.encode()
        for path in (
            f"/v1/dnc/{canary}",
            f"/{canary}?{query}",
            f"/v1//dnc/insert?{query}",
            f"/v1/dnc/insert/?{query}",
            f"/v1/dnc/insert?{query}&x={'x' * 9000}",
            f"/docs/{canary}?{query}",
            f"/static/{canary}",
        ):
            watched.send(request(path, method=b"GET"))
            watched.send(request(path, method=text))
        for header in (
            b"X-Request-ID: " + text,
            b"Authorization: Bearer " + text,
            b"Authorization: Basic " + text,
            b"Authorization: Digest username=" + text,
            b"User-Agent: " + text,
            b"Referer: http://localhost/" + text,
            b"Cookie: a=" + text,
            b"X-Forwarded-For: " + text,
            b"Idempotency-Key: " + text,
            b"Content-Encoding: " + text,
            b"Transfer-Encoding: " + text,
            b"Expect: " + text,
            text + b" : x",
            text,
            text + b": " + b"x" * 9000,
        ):
            watched.send(request("/v1/dnc/insert", query.encode(), headers=[header]))
        for sent in (
            text + b"\r\n\r\n",
            b"GET /" + text + b" HTTP/9.9\r\n\r\n",
            request("/v1/dnc/insert", length=canary),
            request("/v1/dnc/insert", query.encode(), f"text/{canary}"),
            request("/v1/dnc/insert", text, JSON),
            request("/v1/dnc/insert", b'{"a": "' + text, JSON),
            request("/v1/dnc/insert", text, f"multipart/form-data; boundary={canary}"),
            chunked(f"/v1/dnc/insert?{query}", text + b"\r\nx"),
        ):
            watched.send(sent)

    watched.require_silence(watched.left_behind())
    # None of it was a surprise.
    assert '"level": "error"' not in watched.service.log.read_text()


def test_nothing_is_left_behind_when_the_database_refuses_a_number(watched):
    """PostgreSQL names the offending values; nobody else may."""
    before = len(watched.service.log.read_text())
    for breaking, mending in (
        (
            "ALTER TABLE dnc_entry RENAME TO gone",
            "ALTER TABLE gone RENAME TO dnc_entry",
        ),
        (
            f"ALTER TABLE dnc_entry ADD CHECK (e164 <> 1{NUMBER}) NOT VALID",
            "ALTER TABLE dnc_entry DROP CONSTRAINT dnc_entry_e164_check1",
        ),
    ):
        with psycopg.connect(watched.url, autocommit=True) as owner:
            owner.execute(breaking)
            try:
                sent = {"auth_token": watched.api.token, **BASE}
                answer = watched.send(request("/v1/dnc/insert", form(sent)))
            finally:
                owner.execute(mending)
        assert answer.status == 503
        assert answer.json()["code"] == 6056

    watched.require_silence(watched.left_behind()[before:])


def test_every_line_of_the_log_is_json_that_says_what_happened(watched):
    watched.api.search()
    watched.send(request("/v1/nowhere"))
    watched.send(b"garbage\r\n\r\n")

    lines = watched.service.log.read_text().splitlines()

    parsed = [json.loads(line) for line in lines]
    assert all(isinstance(line, dict) for line in parsed)
    assert all({"event", "level", "timestamp"} <= line.keys() for line in parsed)
    requests_told = [line for line in parsed if line["event"] == "request"]
    assert {200, 404} <= {line["status"] for line in requests_told}
    assert all(line["request_id"] for line in requests_told)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_is_left_behind_by_the_workspace_api(spelling, watched):
    members = {"phoneNumber": spelling, "type": spelling, "requestUUID": spelling}
    query = urlencode({"search": spelling, "page": spelling, "auth_token": spelling})
    for secret in watched.secrets:
        bearer = [f"Authorization: Bearer {secret}".encode()]
        body = json.dumps(members | {"token": secret, "enable": spelling}).encode()
        for operation in ("add", "enable-disable", "adds"):
            path = f"/api/dnc/{operation}"
            watched.send(request(path, body, JSON, headers=bearer))
            watched.send(request(path, body, "text/plain", headers=bearer))
        for path in (f"list?{query}", f"list?search={secret}", f"delete?{query}"):
            for method in (b"GET", b"DELETE"):
                sent = request(f"/api/dnc/{path}", method=method, headers=bearer)
                watched.send(sent)
        for named in (quote(spelling), secret, f"{0:013}1{NUMBER}"):
            path = f"/api/dnc/delete/{named}"
            watched.send(request(path, method=b"DELETE", headers=bearer))
            watched.send(request(path, method=b"PUT", headers=bearer))

    watched.require_silence(watched.left_behind())
