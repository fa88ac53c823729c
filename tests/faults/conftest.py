"""A service of two workers whose database a test can break in any way."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import requests
from psycopg import conninfo, sql

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.scopes import Campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from app.store.database import Database
from app.store.migrations import migrate
from tests.conftest import make_organisation
from tests.faults import figures
from tests.faults.operations import (
    ENDED,
    LISTED,
    TAKEN_OFF,
    TAKEN_OFF_BY_ID,
    Known,
    Operation,
    every_operation,
)
from tests.faults.postgres import Postgres, small_disk
from tests.wire.conftest import pytest_generate_tests
from tests.wire.doors import DOORS, Doors
from tests.wire.doors.door import Keys
from tests.wire.service import AS_SHIPPED, Api, Service, serving
from tests.wire.tcp_proxy import Proxy, proxied

__all__ = ["pytest_generate_tests"]

LOGIN = "dncd_service"
PASSWORD = "correct horse"
WORKERS = 2
THREADS = 6

# The service works again by itself within so many: docs/failure.md.
RECOVERY_SECONDS = 5.0


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell what the faults of this run did."""
    told = config.stash.get(figures.TOLD, [])
    if told:
        terminalreporter.section("faults")
    for text in told:
        terminalreporter.write_line(text)


@dataclass
class Lab:
    """A running service, its database, and what stands between them."""

    postgres: Postgres
    proxy: Proxy
    place: Path
    start: Callable[[], Service]
    service: Service
    api: Api
    known: Known

    @property
    def base(self) -> str:
        return self.service.base

    def operations(self) -> list[Operation]:
        return every_operation(self.known)

    def doors(self) -> Doors:
        """Return every dialect's client."""
        keys = Keys(self.base, self.known.token, self.known.user)
        return {name: door(keys) for name, door in DOORS.items()}

    def prepare(self) -> None:
        """Put on the list what the operations take off, and off what they put on."""
        ids = {}
        for number in (TAKEN_OFF, TAKEN_OFF_BY_ID, ENDED):
            form = {"phone_number": number, "phone_code": 1, "campaign_id": 0}
            ids[number] = int(self.api.call("dnc/insert", **form)["id"])
        self.api.call("dnc/delete", phone_number=ENDED, phone_code=1, campaign_id=0)
        self.known = replace(
            self.known, taken_off_id=ids[TAKEN_OFF_BY_ID], ended_id=ids[ENDED]
        )

    def kill_service(self) -> None:
        """End the service and its workers as a crash of the machine would."""
        parent = psutil.Process(self.service.process.pid)
        for process in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.service.process.wait()

    def start_service(self) -> None:
        """Start it again; it listens elsewhere."""
        self.service = self.start()
        self.api = replace(self.api, base=self.base)
        self.known = replace(self.known, base=self.base)

    def restart_database(self) -> None:
        """Start the server again and lead the service to it."""
        self.postgres.start()
        self.proxy.turn_to(login_url(self.postgres))

    def works(self) -> bool:
        """Whether whoever asks, and whoever tells, on whichever worker, succeeds."""
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(self._ask, range(16)))
        return all(answers)

    def _ask(self, number: int) -> bool:
        form = {"auth_token": self.api.token, "phone_code": "1"}
        form |= {"phone_number": f"55501{number:05}", "campaign_id": "0"}
        operation = "insert" if number % 2 else "check"
        url = f"{self.base}/v1/dnc/{operation}"
        try:
            return requests.post(url, data=form, timeout=20).status_code == 200
        except requests.ConnectionError:
            return False


def login_url(postgres: Postgres) -> str:
    """How the service logs in: as one that owns nothing."""
    return conninfo.make_conninfo(postgres.url, user=LOGIN, password=PASSWORD)


@contextmanager
def laboratory(http_server: str) -> Iterator[Lab]:
    """Run a service on a database of its own, on a small disk where that is allowed."""
    folder = Path(tempfile.mkdtemp(prefix="dncd-faults-"))
    folder.chmod(0o755)
    try:
        with small_disk(folder) as place:
            postgres = Postgres(place)
            try:
                with _serving(postgres, place, folder, http_server) as lab:
                    yield lab
            finally:
                postgres.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(
    postgres: Postgres, place: Path, folder: Path, http_server: str
) -> Iterator[Lab]:
    migrate(postgres.url)
    postgres.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(LOGIN), PASSWORD
        )
    )
    postgres.execute(sql.SQL("GRANT dncd_app TO {}").format(sql.Identifier(LOGIN)))
    database = Database(postgres.url, connections=2)
    services = build_services(database)
    wanted = make_organisation("Acme")
    caller = operator(services.organisations.add("test", wanted), "test")
    with proxied(login_url(postgres)) as proxy:
        environment = {
            **AS_SHIPPED,
            "DATABASE_URL": proxy.url,
            "DNCD_OWNER_DATABASE_URL": postgres.url,
            "DNCD_THREADS": str(THREADS),
        }
        with ExitStack() as running:

            def start() -> Service:
                return running.enter_context(
                    serving(folder, environment, http_server, WORKERS)
                )

            service = start()
            token = services.access.issue(caller, "everything", EVERY_GRANT)
            api = Api(service.base, token, caller, services)
            known = _know(api, services, caller)
            database.close()
            yield Lab(postgres, proxy, place, start, service, api, known)


def _know(api: Api, services: Services, caller: Caller) -> Known:
    user = "faults"
    token = services.access.issue(caller, "user", EVERY_GRANT, user=user)
    campaign = Campaign(0, "SPRING", "Spring", "outbound", None)
    listed = {number: api.insert(number[1:]) for number in LISTED}
    return Known(
        base=api.base,
        token=token,
        user=user,
        campaign_id=services.campaigns.add(caller, None, campaign),
        entry_id=listed[LISTED[0]],
        taken_off_id=0,
    )


@pytest.fixture(scope="module")
def lab(http_server: str) -> Iterator[Lab]:
    """One laboratory for the tests of a file; each heals what it broke."""
    with laboratory(http_server) as found:
        yield found
