"""
The pair as it is shipped: nginx with deploy/nginx.conf, and the service behind it.

Skipped where there is no nginx.
"""

import itertools
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.conftest import TestServer
from tests.wire.raw_http import FORM, exchange, form, request
from tests.wire.service import free_port, serving_alone

# Where no user's PATH may lead.
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx") or ""
CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"

SLOW = 500
_numbers = itertools.count()
SECONDS = 8.0

# Whoever asks before a call waits no longer.
PATIENCE = 2.0

pytestmark = [
    pytest.mark.soak,
    pytest.mark.both_servers(second="soak"),
    pytest.mark.skipif(not NGINX, reason="nginx is not installed"),
]


@dataclass(frozen=True)
class Pair:
    """Where nginx listens, and a token for the service behind it."""

    base: str
    token: str

    def fields(self, **more: object) -> bytes:
        return form({"auth_token": self.token, "phone_code": "1", **more})

    def connect(self) -> socket.socket:
        host, port = self.base.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), 5)


def write_configuration(folder: Path, port: int, service: str) -> Path:
    """Return the shipped file, changed only in places that belong to a machine."""
    text = CONFIGURATION.read_text()
    text = text.replace("/tmp/", f"{folder}/")
    text = text.replace("/dev/stdout", f"{folder}/access.log")
    text = text.replace("/dev/stderr", f"{folder}/error.log")
    text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
    text = text.replace("server dncd:8080", f"server {service}")
    text = re.sub(r"worker_processes auto;", "worker_processes 1;", text)
    file = folder / "nginx.conf"
    file.write_text(f"daemon off;\n{text}")
    return file


@pytest.fixture(scope="module")
def pair(
    server: TestServer,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
    http_server: str,
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with (
        server.new_database(template) as url,
        serving_alone(url, folder, http_server, workers=2) as alone,
    ):
        port = free_port()
        upstream = alone.api.base.removeprefix("http://")
        file = write_configuration(folder, port, upstream)
        process = subprocess.Popen(
            [NGINX, "-c", str(file), "-e", str(folder / "error.log")]
        )
        try:
            base = f"http://127.0.0.1:{port}"
            wait_for(base)
            fill(base, alone.api.token)
            yield Pair(base, alone.api.token)
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_for(base: str) -> None:
    for _ in range(100):
        try:
            if requests.get(f"{base}/readyz", timeout=5).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    pytest.fail("nginx did not begin to listen")


def fill(base: str, token: str) -> None:
    """List so many numbers that an answer with all of them fits into no buffer."""
    rows = "".join(f"2125{number:06}\n" for number in range(1000))
    answer = requests.post(
        f"{base}/v1/dnc/import?phone_code=1&campaign_id=0",
        data="phone_number\n" + rows,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "text/csv"},
        timeout=30,
    )
    assert answer.json()["success"] is True, answer.text


def slow_headers(pair: Pair) -> socket.socket:
    connection = pair.connect()
    connection.sendall(b"POST /v1/dnc/insert HTTP/1.1\r\nHost: localhost\r\n")
    return connection


def slow_body(pair: Pair) -> socket.socket:
    connection = pair.connect()
    connection.sendall(request("/v1/dnc/insert", b"auth_token=", length=5000))
    return connection


def never_read(pair: Pair) -> socket.socket:
    """Ask for more than any buffer holds, and take none of it once it comes."""
    for _ in range(50):
        connection = pair.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(20)
        connection.sendall(request("/v1/dnc/search", pair.fields(limit=1000)))
        if b" 200" in connection.recv(12, socket.MSG_PEEK):
            return connection
        # So many at once may be too many for this machine; slow they are later.
        connection.close()
        time.sleep(0.2)
    pytest.fail("no answer that one could leave unread")


def ask(pair: Pair, number: int) -> None:
    """Ask what every dialer asks, and list one more; raises unless both are done."""
    for path, fields in (
        ("check", pair.fields(phone_number=f"2126{number:06}")),
        ("insert", pair.fields(phone_number=f"2127{number:06}", campaign_id=0)),
        ("search", pair.fields(phone_number="2125000001")),
    ):
        began = time.monotonic()
        answer = exchange(pair.base, request(f"/v1/dnc/{path}", fields, FORM))
        assert answer.status == 200, (path, answer)
        assert answer.json()["success"] is True, (path, answer)
        assert time.monotonic() - began < PATIENCE, path


@pytest.mark.parametrize("slow", [slow_headers, slow_body, never_read])
def test_five_hundred_slow_connections_cost_no_good_request(pair: Pair, slow):
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(slow, [pair] * SLOW))
    over = threading.Event()

    def drip() -> None:
        while slow is not never_read and not over.wait(0.5):
            for connection in held:
                try:
                    connection.sendall(b"X-A: b\r\n" if slow is slow_headers else b"x")
                except OSError:
                    continue

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        ends = time.monotonic() + SECONDS
        asked = 0
        while time.monotonic() < ends:
            asked += 1
            ask(pair, next(_numbers))
    finally:
        over.set()
        dripping.join()
        for connection in held:
            connection.close()

    assert len(held) == SLOW
    assert asked > 10


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /v1/dnc/search HTTP/3.7\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /v1/dnc/search?" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"no request at all\r\n\r\n", 400),
    ],
)
def test_what_nginx_refuses_itself_is_worded_as_the_service_does(
    pair: Pair, sent: bytes, status: int
):
    with closing(pair.connect()) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65536):
            received += part

    head, _, body = received.partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode()
    assert b'"success": false' in body
