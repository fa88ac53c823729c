"""The sealer beside the workers, the ``audit`` command, and anchors kept elsewhere."""

import json
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import psycopg
import pytest
import requests

from app.audit import verify
from app.audit.couriers import Dispatch, Mail, Post
from app.audit.verify import Anchor
from app.files import anchors
from tests.conftest import TestServer
from tests.wire.command import done, run
from tests.wire.service import Service, serving

ANCHOR = Anchor("a-chain", 7, "ab" * 32, 12, "2026-11-21T11:00:00.000000+00:00")


def wait_until(happens: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def service(
    server: TestServer, template: str, tmp_path: Path, http_server: str
) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service that anchors every second, and what its commands need."""
    with server.new_database(template) as url:
        environment = {
            "DATABASE_URL": url,
            "DNCD_SEAL": "on",
            "DNCD_ANCHOR_SECONDS": "1",
        }
        with serving(tmp_path, environment, http_server, workers=2) as running:
            yield running, environment


def insert(service: Service, folder: Path, phone_number: str) -> None:
    token = (folder / "data" / "token").read_text().strip()
    answer = requests.post(
        f"{service.base}/v1/dnc/insert",
        data={
            "auth_token": token,
            "phone_number": phone_number,
            "phone_code": "1",
            "campaign_id": "0",
        },
        timeout=20,
    )
    assert answer.json()["success"] is True, answer.text


def anchored(folder: Path) -> Anchor | None:
    return anchors.newest(folder / "data" / "anchors.jsonl")


def sealed_operations(folder: Path) -> int:
    found = anchored(folder)
    return found.operations if found else 0


@pytest.mark.both_servers(second="soak")
def test_the_service_seals_and_anchors_by_itself_and_its_sealer_dies_with_it(
    service: tuple[Service, dict[str, str]], tmp_path: Path
) -> None:
    running, environment = service
    wait_until(lambda: sealed_operations(tmp_path) > 0)
    before = sealed_operations(tmp_path)

    insert(running, tmp_path, "5551234567")

    wait_until(lambda: sealed_operations(tmp_path) == before + 1)
    assert (
        "dncd_sealed_timestamp_seconds"
        in requests.get(f"{running.base}/metrics", timeout=20).text
    )
    assert "VERIFIED" in done(["audit", "verify"], tmp_path, environment)
    children = psutil.Process(running.process.pid).children(recursive=True)
    running.process.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


@pytest.mark.soak
@pytest.mark.both_servers(second="soak")
def test_a_sealer_that_was_killed_is_followed_by_another(
    service: tuple[Service, dict[str, str]], tmp_path: Path
) -> None:
    running, environment = service
    wait_until(lambda: sealed_operations(tmp_path) > 0)
    before = sealed_operations(tmp_path)
    parent = psutil.Process(running.process.pid)
    listening = parent.net_connections("tcp")[0].laddr.port

    # It is started before the workers are.
    min(parent.children(), key=lambda child: child.create_time()).kill()
    insert(running, tmp_path, "5551234567")

    wait_until(lambda: sealed_operations(tmp_path) == before + 1)
    running.process.terminate()
    running.process.wait(timeout=40)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listening))
    assert "VERIFIED" in done(["audit", "verify"], tmp_path, environment)


def test_what_came_last_is_anchored_before_the_service_ends(
    service: tuple[Service, dict[str, str]], tmp_path: Path
) -> None:
    running, environment = service
    insert(running, tmp_path, "5551234567")
    running.process.terminate()
    running.process.wait(timeout=40)

    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT count(*) FROM operation").fetchone()

    assert row == (sealed_operations(tmp_path),)


def test_an_export_verifies_without_dncd_and_a_change_in_it_is_found(
    service: tuple[Service, dict[str, str]], tmp_path: Path
) -> None:
    running, environment = service
    insert(running, tmp_path, "5551234567")
    wait_until(lambda: sealed_operations(tmp_path) > 2)
    done(["audit", "export", "audit.jsonl.gz"], tmp_path, environment)
    done(["audit", "export", "audit.jsonl"], tmp_path, environment)
    alone = tmp_path / "alone"
    alone.mkdir()
    program = alone / "verify_audit.py"
    program.write_text(Path(verify.__file__).read_text())
    kept = tmp_path / "data" / "anchors.jsonl"

    def verdict(export: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-I", program, "--export", export, "--anchors", kept],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    whole = verdict("audit.jsonl.gz")
    changed = (
        (tmp_path / "audit.jsonl").read_text().replace("15551234567", "15551234568")
    )
    (tmp_path / "changed.jsonl").write_text(changed)
    edited = verdict("changed.jsonl")
    (tmp_path / "cut.jsonl").write_text("".join(changed.splitlines(keepends=True)[:3]))
    cut = verdict("cut.jsonl")
    (tmp_path / "broken.jsonl").write_text('{"type": "other"}\n')

    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "VERIFIED" in whole.stdout
    assert edited.returncode == 1
    assert "one or more of the 1 versions that it made" in edited.stdout
    assert cut.returncode == 1
    assert verdict("broken.jsonl").returncode == 2
    result = run(
        ["audit", "verify", "--export", "changed.jsonl"], tmp_path, environment
    )
    assert result.returncode == 1
    assert "TAMPERED" in result.stdout


@pytest.mark.soak
def test_another_key_is_refused_at_the_start_in_clear_words(
    service: tuple[Service, dict[str, str]], tmp_path: Path
) -> None:
    _, environment = service
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    missing = run(["serve"], elsewhere, environment)
    (elsewhere / "data").mkdir(exist_ok=True)
    (elsewhere / "data" / "key").write_text("00" * 32)
    wrong = run(["serve"], elsewhere, environment)

    assert missing.returncode == wrong.returncode == 1
    assert "is missing: put the file back" in missing.stderr
    assert "belongs to the one with fingerprint" in wrong.stderr


@contextmanager
def listening(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        port: int = server.server_address[1]  # type: ignore[index]
        yield port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_anchor_is_posted_again_until_it_is_taken() -> None:
    taken: list[dict[str, object]] = []
    statuses = [500, 200]
    failed: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(json.loads(body))
            self.send_response(statuses[len(taken) - 1])
            self.end_headers()

        def log_message(self, *_: object) -> None:  # type: ignore[override]
            pass

    with listening(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        dispatch = Dispatch(
            [Post(f"http://127.0.0.1:{port}/anchors")],
            lambda name, error: failed.append(f"{name} {type(error).__name__}"),
        )
        dispatch.send(ANCHOR)
        wait_until(lambda: len(taken) == 2)

    assert taken[1] == {
        "chain": "a-chain",
        "sequence": 7,
        "root": "ab" * 32,
        "operations": 12,
        "at": "2026-11-21T11:00:00.000000+00:00",
    }
    assert failed == ["url HTTPError"]


def test_an_anchor_is_sent_by_mail() -> None:
    letters: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    letter = b""
                    while not letter.endswith(b"\r\n.\r\n"):
                        letter += self.rfile.readline()
                    letters.append(letter.decode())
                elif line.upper().startswith(b"QUIT"):
                    self.wfile.write(b"221 bye\r\n")
                    return
                self.wfile.write(b"250 fine\r\n")

    with listening(socketserver.TCPServer(("127.0.0.1", 0), Handler)) as port:
        Mail("auditor@example.org", f"smtp://127.0.0.1:{port}").carry(ANCHOR)

    [letter] = letters
    assert "To: auditor@example.org" in letter
    assert "Subject: dncd anchor: seal 7" in letter
    assert ANCHOR.root in letter
