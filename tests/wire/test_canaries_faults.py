"""Numbers, secrets and texts that were under way when the database failed."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg import conninfo

from tests.waiting import require
from tests.wire import command
from tests.wire.canaries import (
    NATIONAL,
    REASON,
    USABLE,
    WHOLE_NUMBER,
    Watched,
    watching,
)
from tests.wire.raw_http import form, request
from tests.wire.tcp_proxy import Mode

# Every field, log and fault: some minutes.
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module", params=["embedded", "plain", "loud"])
def logged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """A service whose PostgreSQL logs as its owner has set it."""
    folder: Path = tmp_path_factory.mktemp("logged")
    with watching(request.param, folder, "gunicorn") as found:
        yield found


@contextmanager
def renamed(watched: Watched) -> Iterator[None]:
    """Take the table away: whatever is asked of it is an error."""
    with psycopg.connect(watched.owner_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE dnc_entry RENAME TO gone")
        try:
            yield
        finally:
            owner.execute("ALTER TABLE gone RENAME TO dnc_entry")


@contextmanager
def constrained(watched: Watched) -> Iterator[None]:
    """Let each new entry break a constraint."""
    with psycopg.connect(watched.owner_url, autocommit=True) as owner:
        for table in ("dnc_entry", "lead"):
            owner.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT canary"  # type: ignore[arg-type]
                f" CHECK (e164 <> 1{NATIONAL}) NOT VALID"
            )
        try:
            yield
        finally:
            for table in ("dnc_entry", "lead"):
                owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT canary")  # type: ignore[arg-type]


@contextmanager
def locked(watched: Watched) -> Iterator[None]:
    """Let everybody wait for longer than they may."""
    with psycopg.connect(watched.owner_url) as owner:
        owner.execute("LOCK TABLE dnc_entry, lead IN ACCESS EXCLUSIVE MODE")
        yield
        owner.rollback()


@contextmanager
def hurried(watched: Watched) -> Iterator[None]:
    """Let PostgreSQL end each statement that waits."""
    with psycopg.connect(watched.owner_url, autocommit=True) as owner:
        database = owner.info.dbname
        set_to = f"ALTER DATABASE {database} SET statement_timeout = "
        owner.execute(f"{set_to} '150ms'")  # type: ignore[arg-type]
        end_sessions(owner)
        try:
            with locked(watched):
                yield
        finally:
            owner.execute(f"{set_to} 0")  # type: ignore[arg-type]
            end_sessions(owner)


def end_sessions(owner: psycopg.Connection) -> None:
    owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'dncd' AND pid <> pg_backend_pid()"
    )


@contextmanager
def cut(watched: Watched) -> Iterator[None]:
    """Let nobody reach the database."""
    watched.proxy.mode = Mode.REFUSE
    try:
        yield
    finally:
        watched.proxy.mode = Mode.PASS


@contextmanager
def hung(watched: Watched) -> Iterator[None]:
    """Let the database say nothing."""
    watched.proxy.mode = Mode.BLACKHOLE
    try:
        yield
    finally:
        watched.proxy.mode = Mode.PASS


@contextmanager
def raising(watched: Watched) -> Iterator[None]:
    """Let a trigger end what adds an entry by an error of PostgreSQL's own."""
    with psycopg.connect(watched.owner_url, autocommit=True) as owner:
        owner.execute("""
            CREATE FUNCTION canary_cast() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM 1 / (new.e164 - new.e164);
                RETURN new;
            END $$;
            CREATE TRIGGER canary BEFORE INSERT ON dnc_entry
                FOR EACH ROW EXECUTE FUNCTION canary_cast();
        """)
        try:
            yield
        finally:
            owner.execute("DROP FUNCTION canary_cast CASCADE")


FAULTS: list[Callable[[Watched], Any]] = [
    renamed,
    constrained,
    raising,
    locked,
    hurried,
    cut,
    hung,
]

