"""
Numbers, secrets and texts sent through every operation, and looked for afterwards.

The operations, their fields and their ways in are openapi.yaml's, so that a new one is
asked by itself. What is left behind is what the service and PostgreSQL have logged, the
metrics, and the words of refusals.
"""

import base64
import getpass
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest
import requests
from psycopg import conninfo

from app.bootstrap import build_services
from app.domain.access import new_secret
from app.services.organisations import EVERY_GRANT, operator
from app.store import embedded
from app.store.database import Database
from app.store.migrations import migrate
from tests.conftest import make_organisation
from tests.openapi_document import read_document
from tests.wire import command
from tests.wire.raw_http import JSON, Answer, exchange, form, request
from tests.wire.service import Service, free_port, serving
from tests.wire.tcp_proxy import Mode, Proxy, proxied

OPERATIONS: dict[str, dict[str, Any]] = read_document()["paths"]

# Digits that nothing else here brings about.
NATIONAL = "9175550148"
BETWEEN = r"(?:%[0-9A-Fa-f]{2}|\\u[0-9a-f]{4}|[^0-9]){0,4}"
WHOLE_NUMBER = re.compile(BETWEEN.join(NATIONAL))
TEXTS = ("Quokka of Rottnest", "Quokka%20of%20Rottnest", "Quokka+of+Rottnest")
REASON = TEXTS[0]
SPELLINGS = (f"+1{NATIONAL}", "917-555-0148", "(917) 555 0148", f"0{NATIONAL}x")

# Every field, log and fault: some minutes.
pytestmark = pytest.mark.soak


NOT_ANSWERED = Answer(0, {}, b"")


def every_writing(secret: str, user: str) -> set[str]:
    """Return how *secret* may stand in a log: as it is, escaped, or in base64."""
    body = secret.removeprefix("dncd_")
    encoded = {
        base64.b64encode(before.encode() + secret.encode())[4:-6].decode()
        for before in ("", "x", "xx", f"{user}:", ":")
    }
    return {body, quote(body), body.lower(), body[4:24], *encoded}


@dataclass
class Watched:
    """A service on a PostgreSQL of its own, both of whose logs are read."""

    service: Service
    proxy: Proxy
    owner_url: str
    server_log: Path
    secrets: dict[str, str]
    answers: int = 0

    @property
    def token(self) -> str:
        return self.secrets["everything"]

    def send(self, sent: bytes, *, echoes: bool = False) -> Answer:
        """Send bytes; a refusal must not repeat them, unless the contract says so."""
        try:
            answer = exchange(self.service.base, sent, finish=True)
        except (RemoteDisconnected, ConnectionError):
            return NOT_ANSWERED
        refused = answer.status >= 400 or b'"success": false' in answer.body
        if refused and not echoes:
            self.require_silence(answer.body.decode(errors="replace"))
        self.answers += answer.status > 0
        return answer

    def left_behind(self) -> dict[str, str]:
        metrics = requests.get(f"{self.service.base}/metrics", timeout=10)
        return {
            "metrics": metrics.text,
            "service": self.service.log.read_text(),
            "postgresql": self.server_log.read_text(errors="replace"),
        }

    def require_silence(self, text: str) -> None:
        found = WHOLE_NUMBER.search(text)
        assert not found, text[max(0, found.start() - 300) : found.end() + 50]
        for name in TEXTS:
            assert name not in text, name
        for user, secret in self.secrets.items():
            for written in every_writing(secret, user):
                assert written not in text, user

    def require_nothing_left(self) -> None:
        for text in self.left_behind().values():
            self.require_silence(text)


