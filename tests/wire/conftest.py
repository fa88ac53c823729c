"""The real service, with several workers, and clients that speak HTTP to it."""

import itertools
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
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
from tests.conftest import TestServer, make_organisation
from tests.wire.command import DNCD, Command
from tests.wire.doors import DOORS, Doors
from tests.wire.doors.door import Keys
from tests.wire.tcp_proxy import Proxy, proxied

SERVERS = ("gunicorn", "granian")
WORKERS = 3
READY_SECONDS = 60

_names = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the servers whose behaviour a test looks at; see tests/README.md."""
    if "http_server" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--server")
    both = metafunc.definition.get_closest_marker("both_servers")
    servers: list[object] = [*SERVERS] if both else [SERVERS[0]]
    if both and "second" in both.kwargs:
        second = getattr(pytest.mark, both.kwargs["second"])
        servers[1:] = [pytest.param(each, marks=second) for each in SERVERS[1:]]
    metafunc.parametrize(
        "http_server", [chosen] if chosen else servers, scope="session"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Service:
    """A running ``dncd serve``."""

    base: str
    process: "subprocess.Popen[bytes]"
    log: Path


@contextmanager
def serving(
    folder: Path,
    environment: Mapping[str, str],
    http_server: str,
    workers: int = WORKERS,
) -> Iterator[Service]:
    """Run ``dncd serve`` in *folder* until the block ends."""
    port = free_port()
    log = folder / "service.log"
    places = {
        "DNCD_DATA_DIR": str(folder / "data"),
        "DNCD_SERVER": http_server,
        # All tests are one address, and many a secret of theirs is wrong.
        "DNCD_GUESSES_PER_SOURCE": "off",
        # What seals by itself costs every test, and is looked at by few.
        "DNCD_SEAL": "off",
    }
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("DNCD_")
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [DNCD, "serve", "--port", str(port), "--workers", str(workers)],
            env={**inherited, **places, **environment},
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    service = Service(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until_ready(service)
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
    server: TestServer, template: str, folder: Path, http_server: str
) -> Iterator[Reached]:
    """Run a service of one organisation on a database that a test can cut off."""
    with server.new_database(template) as url, proxied(url) as proxy:
        database = Database(url, connections=2)
        services = build_services(database)
        wanted = make_organisation("cut off")
        caller = operator(services.organisations.add("test", wanted), "test")
        token = services.access.issue(caller, "everything", EVERY_GRANT)
        environment = {"DATABASE_URL": proxy.url}
        with serving(folder, environment, http_server) as service:
            api = Api(service.base, token, caller, services)
            yield Reached(api, proxy, service, url)
        database.close()


@pytest.fixture(scope="module")
def reached(
    server: TestServer,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    http_server: str,
) -> Iterator[Reached]:
    """A service whose database the tests of a file can cut off."""
    folder = tmp_path_factory.mktemp("cut-off")
    with serving_by_proxy(server, template, folder, http_server) as found:
        yield found


@pytest.fixture(scope="session")
def service_database(server: TestServer, template: str) -> Iterator[str]:
    with server.new_database(template) as url:
        yield url


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key of the database that every server serves."""
    return tmp_path_factory.mktemp("key") / "key"


@pytest.fixture(scope="session")
def serve_once(
    service_database: str, key_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Service]]:
    """Start the service under the server of that name, once for all tests."""
    environment = {"DATABASE_URL": service_database, "DNCD_KEY_FILE": str(key_file)}
    with ExitStack() as running:

        @cache
        def start(http_server: str) -> Service:
            folder = tmp_path_factory.mktemp("service")
            return running.enter_context(serving(folder, environment, http_server))

        yield start


@pytest.fixture
def service(serve_once: Callable[[str], Service], http_server: str) -> Service:
    """The service that most wire tests share; each has an organisation of its own."""
    return serve_once(http_server)


@pytest.fixture(scope="session")
def administration(service_database: str, key_file: Path) -> Iterator[Services]:
    """The services on the running service's database, to prepare tests with."""
    database = Database(service_database, connections=4)
    yield build_services(database, key_file)
    database.close()


MakeApi = Callable[..., Api]


@pytest.fixture
def make_api(service: Service, administration: Services) -> MakeApi:
    """Make clients, each of a new organisation."""

    def make(*, edition: str = "documented", time_zone: str = "UTC") -> Api:
        wanted = make_organisation(f"wire {next(_names)}", time_zone, edition)
        caller = operator(administration.organisations.add("test", wanted), "test")
        token = administration.access.issue(caller, "everything", EVERY_GRANT)
        return Api(service.base, token, caller, administration)

    return make


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api()


@pytest.fixture(params=["documented", "live"])
def edition_api(request: pytest.FixtureRequest, make_api: MakeApi) -> Api:
    """A client of an organisation in each edition."""
    return make_api(edition=request.param)


def open_doors(api: Api) -> Doors:
    """Return every dialect's client of the organisation of *api*, by its name."""
    user = f"6666-{api.caller.organisation.id}"
    token = api.services.access.issue(api.caller, "doors", EVERY_GRANT, user=user)
    keys = Keys(api.base, token, user)
    return {name: door(keys) for name, door in DOORS.items()}


@pytest.fixture
def doors(api: Api) -> Doors:
    """Every dialect's client of one new organisation."""
    return open_doors(api)


@pytest.fixture
def command(database_url: str, services: Services, tmp_path: Path) -> Command:
    """The command, on a database of its own with the first organisation."""
    services.organisations.add("test", make_organisation("default"))
    return Command(database_url, tmp_path)
