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
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
import requests
from psycopg import conninfo

from tests.openapi_document import read_document
from tests.wire.canaries import (
    NATIONAL,
    REASON,
    USABLE,
    Watched,
    watching,
)
from tests.wire.raw_http import JSON, exchange, form, request
from tests.wire.service import free_port

OPERATIONS: dict[str, dict[str, Any]] = read_document()["paths"]

# Every field, log and fault: some minutes.
pytestmark = pytest.mark.soak

SPELLINGS = (f"+1{NATIONAL}", "917-555-0148", "(917) 555 0148", f"0{NATIONAL}x")


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, http_server: str
) -> Iterator[Watched]:
    folder: Path = tmp_path_factory.mktemp("canaries")
    with watching("embedded", folder, http_server) as found:
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


def test_no_process_names_a_secret_in_its_arguments(watched):
    service = psutil.Process(watched.service.process.pid)
    password = str(conninfo.conninfo_to_dict(watched.owner_url)["password"])

    for process in (service, *service.children(recursive=True)):
        arguments = " ".join(process.cmdline())
        watched.require_silence(arguments)
        assert password not in arguments


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
