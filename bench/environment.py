"""
Where the benchmarks happen: a PostgreSQL as shipped, and servers started on it.

Everything is on the loopback interface, below one temporary folder, and gone at the end
or when this process dies, by whatever signal.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from app.bootstrap import build_services
from app.domain.access import Caller, Organisation
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from app.settings import Settings
from app.store import embedded
from app.store.database import Database
from app.store.migrations import migrate
from app.store.postgres_binaries import dies_with_us
from bench import fill
from bench.load import Generator
from bench.memory import Watch
from bench.postgres import Programs
from bench.report import Report

ROOT = Path(__file__).resolve().parents[1]
DNCD = str(Path(sys.executable).with_name("dncd"))
ORGANISATION = "bench"
WORKERS = 2
THREADS = Settings.from_environment({}).threads
READY_SECONDS = 60.0
OK = 200


class NotAvailable(Exception):
    """What is to be measured does not exist in this version, or does not start."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started, and where it listens."""

    kind: str
    port: int
    process: "subprocess.Popen[bytes]"


@dataclass(slots=True)
class Stage:
    """One run: its database, its measure, and the servers that it has started."""

    folder: Path
    server: embedded.Server
    url: str
    entries: int
    seconds: float
    repeats: int
    services: Services
    caller: Caller
    token: str
    generator: Generator
    watch: Watch
    report: Report
    servers: dict[str, Running] = field(default_factory=dict)

    @property
    def programs(self) -> Programs:
        """Psql and pgbench on the filled database."""
        return Programs.on(self.url)

    @property
    def organisation(self) -> int:
        """The organisation that has the entries."""
        return self.caller.organisation.id

    def service(self, kind: str) -> Running:
        """Return ``dncd serve`` under gunicorn or granian; raises NotAvailable."""
        if kind != "gunicorn" and "server" not in Settings.__dataclass_fields__:
            raise NotAvailable(f"this version has no DNCD_SERVER={kind}")
        return self._started(
            f"dncd {kind}",
            lambda port: [DNCD, "serve", "--port", port, "--workers", str(WORKERS)],
            "/readyz",
            DNCD_SERVER=kind,
        )

    def constant(self, kind: str) -> Running:
        """Return the bare WSGI application under gunicorn or granian."""
        return self._started(
            f"constant {kind}",
            lambda port: [
                *(sys.executable, "-m", "bench.apps.constant_wsgi"),
                *(kind, port, str(WORKERS), str(THREADS)),
            ],
            "/",
        )

    def fastapi(self) -> Running:
        """Return the FastAPI application under uvicorn."""
        return self._started(
            "fastapi uvicorn",
            lambda port: [
                *(sys.executable, "-m", "uvicorn", "bench.apps.fastapi_check:app"),
                *("--port", port, "--workers", str(WORKERS), "--no-access-log"),
                *("--log-level", "warning"),
            ],
            "/readyz",
        )

    @contextlib.contextmanager
    def new_database(self) -> Iterator[str]:
        """Yield the URL of a migrated database with the organisation and no entry."""
        name = sql.Identifier("bench_fresh")
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name)
        with self.server.connect() as connection:
            connection.execute(drop)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
            try:
                url = self.server.url_of("bench_fresh")
                migrate(url)
                with contextlib.closing(Database(url, connections=2)) as database:
                    prepare(build_services(database))
                yield url
            finally:
                connection.execute(drop)

    def _started(self, kind: str, command: Any, path: str, **extra: str) -> Running:
        running = self.servers.get(kind)
        if running is None:
            running = _start(self.folder, kind, command, self.url, extra)
            self.servers[kind] = running
            self.watch.follow(running.process.pid, kind)
            _wait_until_ready(running, path, self.folder)
        return running


@contextlib.contextmanager
def prepared(
    entries: int, seconds: float, repeats: int, report: Report
) -> Iterator[Stage]:
    """Yield a stage with *entries* on its list."""
    folder = Path(tempfile.mkdtemp(prefix="dncd-bench-"))
    try:
        with contextlib.ExitStack() as held:
            server = held.enter_context(embedded.owned(folder / "data"))
            url = server.url
            migrate(url)
            database = Database(url, connections=4, bounded=False)
            held.callback(database.close)
            services = build_services(database)
            caller, token = prepare(services)
            began = time.monotonic()
            fill.fill(Programs.on(url), caller.organisation.id, entries)
            report.about["fill_seconds"] = round(time.monotonic() - began, 1)
            report.about["postgres"] = _describe(url)
            watch = held.enter_context(Watch())
            watch.follow(server.pid, "postgres")
            generator = held.enter_context(Generator())
            stage = Stage(
                *(folder, server, url, entries, seconds, repeats),
                *(services, caller, token, generator, watch, report),
            )
            held.callback(lambda: _stop(list(stage.servers.values())))
            yield stage
            report.memory = watch.rows()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(services: Services) -> tuple[Caller, str]:
    """Add the organisation, its campaigns and a token to a migrated database."""
    wanted = Organisation(
        id=0,
        name=ORGANISATION,
        time_zone="UTC",
        default_phone_code="1",
        editions={},
        checking_enabled=True,
    )
    caller = operator(services.organisations.add("bench", wanted), "bench")
    fill.add_campaigns(services, caller)
    return caller, services.access.issue(caller, "bench", EVERY_GRANT)


def inherited() -> dict[str, str]:
    """Return this process's environment, without settings of another dncd."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("DNCD_")
    }


def _start(
    folder: Path, kind: str, command: Any, url: str, extra: dict[str, str]
) -> Running:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    home = folder / kind.replace(" ", "-")
    home.mkdir()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command(str(port)),
            cwd=ROOT,
            env={
                **inherited(),
                "DATABASE_URL": url,
                "DNCD_DATA_DIR": str(home),
                "PROMETHEUS_MULTIPROC_DIR": str(home),
                **extra,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=dies_with_us(),  # noqa: PLW1509  one thread more, which reads files
        )
    return Running(kind, port, process)


def _wait_until_ready(running: Running, path: str, folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and running.process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            if connection.getresponse().status == OK:
                connection.close()
                return
        connection.close()
        time.sleep(0.05)
    log = folder / running.kind.replace(" ", "-") / "log"
    end = log.read_text(errors="replace")[-2000:]
    raise NotAvailable(f"{running.kind} did not become ready:\n{end}")


def _stop(servers: list[Running]) -> None:
    for running in servers:
        running.process.terminate()
    for running in servers:
        try:
            running.process.wait(15)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)


def _describe(url: str) -> dict[str, str]:
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
    with psycopg.connect(url) as connection:
        return {
            **{name: _show(connection, name) for name in names},
            "shared_buffers": _show(connection, "shared_buffers"),
        }


def _show(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row[0]) if row else ""
