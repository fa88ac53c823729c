"""The service that most wire tests share, and clients that speak HTTP to it."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from app.bootstrap import build_services
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from app.store.database import Database
from tests.conftest import TestServer, make_organisation
from tests.wire.command import Command
from tests.wire.doors import DOORS, Doors
from tests.wire.doors.door import Keys
from tests.wire.service import Api, Reached, Service, serving, serving_by_proxy

SERVERS = ("gunicorn", "granian")

_names = itertools.count(1)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of make soak alone, whose tests take seconds to be thought of."""
    soaked = collection_path.name.endswith("_soak.py")
    return True if soaked and config.option.markexpr == "not soak" else None


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
            return running.enter_context(
                serving(folder, environment, http_server, executable=True)
            )

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
