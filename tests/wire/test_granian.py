"""What our way of running granian promises to an application, whatever it answers."""

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from app import granian_server, granian_streams
from app.http import limits, request_log
from tests.waiting import require, require_soon
from tests.wire import command, programs
from tests.wire.forked import Forked
from tests.wire.programs import accepts, receive
from tests.wire.raw_http import chunked, exchange, request
from tests.wire.service import free_port

FLOOD_BYTES = 2**28


def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Refuse, name the worker, repeat a body in pieces of four bytes, or break off."""
    if refused := environ.get(limits.REFUSED):
        start_response(f"{refused} Refused", [("Content-Length", "0")])
        return [environ["wsgi.input"].read()]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/worker":
        return [str(os.getpid()).encode()]
    if environ["PATH_INFO"].startswith("/environment"):
        return [repr({**environ, "wsgi.input": None}).encode()]
    if environ["PATH_INFO"] == "/flood":
        return flood()
    return repeat(environ["wsgi.input"], environ["PATH_INFO"] == "/broken")


def repeat(body: Any, broken: bool) -> Iterator[bytes]:  # noqa: FBT001
    while part := body.read(4):
        yield part
    if broken:
        raise RuntimeError


def flood() -> Iterator[bytes]:
    """Yield more than anybody wants, and first who sends it."""
    yield f"{os.getpid()}\n".encode()
    for _ in range(FLOOD_BYTES // 2**16):
        yield bytes(2**16)


def run(port: int) -> None:
    request_log.configure()
    granian_server.serve(
        lambda: (answer, None), "127.0.0.1", port, workers=2, threads=2
    )


def run_impatient(port: int) -> None:
    granian_streams.PATIENCE_SECONDS = 1
    run(port)


def run_late(port: int) -> None:
    """Take long to make what the workers serve."""

    def make() -> tuple[Any, None]:
        time.sleep(2.0)
        return answer, None

    granian_server.serve(make, "127.0.0.1", port, workers=2, threads=2)


def run_ended(port: int) -> None:
    """Tell each worker to end before its loop runs."""
    begin = granian_server._begin_worker

    def begin_and_end(parent: int) -> None:
        begin(parent)
        os.kill(os.getpid(), signal.SIGTERM)

    granian_server._begin_worker = begin_and_end
    run(port)


def run_hesitant(port: int) -> None:
    """Take long to cut off an answer that is waited for, and to close what it used."""
    close, cut_off = os.close, granian_streams._cut_off

    def close_late(descriptor: int) -> None:
        if sys._getframe(1).f_code is granian_streams._write_all.__code__:
            time.sleep(0.5)
        close(descriptor)

    def cut_off_late(*clients: str) -> None:
        time.sleep(0.2)
        cut_off(*clients)

    os.close, granian_streams._cut_off = close_late, cut_off_late
    run(port)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server of ``answer``."""
    with serving_answer() as (port, _):
        yield port


@pytest.fixture
def started() -> Iterator[tuple[int, Forked]]:
    """The port and the parent process of a server that a test may harm."""
    with serving_answer() as found:
        yield found


def begin() -> None:
    """Serve as the function does that is named by the arguments, at their port."""
    _, name, port = sys.argv
    globals()[name](int(port))


def serving_answer(
    name: str = "run",
) -> AbstractContextManager[tuple[int, Forked]]:
    """Have a process serve as the function does that has this *name*."""
    secret = {"HTTP_PROXY_SECRET": "from the environment"}
    return programs.serving(f"{__name__}:begin", name, secret)


def worker(port: int) -> int:
    found = exchange(f"http://127.0.0.1:{port}", request("/worker", method=b"GET"))
    return int(found.body)


