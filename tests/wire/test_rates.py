"""Rates per token and per source, and guesses: what whoever exceeds them is told."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests

from app.domain.access import Caller, new_secret
from app.services import Services
from app.services.organisations import EVERY_GRANT
from tests.conftest import TestServer
from tests.wire.service import serving_alone

pytestmark = pytest.mark.both_servers(second="soak")

TOKEN_BURST = 20
SOURCE_BURST = 60
GUESS_BURST = 10

SETTINGS = {
    "DNCD_RATE_PER_TOKEN": f"1:{TOKEN_BURST}",
    "DNCD_RATE_PER_SOURCE": f"2:{SOURCE_BURST}",
    "DNCD_GUESSES_PER_SOURCE": f"1:{GUESS_BURST}",
}


@dataclass(frozen=True)
class Bounded:
    """A service with low rates, and somebody who can make tokens for it."""

    base: str
    caller: Caller
    services: Services

    def token(self, user: str | None = None) -> str:
        return self.services.access.issue(self.caller, "t", EVERY_GRANT, user=user)

    def ask(
        self, dialect: str, secret: str, source: str, user: str = "6666"
    ) -> requests.Response:
        """Ask what a client of *dialect* asks, from *source*, as *user* if need be."""
        from_source = {"X-Forwarded-For": source}
        bearer = {"Authorization": f"Bearer {secret}", **from_source}
        form = {"phone_number": "5551234567", "phone_code": "1", "campaign_id": "0"}
        login = {"user": user, "pass": secret, "source": "test"}
        post, get = requests.post, requests.get
        match dialect:
            case "convoso":
                url, sent = "/v1/dnc/search", {"auth_token": secret}
            case "check":
                url, sent = "/v1/dnc/check", {"auth_token": secret, **form}
                sent["campaign_id"] = ""
            case "check by JSON":
                sent = {"phone_number": "5551234567", "phone_code": "1"}
                url = f"{self.base}/v1/dnc/check"
                return post(url, json=sent, headers=bearer, timeout=20)
            case "workspace":
                return get(f"{self.base}/api/dnc/list", headers=bearer, timeout=20)
            case "dncscrub":
                url, sent = "/app/main/rpc/scrub", {"loginId": secret}
                sent |= {"phoneList": "5551234567", "version": "3"}
            case "page":
                url = "/vicidial/non_agent_api.php"
                sent = login | {"function": "check_phone_number", "dnc_check": "Y"}
                sent |= {"phone_number": "5551234567", "stage": "test"}
            case _:
                url, sent = "/vicidial/filter", login | {"phone_number": "5551234567"}
        return post(self.base + url, data=sent, headers=from_source, timeout=20)


DIALECTS = [
    "convoso",
    "check",
    "check by JSON",
    "workspace",
    "dncscrub",
    "page",
    "filter",
]
SOURCES = {name: f"192.0.2.{number}" for number, name in enumerate(DIALECTS, 1)}


@pytest.fixture(scope="module")
def bounded(
    server: TestServer,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    http_server: str,
) -> Iterator[Bounded]:
    folder = tmp_path_factory.mktemp("rates")
    with (
        server.new_database(template) as url,
        serving_alone(url, folder, http_server, SETTINGS) as alone,
    ):
        yield Bounded(alone.api.base, alone.api.caller, alone.api.services)


def require_bounded(answer: requests.Response, dialect: str, burst: int) -> None:
    """Require that *answer* says in the words of *dialect* that it was too much."""
    assert answer.status_code == 429, answer.text
    assert 1 <= int(answer.headers["Retry-After"]) <= 901
    assert answer.headers["x-ratelimit-limit"] == str(burst)
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert 1 <= int(answer.headers["x-ratelimit-reset"]) <= 1000
    if dialect in {"page", "filter"}:
        assert answer.text == "ERROR: TOO MANY REQUESTS, TRY AGAIN LATER\n"
    elif dialect == "dncscrub":
        assert answer.text == "Too many requests, try again later"
    elif dialect == "workspace":
        assert answer.json() == {
            "message": "",
            "status": False,
            "code": 429,
            "errorMessage": "Too many requests, try again later",
        }
    else:
        assert answer.json() == {
            "success": False,
            "code": 429,
            "text": "Too many requests, try again later",
            "message": "Too many requests, try again later",
        }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_token_s_rate_holds_for_all_workers_together(bounded: Bounded, dialect: str):
    user = f"user-{DIALECTS.index(dialect)}"
    token = bounded.token(user)
    began = time.monotonic()

    def ask(number: int) -> requests.Response:
        source = f"198.51.{DIALECTS.index(dialect)}.{number}"
        return bounded.ask(dialect, token, source, user)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(TOKEN_BURST + 15)))

    good = [answer for answer in answers if answer.status_code == 200]
    seconds = time.monotonic() - began
    assert TOKEN_BURST <= len(good) <= TOKEN_BURST + seconds + 1
    for answer in answers:
        if answer.status_code != 200:
            require_bounded(answer, dialect, TOKEN_BURST)
    left = {int(answer.headers["x-ratelimit-remaining"]) for answer in good}
    assert left >= set(range(TOKEN_BURST))


def test_a_source_s_rate_is_that_of_all_its_tokens(bounded: Bounded):
    tokens = [bounded.token() for _ in range(4)]

    answers = [
        bounded.ask("check", tokens[number % 4], "203.0.113.9")
        for number in range(SOURCE_BURST + 20)
    ]

    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    for answer in refused:
        require_bounded(answer, "check", SOURCE_BURST)
    assert bounded.ask("check", tokens[0], "203.0.113.10").status_code == 200


def test_whether_it_is_well_is_never_too_often_asked(bounded: Bounded):
    source = {"X-Forwarded-For": "203.0.113.77"}

    for _ in range(SOURCE_BURST * 2):
        answer = requests.get(f"{bounded.base}/healthz", headers=source, timeout=5)
        assert answer.status_code == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_guesses_are_slowed_and_right_secrets_let_in(bounded: Bounded, dialect: str):
    source = SOURCES[dialect]
    right = bounded.token()
    began = time.monotonic()

    # Another user each time: VICIdial's own lock is on one user.
    guesses = [
        bounded.ask(dialect, new_secret(), source, f"guessed-{number}")
        for number in range(25)
    ]

    slowed = [answer for answer in guesses if answer.status_code == 429]
    assert len(slowed) >= 25 - GUESS_BURST - (time.monotonic() - began) - 1
    for answer in slowed:
        require_bounded(answer, dialect, GUESS_BURST)
    waits = [int(answer.headers["Retry-After"]) for answer in slowed]
    assert waits[-1] > waits[0]
    assert bounded.ask("check", right, source).status_code == 200
    assert bounded.ask("convoso", right, "192.0.2.200").status_code == 200
    assert bounded.ask("check", new_secret(), "192.0.2.201").status_code == 401


def test_guesses_from_one_ipv6_site_are_counted_together(bounded: Bounded):
    answers = [
        bounded.ask("check", new_secret(), f"2001:db8:77::{number:x}")
        for number in range(1, 25)
    ]

    assert answers[-1].status_code == 429
    assert bounded.ask("check", new_secret(), "2001:db8:78::1").status_code == 401


def test_what_has_no_secret_at_all_is_no_guess(bounded: Bounded):
    answers = [bounded.ask("convoso", "", "192.0.2.99") for _ in range(25)]

    assert {answer.status_code for answer in answers} == {401}