# What a login may say of PostgreSQL's log: everything, as the embedded server's owner;
# nothing, on a server as it is installed; and nothing of itself but by a grant, on a
# server that logs each statement with its parameters, and each plan.
LOGINS = {
    "embedded": "",
    "plain": """
        ALTER ROLE dncd_plain SET log_error_verbosity = 'default';
        ALTER ROLE dncd_plain SET log_min_error_statement = 'error';
        ALTER ROLE dncd_plain SET log_parameter_max_length = -1;
        ALTER ROLE dncd_plain SET log_parameter_max_length_on_error = -1;
    """,
    "loud": """
        ALTER ROLE dncd_loud SET log_error_verbosity = 'verbose';
        ALTER ROLE dncd_loud SET log_min_error_statement = 'info';
        ALTER ROLE dncd_loud SET log_parameter_max_length = -1;
        ALTER ROLE dncd_loud SET log_parameter_max_length_on_error = -1;
        ALTER ROLE dncd_loud SET log_statement = 'all';
        ALTER ROLE dncd_loud SET log_min_duration_statement = 0;
        GRANT SET ON PARAMETER log_error_verbosity, log_min_error_statement,
            log_parameter_max_length, "auto_explain.log_min_duration" TO dncd_loud;
    """,
}


@contextmanager
def watching(
    login: str, folder: Path, http_server: str, *, granted: bool = True
) -> Iterator[Watched]:
    """Run a service that reaches a PostgreSQL of its own by that login."""
    place = Path(tempfile.mkdtemp(prefix="dncd-canaries-"))
    try:
        with embedded.owned(place) as running:
            migrate(running.url)
            url = running.url
            if login != "embedded":
                with psycopg.connect(running.url, autocommit=True) as owner:
                    owner.execute(f"CREATE ROLE dncd_{login} LOGIN PASSWORD 'pass'")  # type: ignore[arg-type]
                    owner.execute(f"GRANT dncd_app TO dncd_{login}")  # type: ignore[arg-type]
                    settings, grant, granting = LOGINS[login].partition("GRANT")
                    owner.execute(settings)  # type: ignore[arg-type]
                    if granted:
                        owner.execute(grant + granting)  # type: ignore[arg-type]
                url = conninfo.make_conninfo(
                    running.url, user=f"dncd_{login}", password="pass"
                )
            database = Database(running.url, connections=2)
            services = build_services(database)
            wanted = make_organisation("Acme")
            caller = operator(services.organisations.add("test", wanted), "test")
            issue = services.access.issue
            secrets = {
                "everything": issue(caller, "everything", EVERY_GRANT),
                "box": issue(caller, "box", EVERY_GRANT, user="box"),
                "unknown": new_secret(),
            }
            environment = {
                "DNCD_OWNER_DATABASE_URL": running.url,
            }
            with proxied(url) as proxy:
                environment["DATABASE_URL"] = proxy.url
                with serving(folder, environment, http_server, 2) as service:
                    yield Watched(
                        service, proxy, running.url, place / "postgres.log", secrets
                    )
            database.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, http_server: str
) -> Iterator[Watched]:
    folder: Path = tmp_path_factory.mktemp("canaries")
    with watching("embedded", folder, http_server) as found:
        yield found


@pytest.fixture(scope="module", params=["embedded", "plain", "loud"])
def logged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """A service whose PostgreSQL logs as its owner has set it."""
    folder: Path = tmp_path_factory.mktemp("logged")
    with watching(request.param, folder, "gunicorn") as found:
        yield found


@dataclass(frozen=True)
class Asked:
    """One way into one operation, with the names of its fields."""

    path: str
    method: str
    media_type: str | None
    fields: tuple[str, ...]

    @property
    def echoes(self) -> bool:
        """Whether the vendor's answer repeats what was asked, by its contract."""
        return any(
            part in self.path for part in ("non_agent_api", "/vicidial/", "rpc/pdnc")
        )

    def write(self, values: dict[str, str], token: str) -> bytes:
        """Return the request with *values* in its fields."""
        path = re.sub(
            r"\{(\w+)\}", lambda found: quote(values.get(found[1], "1")), self.path
        )
        headers = [f"Authorization: Bearer {token}".encode()]
        method = self.method.upper().encode()
        encoded = form(values)
        match self.media_type:
            case None:
                return request(
                    f"{path}?{encoded.decode()}", method=method, headers=headers
                )
            case "application/json":
                body = json.dumps(values).encode()
            case "multipart/form-data":
                body = multipart(values)
                return request(path, body, MULTIPART, method=method, headers=headers)
            case _:
                body = encoded
        return request(path, body, self.media_type, method=method, headers=headers)


