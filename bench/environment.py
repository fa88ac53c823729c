"""
Where the benchmarks happen: a PostgreSQL as shipped, and servers started on it.

Everything is on the loopback interface, below one temporary folder, and gone at the end
or when this process dies, by whatever signal.
"""

import contextlib
import shutil
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
from bench import fill, servers
from bench.generator import Generator
from bench.memory import Watch
from bench.postgres import Programs
from bench.report import Report
from bench.servers import NotAvailable, Running

DNCD = str(Path(sys.executable).with_name("dncd"))
ORGANISATION = "bench"
WORKERS = 2
THREADS = Settings.from_environment({}).threads


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
    started: dict[str, Running] = field(default_factory=dict)

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
        running = self.started.get(kind)
        if running is None:
            running = servers.start(self.folder, kind, command, self.url, extra)
            self.started[kind] = running
            self.watch.follow(running.process.pid, kind)
            servers.wait_until_ready(running, path, self.folder)
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
            held.callback(lambda: servers.stop(list(stage.started.values())))
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