def test_an_answer_is_sent_while_its_request_still_comes(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(request("/", length=2 * limits.FORM_BYTES))
        for letter in (b"a", b"b"):
            connection.sendall(letter * limits.FORM_BYTES)
            assert letter * 4 in receive(connection, 20, until=letter * 4)


def test_an_answer_that_broke_off_never_looks_complete(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(request("/broken", b"abcd"))
        began = time.monotonic()
        received = receive(connection, 5)

    require_soon(time.monotonic() - began, 4, "it is told at once")
    assert not received.endswith(b"0\r\n\r\n")
    # Both threads of both workers are free again.
    for _ in range(8):
        assert worker(port)


def test_an_answer_that_broke_off_leaves_no_descriptor_open(started):
    port, _ = started
    workers: set[int] = set()
    broken = 20

    def both_answered() -> bool:
        workers.add(worker(port))
        return len(workers) == 2

    def descriptors() -> int:
        return sum(psutil.Process(each).num_fds() for each in workers)

    # One that still starts has yet to open most of what it keeps.
    require(both_answered)
    before = descriptors()
    for _ in range(broken):
        with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
            connection.sendall(request("/broken", b"abcd"))
            receive(connection, 5)

    # A connection that ends may still count, so that numbers need not be equal.
    require(lambda: descriptors() < before + broken / 2)


def test_an_answer_that_broke_off_holds_up_no_stop():
    with serving_answer("run_hesitant") as (port, process):
        with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
            connection.sendall(request("/broken", b"abcd"))
            receive(connection, 5)

        process.terminate()

        assert process.wait(20) == 0


def test_a_body_that_was_cut_is_not_taken_for_a_whole_one(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(request("/", b"abcdef", length=12))
        connection.shutdown(socket.SHUT_WR)
        received = receive(connection, 1)

    assert b"ef" not in received


def test_nobody_waits_for_ever_for_the_end_of_a_short_body():
    with (
        serving_answer("run_impatient") as (port, _),
        closing(socket.create_connection(("127.0.0.1", port), 5)) as connection,
    ):
        connection.sendall(request("/", b"abcdef", length=12))

        connection.settimeout(15)
        # The end of the connection, rather than that nothing comes.
        assert b"200 OK" not in connection.recv(1000)
        assert worker(port)


@pytest.mark.parametrize("body", [b"1\r\nx\r\n0\r\n\r\n", b"0\r\n\r\n"])
def test_a_body_in_chunks_is_refused(body, port):
    answered = exchange(f"http://127.0.0.1:{port}", chunked("/", body))

    assert (answered.status, answered.body) == (411, b"")
    assert answered.headers["connection"] == "close"


def test_a_request_holds_nothing_of_the_environment(port):
    found = exchange(f"http://127.0.0.1:{port}", request("/environment", method=b"GET"))

    assert b"REQUEST_METHOD" in found.body
    assert b"from the environment" not in found.body


def test_an_answer_waits_for_its_client_and_fills_no_memory(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(request("/flood", method=b"GET"))
        begun = connection.recv(1000).split(b"\r\n\r\n")[-1]
        sender = re.search(rb"([0-9]+)\n", begun + connection.recv(1000))
        assert sender is not None
        time.sleep(1)

        assert resident_bytes(int(sender[1])) < FLOOD_BYTES / 2

        received = 0
        while part := connection.recv(2**20):
            received += len(part)
    assert received > FLOOD_BYTES


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_no_header_passes_for_another(port):
    headers = [b"X_Forwarded_For: 192.0.2.1", b"X-Two: a", b"X-Two: b"]

    sent = request("/environment", method=b"GET", headers=headers)
    found = exchange(f"http://127.0.0.1:{port}", sent)

    assert b"FORWARDED" not in found.body
    assert b"'HTTP_X_TWO': 'a,b'" in found.body


def test_a_header_that_is_no_text_is_not_taken_for_none(port):
    sent = request("/environment", method=b"GET", headers=["X-Key: ü".encode()])

    found = exchange(f"http://127.0.0.1:{port}", sent)

    assert rb"'HTTP_X_KEY': '\xff'" in found.body or "'ÿ'".encode() in found.body


def test_a_path_that_is_no_ascii_is_what_wsgi_makes_of_it(port):
    sent = request("/environment/%C3%BC", method=b"GET")
    found = exchange(f"http://127.0.0.1:{port}", sent)

    assert repr("/environment/ü".encode().decode("latin-1")).encode() in found.body


def test_a_worker_that_was_killed_is_replaced(started):
    port, process = started
    # Whom granian has just started and loses again, it does not replace.
    killed = worker(port)

    os.kill(killed, signal.SIGKILL)

    require(lambda: len({worker(port) for _ in range(20)} - {killed}) == 2)
    assert process.poll() is None


def test_a_worker_that_is_told_to_end_before_it_has_begun_ends():
    with serving_answer("run_ended") as (_, process):
        # Workers that all end at their birth end the server.
        assert process.wait(20) == 1


def test_a_stop_is_heard_by_workers_that_are_only_made():
    with serving_answer("run_late") as (_, process):
        process.terminate()

        assert process.wait(20) == 0


def test_no_worker_outlives_its_parent(started):
    port, process = started

    process.kill()

    require(lambda: not accepts(port))


def test_a_port_is_waited_for_that_a_killed_server_has_left_behind():
    port = free_port()
    left = socket.create_server(("127.0.0.1", port))
    leaving = threading.Timer(0.5, left.close)
    leaving.start()

    with closing(granian_server.listen("127.0.0.1", port, 1)) as taken:
        assert taken.getsockname()[1] == port

    leaving.join()


def test_a_port_that_is_taken_is_refused(port, tmp_path):
    chosen = {"DNCD_SERVER": "granian"}

    refused = command.run(["serve", "--port", str(port)], tmp_path, chosen)

    assert refused.returncode == 1
    assert "Address already in use" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr


def test_an_installation_without_granian_says_what_it_lacks(tmp_path):
    (tmp_path / "granian.py").write_text("raise ModuleNotFoundError")
    chosen = {"DNCD_SERVER": "granian", "PYTHONPATH": str(tmp_path)}

    asked = ["serve", "--port", str(free_port())]
    refused = command.run(asked, tmp_path, chosen, executable=True)

    assert refused.returncode == 1
    (line,) = refused.stderr.strip().splitlines()
    assert "DNCD_SERVER" in line
    assert "extra fast" in line