CHANGING = (
    ("/v1/dnc/insert", {"phone_number": NATIONAL, "phone_code": "1"}),
    ("/v1/dnc/delete", {"phone_number": NATIONAL, "phone_code": "1"}),
    ("/v1/dnc/search", {"phone_number": NATIONAL}),
    ("/v1/dnc/check", {"phone_number": NATIONAL, "phone_code": "1"}),
    ("/app/main/rpc/pdnc", {"actionType": "add", "phoneList": NATIONAL}),
    ("/app/main/rpc/scrub", {"phoneList": NATIONAL}),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_no_failure_of_the_database_tells_what_was_asked(fault, logged):
    shared = {
        "auth_token": logged.token,
        "loginId": logged.token,
        "campaign_id": "0",
        "reason": REASON,
    }
    sent = [request(path, form(shared | fields)) for path, fields in CHANGING]
    # An import waits for as long as a lock is held.
    if fault is not locked:
        file = f"phone_number,reason\n{NATIONAL},{REASON}\n".encode()
        bearer = [f"Authorization: Bearer {logged.token}".encode()]
        sent.append(request("/v1/dnc/import", file, "text/csv", headers=bearer))

    with fault(logged), ThreadPoolExecutor(len(sent)) as threads:
        answers = list(threads.map(logged.send, sent))

    assert 503 in {answer.status for answer in answers}
    wait_until_well(logged)
    logged.require_nothing_left()


def test_no_crash_of_a_backend_tells_what_it_was_asked(logged):
    sent = {"auth_token": logged.token, "campaign_id": "0", **USABLE}
    waiting: list[tuple[int]] = []
    # Every session ends with it.
    with suppress(psycopg.Error), psycopg.connect(logged.owner_url) as owner:
        owner.execute("LOCK TABLE dnc_entry IN ACCESS EXCLUSIVE MODE")
        asking = threading.Thread(
            target=logged.send, args=[request("/v1/dnc/insert", form(sent))]
        )
        asking.start()
        while asking.is_alive() and not waiting:
            waiting = owner.execute(
                "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            ).fetchall()
        for (pid,) in waiting:
            os.kill(pid, signal.SIGKILL)
        asking.join()
    assert waiting

    wait_until_well(logged)
    logged.require_nothing_left()


def wait_until_well(watched: Watched) -> None:
    def is_well() -> bool:
        try:
            return requests.get(f"{watched.service.base}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    require(is_well)


def test_a_log_that_numbers_reach_all_the_same_is_told_of_at_the_start(
    tmp_path: Path,
) -> None:
    """Without the grants, the loud login's statements are logged with their values."""
    with watching("loud", tmp_path, "gunicorn", granted=False) as watched:
        sent = {"auth_token": watched.token, "campaign_id": "0", **USABLE}
        watched.send(request("/v1/dnc/insert", form(sent)))

        left = watched.left_behind()

    assert WHOLE_NUMBER.search(left["postgresql"])
    assert "numbers_reach_the_log_of_postgresql" in left["service"]
    assert "log_parameter_max_length" in left["service"]
    watched.require_silence(left["service"])


@pytest.mark.parametrize("fault", [renamed, constrained, cut], ids=lambda f: f.__name__)
def test_no_command_tells_more_than_it_was_asked_for(fault, logged, tmp_path):
    """What fails is told in one line, without number, password or traceback."""
    file = tmp_path / "list.csv"
    file.write_text(f"phone_number,reason\n{NATIONAL},{REASON}\n")
    password = str(conninfo.conninfo_to_dict(logged.proxy.url)["password"])
    environment = {
        "DATABASE_URL": logged.proxy.url,
        "DNCD_OWNER_DATABASE_URL": logged.proxy.url,
    }
    with fault(logged):
        for arguments in (
            ["check", "--organisation", "Acme", NATIONAL],
            ["import", "--organisation", "Acme", str(file)],
            ["lead", "import", "--organisation", "Acme", str(file)],
            ["erase", "--organisation", "Acme", NATIONAL],
            ["export", "--organisation", "Acme"],
        ):
            told = command.run(arguments, tmp_path, environment)
            assert "Traceback" not in told.stderr, told.stderr
            # What may not be called is told with its reason, and by a status.
            said = told.stdout if told.returncode and arguments[0] != "check" else ""
            for text in (told.stderr, said):
                logged.require_silence(text)
                assert password not in text
    wait_until_well(logged)
    logged.require_nothing_left()
