"""The embedded database dies, and with it nothing that was acknowledged."""

import itertools
import json
import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from app.store import embedded
from tests.faults import figures
from tests.faults.ledger import Asker, Ledger, Said
from tests.waiting import require
from tests.wire.service import Service, serving

# It is started at once; PostgreSQL's own recovery takes as long as the disk makes it.
RECOVERY_SECONDS = 20

NUMBERS = [f"55512301{n:02}" for n in range(3)]


def post(service: Service, token: str, operation: str, number: str) -> int:
    form = {"auth_token": token, "phone_number": number, "phone_code": 1}
    url = f"{service.base}/v1/dnc/{operation}"
    return requests.post(url, data=form | {"campaign_id": 0}, timeout=20).status_code


@pytest.mark.soak
@pytest.mark.both_servers(second="soak")
def test_an_embedded_database_that_was_killed_is_there_again(tmp_path, http_server):
    told = tmp_path / "data" / "postgres.json"
    with serving(tmp_path, {}, http_server, workers=2) as service:
        token = (tmp_path / "data" / "token").read_text().strip()
        for number, ending in zip(
            NUMBERS, (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT), strict=True
        ):
            killed = json.loads(told.read_text())["postgres_pid"]
            assert post(service, token, "insert", number) == 200

            os.kill(killed, ending)

            require(
                lambda killed=killed: (
                    json.loads(told.read_text())["postgres_pid"] != killed
                ),
                RECOVERY_SECONDS,
            )
            require(
                lambda: (
                    {post(service, token, "search", NUMBERS[0]) for _ in range(8)}
                    == {200}
                ),
                RECOVERY_SECONDS,
            )

        found = requests.post(
            f"{service.base}/v1/dnc/search", data={"auth_token": token}, timeout=20
        )
        listed = {entry["phone_number"] for entry in found.json()["data"]["entries"]}
        assert listed == set(NUMBERS)
    assert service.process.returncode == 0


def kill_the_parent(service: Service) -> None:
    """Leave its workers, and the database, to notice."""
    service.process.kill()
    service.process.wait()


def kill_everything(service: Service) -> None:
    """End it, its workers and the database as a crash of the machine would."""
    parent = psutil.Process(service.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    service.process.wait()


def kill_the_database(service: Service) -> None:
    told = json.loads((service.log.parent / "data" / "postgres.json").read_text())
    os.kill(told["postgres_pid"], signal.SIGKILL)


KILLS = [kill_the_parent, kill_everything, kill_the_database]


def numbers(data: Path) -> list[str]:
    """Return what the database of the only organisation lists."""
    with (
        embedded.borrowed(data) as server,
        psycopg.connect(server.url) as connection,
    ):
        found = connection.execute("SELECT e164 FROM dnc_entry").fetchall()
    return [str(e164) for (e164,) in found]


def endure(
    kill: Callable[[Service], None],
    service: Service,
    start: Callable[[], Service],
    seed: int,
) -> tuple[Ledger, Service]:
    """Write while *kill* happens; return the ledger, and the service that runs then."""
    data = service.log.parent / "data"
    running = [service]
    asker = Asker(lambda: running[-1].base, (data / "token").read_text().strip())

    def works() -> bool:
        with ThreadPoolExecutor(8) as pool:
            told = pool.map(lambda n: asker.say("check", f"55512302{n:02}"), range(16))
        return {said for said, _ in told} == {Said.CLEAR}

    def disturb() -> None:
        kill(service)
        if service.process.poll() is not None:
            time.sleep(0.3)
            running.append(start())

    require(works, RECOVERY_SECONDS)
    ledger = Ledger(asker, f"2{seed % 10_000:04}", seed=seed)
    ledger.fill(disturb)
    require(works, RECOVERY_SECONDS)
    ledger.settle(lambda: numbers(data))
    return ledger, running[-1]


@pytest.mark.both_servers(second="soak")
@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_what_was_acknowledged_outlives_the_service_and_its_own_database(
    tmp_path, http_server, request
):
    seed = int(os.environ.get("FAULTS_SEED") or random.randrange(1_000_000))
    ledgers: list[Ledger] = []
    with ExitStack() as running:

        def start() -> Service:
            return running.enter_context(serving(tmp_path, {}, http_server, workers=2))

        service = start()
        try:
            for nth, kill in zip(range(20), itertools.cycle(KILLS)):
                ledger, service = endure(kill, service, start, seed + nth)
                ledgers.append(ledger)
        finally:
            told = figures.count(ledgers)
            name = f"embedded, service or database killed ({http_server}, seed {seed})"
            figures.tell(request.config, figures.line(name, told))

    assert not [wrong for ledger in ledgers for wrong in ledger.wrong]
    assert told["struck"] >= 10, told
