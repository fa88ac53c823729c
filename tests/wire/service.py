"""The real service, run for a test, and a client that posts forms to it."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from app.bootstrap import build_services
from app.domain.access import Caller, Grant
from app.domain.scopes import Campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from app.store.database import Database
from tests.conftest import ANSWER_SECONDS, TestServer, make_organisation
from tests.wire.command import DNCD
from tests.wire.forked import Forked
from tests.wire.tcp_proxy import Proxy, proxied

WORKERS = 3

# For tests of how soon the service gives up: what it does when nothing is set.
AS_SHIPPED = {"DNCD_ANSWER_SECONDS": ""}
# Where the database is cut off: soon enough for many tests, and for a busy machine.
CUT_OFF_SECONDS = 3
READY_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


Process = Forked | subprocess.Popen[bytes]


@dataclass(frozen=True)
class Service:
    """A running ``dncd serve``."""

    base: str
    process: Process
    log: Path


@contextmanager
def serving(
    folder: Path,
    environment: Mapping[str, str],
    http_server: str,
    workers: int = WORKERS,
    *,
    begun: Callable[[Service], None] | None = None,
    executable: bool = False,
) -> Iterator[Service]:
    """
    Run ``dncd serve`` in *folder* until the block ends; *begun* waits for it.

    It is forked, unless it is to be the *executable* as it is started elsewhere.
    """
    port = free_port()
    log = folder / "service.log"
    places = {
        "DNCD_DATA_DIR": str(folder / "data"),
        "DNCD_SERVER": http_server,
        # All tests are one address, and many a secret of theirs is wrong.
        "DNCD_GUESSES_PER_SOURCE": "off",
        "DNCD_ANSWER_SECONDS": str(ANSWER_SECONDS),
        # What seals by itself costs every test, and is looked at by few.
        "DNCD_SEAL": "off",
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("DNCD_")
    }
    arguments = ["serve", "--port", str(port), "--workers", str(workers)]
    env = {**inherited, **places, **environment}
    process: Process
    with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
        if executable:
            process = subprocess.Popen(
                [DNCD, *arguments],
                env=env,
                cwd=folder,
                stdin=nothing,
                stdout=output,
                stderr=output,
            )
        else:
            told = output.fileno()
            process = Forked(
                arguments,
                env=env,
                cwd=folder,
                stdin=nothing.fileno(),
                stdout=told,
                stderr=told,
            )
    service = Service(f"http://127.0.0.1:{port}", process, log)
    try:
        (begun or wait_until_ready)(service)
        yield service
    finally:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(service: Service) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            break
        try:
            if requests.get(f"{service.base}/readyz", timeout=5).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.05)
    pytest.fail(f"dncd serve did not become ready:\n{service.log.read_text()}")


@dataclass(frozen=True)
class Api:
    """One organisation's client: posts forms as the documentation says."""

    base: str
    token: str
    caller: Caller
    services: Services
    session: requests.Session = field(default_factory=requests.Session)

    def send(self, operation: str, **fields: Any) -> requests.Response:
        """Post a form to ``/v1/…`` and return the whole answer."""
        return self.session.post(
            f"{self.base}/v1/{operation}",
            data={"auth_token": self.token, **fields},
            timeout=20,
        )

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        """Post a form and return the body of an answer with status 200."""
        answer = self.send(operation, **fields)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def insert(self, phone_number: str, campaign_id: object = 0, **fields: Any) -> int:
        """Put a number on the list and return its id."""
        body = self.call(
            "dnc/insert",
            phone_number=phone_number,
            campaign_id=campaign_id,
            **{"phone_code": "1", **fields},
        )
        assert body["success"] is True, body
        entry_id: int = body["id"]
        return entry_id

    def search(self, **fields: Any) -> list[dict[str, str]]:
        """Return the entries that a search finds."""
        body = self.call("dnc/search", **fields)
        assert body["success"] is True, body
        entries: list[dict[str, str]] = body["data"]["entries"]
        return entries

    def add_campaign(self, uid: str, purpose: str | None = None) -> int:
        campaign = Campaign(0, uid, f"Campaign {uid}", "outbound", purpose)
        return self.services.campaigns.add(self.caller, None, campaign)

    def with_grants(self, *grants: Grant) -> "Api":
        """Return a client of the same organisation whose token may do less."""
        token = self.services.access.issue(self.caller, "narrow", grants)
        return Api(self.base, token, self.caller, self.services)


@dataclass(frozen=True)
class Alone:
    """A service on a database of its own, and a client of its one organisation."""

    api: Api
    service: Service
    url: str


@contextmanager
def serving_alone(
    url: str,
    folder: Path,
    http_server: str,
    environment: Mapping[str, str] | None = None,
    workers: int = WORKERS,
) -> Iterator[Alone]:
    """Run a service on the migrated database at *url*, with a new organisation."""
    database = Database(url, connections=2)
    services = build_services(database)
    added = services.organisations.add("test", make_organisation("Acme"))
    caller = operator(added, "test")
    token = services.access.issue(caller, "everything", EVERY_GRANT)
    settings = {"DATABASE_URL": url, **(environment or {})}
    with serving(folder, settings, http_server, workers) as service:
        yield Alone(Api(service.base, token, caller, services), service, url)
    database.close()


@dataclass(frozen=True)
class Reached:
    """A service that reaches its database through a proxy, and a client of it."""

    api: Api
    proxy: Proxy
    service: Service
    url: str

    def fresh(self) -> Api:
        """Return a client with connections of its own."""
        return replace(self.api, session=requests.Session())


@contextmanager
def serving_by_proxy(
    server: TestServer,
    template: str,
    folder: Path,
    http_server: str,
    answer_seconds: float = CUT_OFF_SECONDS,
) -> Iterator[Reached]:
    """Run a service of one organisation on a database that a test can cut off."""
    promise = {"DNCD_ANSWER_SECONDS": str(answer_seconds)}
    with (
        server.new_database(template) as url,
        proxied(url) as proxy,
        serving_alone(
            url, folder, http_server, {**promise, "DATABASE_URL": proxy.url}
        ) as alone,
    ):
        yield Reached(alone.api, proxy, alone.service, url)