BOUNDARY = "canary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def multipart(values: dict[str, str]) -> bytes:
    parts = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="{name}"\r\n\r\n{text}\r\n'
        for name, text in values.items()
    ]
    return ("".join(parts) + f"--{BOUNDARY}--\r\n").encode()


def every_way() -> Iterator[Asked]:
    for path, methods in OPERATIONS.items():
        for method, told in methods.items():
            if method not in {"get", "post", "put", "delete", "patch"}:
                continue
            names = {p["name"] for p in told.get("parameters", ()) if "name" in p}
            bodies = told.get("requestBody", {}).get("content", {})
            for content in bodies.values():
                names |= set(properties(content.get("schema", {})))
            for media_type in {None, *bodies, JSON, "multipart/form-data"}:
                yield Asked(path, method, media_type, tuple(sorted(names)))


def properties(schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        document = read_document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            document = document[step]
        schema = document
    yield from schema.get("properties", ())


WAYS = list(every_way())

SECRET_FIELDS = {"auth_token", "pass", "loginId", "token"}
USABLE = {
    "phone_number": NATIONAL,
    "phoneNumber": f"1{NATIONAL}",
    "phoneList": NATIONAL,
    "phone_code": "1",
    "campaign_id": "0",
    "user": "box",
    "function": "add_dnc_phone",
    "actionType": "add",
    "source": "test",
    "reason": REASON,
    "type": REASON,
    "requestUUID": REASON,
    "first_name": REASON,
    "last_name": REASON,
}


def usable(asked: Asked, watched: Watched) -> dict[str, str]:
    """Return fields with which *asked* may well succeed."""
    values = {name: USABLE[name] for name in asked.fields if name in USABLE}
    for name in SECRET_FIELDS & set(asked.fields):
        values[name] = watched.secrets["box" if name == "pass" else "everything"]
    return values


@pytest.mark.both_servers
@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_no_field_of_an_operation_leaves_behind_what_was_in_it(path, watched):
    """Each field in turn holds each kind of canary, in every way of sending it."""
    canaries = (*SPELLINGS, REASON, *watched.secrets.values(), f"{NATIONAL}\0")
    turn = itertools.cycle(canaries)
    for asked in (way for way in WAYS if way.path == path):
        good = usable(asked, watched)
        watched.send(asked.write(good, watched.token), echoes=asked.echoes)
        for name in (*asked.fields, "x"):
            for _ in range(2):
                values = good | {name: next(turn)}
                sent = asked.write(values, watched.token)
                watched.send(sent, echoes=asked.echoes)
        for canary in canaries:
            values = dict.fromkeys(asked.fields, canary) | {canary: "x"}
            watched.send(asked.write(values, canary), echoes=asked.echoes)

    watched.require_nothing_left()


@pytest.mark.both_servers
@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_no_header_path_or_size_leaves_behind_what_was_in_it(path, watched):
    """What is refused before a field is read, by the server or by the application."""
    echoes = Asked(path, "", None, ()).echoes
    for canary in (NATIONAL, "917-555-0148", REASON, *watched.secrets.values()):
        text = canary.encode()
        basic = base64.b64encode(b"box:" + text)
        query = form({"auth_token": canary, "pass": canary, "phone_number": NATIONAL})
        for header in (
            b"X-Request-ID: " + text,
            b"Authorization: Bearer " + text,
            b"Authorization: Basic " + basic,
            b"loginId: " + text,
            b"User-Agent: " + text,
            b"Referer: http://localhost/" + text,
            b"Cookie: a=" + text,
            b"X-Forwarded-For: " + text,
            b"Idempotency-Key: " + text,
            b"Content-Encoding: " + text,
            b"Host: " + text,
            b"Expect: " + text,
            text + b": x",
            text + b": " + b"x" * 20_000,
        ):
            watched.send(request(path, query, headers=[header]), echoes=echoes)
        where = f"{path}/{quote(canary)}?{query.decode()}"
        for sent in (
            request(where, method=b"GET"),
            request(where, method=b"POST"),
            request(f"{path}?{query.decode()}", method=b"PATCH"),
            request(f"{path}?{query.decode()}", method=text.replace(b" ", b"")),
            request(f"{path}?{query.decode()}&x={'x' * 20_000}", method=b"GET"),
            request(path, query + b"&x=" + b"x" * 6_000_000),
            request(path, query, f"text/{canary}"),
            request(path, b'{"a": "' + text, JSON),
            request(path, text, f"multipart/form-data; boundary={canary}"),
            request(path, query, length=canary),
            request(path, query, length=len(query) + 5),
            b"GET " + path.encode() + b"?" + query + b" HTTP/9.9\r\n\r\n",
            b"GET " + path.encode() + b" " + text + b" HTTP/1.1\r\n\r\n",
            text + b"\r\n\r\n",
        ):
            watched.send(sent, echoes=echoes)

    watched.require_nothing_left()


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
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(requests.RequestException):
            if requests.get(f"{watched.service.base}/readyz", timeout=5).ok:
                return
        time.sleep(0.1)
    pytest.fail("the service did not become well again")


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


def test_no_process_names_a_secret_in_its_arguments(watched):
    service = psutil.Process(watched.service.process.pid)
    password = str(conninfo.conninfo_to_dict(watched.owner_url)["password"])

    for process in (service, *service.children(recursive=True)):
        arguments = " ".join(process.cmdline())
        watched.require_silence(arguments)
        assert password not in arguments


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


def test_the_proxy_logs_no_query_and_no_header_of_the_client():
    """Its own lines name the path alone; its errors, below crit, the whole line."""
    text = (Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf").read_text()

    formats = re.findall(r"log_format[^;]+;", text)
    logs = re.findall(r"(?:access|error)_log [^;]+;", text)

    assert len(formats) == 1
    logged = set(re.findall(r"\$(\w+)", formats[0]))
    assert logged <= {
        "time_iso8601",
        "logged_id",
        "remote_addr",
        "logged_method",
        "logged_path",
        "status",
        "bytes_sent",
        "request_time",
        "upstream_response_time",
    }
    assert logs == ["error_log /dev/stderr crit;", "access_log /dev/stdout json;"]


@pytest.fixture
def proxy_log(watched: Watched, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of the proxy before the service, and where it logs."""
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed")
    port, log = free_port(), tmp_path / "nginx.log"
    log.touch()
    text = (Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf").read_text()
    for shipped, here in (
        ("/tmp/", f"{tmp_path}/"),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
        ("dncd:8080", watched.service.base.removeprefix("http://")),
        ("/dev/stdout", str(log)),
        ("/dev/stderr", str(log)),
        ("worker_processes auto", "daemon off; worker_processes 1"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    # Its workers need not be anybody else to write where they do.
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"user {getpass.getuser()};\n{text}")
    with subprocess.Popen([nginx, "-e", str(log), "-c", str(conf)]) as process:
        base = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with suppress(requests.RequestException):
                    if requests.get(f"{base}/healthz", timeout=5).ok:
                        break
                time.sleep(0.05)
            yield base, log
        finally:
            process.terminate()


def test_the_proxy_logs_nothing_of_what_passes_through_it(watched, proxy_log):
    base, log = proxy_log
    turn = itertools.cycle((*SPELLINGS, NATIONAL, *watched.secrets.values()))
    for path in OPERATIONS:
        canary = next(turn)
        text = canary.encode()
        query = form({"auth_token": canary, "pass": canary, "phone_number": canary})
        for sent in (
            request(f"{path}?{query.decode()}", method=b"GET"),
            request(f"{path}/{quote(canary)}?{query.decode()}", method=b"GET"),
            request(path, query, headers=[b"X-Request-ID: " + text]),
            request(path, query, headers=[b"User-Agent: " + text]),
            request(path, query, headers=[b"Referer: http://localhost/" + text]),
            request(path, query, method=text.replace(b" ", b"")),
            request(path, query, length=canary),
            request(f"{path}?{query.decode()}&x={'x' * 70_000}", method=b"GET"),
            b"GET " + path.encode() + b"?" + query + b" HTTP/9.9\r\n\r\n",
            text + b"\r\n\r\n",
        ):
            with suppress(OSError, HTTPException):
                exchange(base, sent, finish=True)

    told = log.read_text()
    watched.require_silence(told)
    logged = {json.loads(line)["path"] for line in told.splitlines() if line[0] == "{"}
    assert {path for path in OPERATIONS if "{" not in path} <= logged
