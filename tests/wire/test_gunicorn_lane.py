"""What our way of running gunicorn alone promises to a lane. The lane is a fake."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psutil
import pytest

from tests.waiting import require
from tests.wire import programs
from tests.wire.fake_lane import ask
from tests.wire.forked import Forked
from tests.wire.programs import receive
from tests.wire.raw_http import chunked, exchange, request

PROGRAM = "tests.wire.fake_lane:begin"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, Forked]]:
    with programs.serving(PROGRAM, "gunicorn") as found:
        yield found


@pytest.fixture
def port(served: tuple[int, Forked]) -> int:
    return served[0]


def kept(path: str, body: bytes) -> bytes:
    """Return a request after which its connection goes on."""
    return request(path, body).replace(b"Connection: close\r\n", b"")


def connected(port: int) -> "closing[socket.socket]":
    return closing(socket.create_connection(("127.0.0.1", port), 5))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(chunked("/lane", b"1\r\nx\r\n0\r\n\r\n"), id="chunked"),
        pytest.param(
            request("/lane", b"x").replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"
        ),
        pytest.param(request("/l%61ne", b"x"), id="encoded"),
        pytest.param(request("/lane#part", b"x"), id="a fragment"),
        pytest.param(request("/lane", b"x", headers=[b"X-A: \xe9"]), id="latin"),
        pytest.param(request("/lane", b"x", headers=[b"X-A:\ta"]), id="a tab"),
        pytest.param(
            request("/lane", b"x", headers=[b"X-A: a", b"X-A: b"]), id="a header twice"
        ),
        pytest.param(
            request("/lane", b"x", headers=[b"Upgrade: websocket"]), id="an upgrade"
        ),
        pytest.param(request("/lane", b"x", method=b"PUT"), id="another method"),
        pytest.param(request("/wrong", b"x"), id="a lane that fails at once"),
    ],
)
def test_what_is_unusual_is_left_to_threads_as_it_came(port, sent):
    answer = exchange(f"http://127.0.0.1:{port}", sent)

    assert (answer.status, answer.body) == (200, b"application:x")
    assert ask(port, b"again") == (200, b"lane:again")


@pytest.mark.parametrize(
    "sent",
    [
        request("/lane", b"x", length="+1"),
        request("/lane", b"x", headers=[b"Content-Length: 2"]),
        request("/lane", b"x", headers=[b"X A: b"]),
        request("/lane", b"x", headers=[b"X-A: a\0b"]),
    ],
    ids=["a signed length", "two lengths", "a space in a name", "a NUL"],
)
def test_what_gunicorn_refuses_no_lane_answers(port, sent):
    assert exchange(f"http://127.0.0.1:{port}", sent).status == 400


def test_a_body_that_is_yet_to_come_is_left_to_a_thread(port):
    with connected(port) as connection:
        connection.sendall(request("/lane", b"", length=4))
        time.sleep(0.1)
        connection.sendall(b"late")

        assert receive(connection, 5).endswith(b"application:late")


def test_what_is_longer_than_a_check_is_left_to_a_thread(port):
    body = b"x" * 20_000

    assert ask(port, body) == (200, b"application:" + body)


def test_requests_sent_at_once_are_answered_in_turn(port):
    sent = [kept("/lane", b"1"), kept("/other", b"2"), kept("/lane", b"3")]
    with connected(port) as connection:
        connection.sendall(b"".join([*sent, request("/lane", b"4")]))
        received = receive(connection, 5)

    answered = re.findall(rb"(?:lane|application):([0-9])", received)
    assert answered == [b"1", b"2", b"3", b"4"]
    assert received.count(b"HTTP/1.1 200 OK") == 4


def test_the_head_is_what_gunicorn_would_have_written(port):
    def head(path: str) -> list[bytes]:
        with connected(port) as connection:
            connection.sendall(kept(path, b"x") + request(path, b"x"))
            lines = receive(connection, 5).split(b"\r\n")
        assert any(line.startswith(b"Date: ") for line in lines)
        return [line for line in lines if line.startswith((b"HTTP", b"Ser", b"Con"))]

    lane = [line for line in head("/lane") if b"Length" not in line]
    assert lane == [line for line in head("/other") if b"Length" not in line]
    assert b"Connection: keep-alive" in lane
    assert b"Connection: close" in lane


def test_a_client_that_says_no_more_needs_no_thread(served):
    port, process = served
    ask(port, b"begin")
    (worker,) = psutil.Process(process.pid).children()
    with ThreadPoolExecutor(2) as pool, connected(port) as connection:
        connection.sendall(kept("/lane", b"first"))
        receive(connection, 5, until=b"lane:first")
        before = worker.num_fds()
        # Both threads are busy, and so need not be asked.
        slow = [pool.submit(ask, port, b"x", "/slow") for _ in range(2)]
        time.sleep(0.2)
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(1) == b""
        assert not any(each.done() for each in slow)
        assert {each.result() for each in slow} == {(200, b"application:x")}
    require(lambda: worker.num_fds() < before)


def test_a_client_that_has_gone_leaves_nothing_open(served):
    port, process = served
    ask(port, b"begin")
    (worker,) = psutil.Process(process.pid).children()
    before = worker.num_fds()
    for _ in range(20):
        with connected(port) as connection:
            connection.sendall(kept("/lane", b"x"))

    require(lambda: worker.num_fds() <= before)
    assert ask(port, b"again") == (200, b"lane:again")


def test_who_is_answered_and_heard_at_the_same_moment_ends_no_worker(served):
    port, process = served
    ask(port, b"begin")
    before = psutil.Process(process.pid).children()
    with connected(port) as first, connected(port) as second:
        first.sendall(kept("/lane", b"first"))
        receive(first, 5, until=b"lane:first")
        first.sendall(request("/lane", b"hear"))
        time.sleep(0.05)
        second.sendall(request("/lane", b"sleep"))
        # While the worker looks at nobody, the answer comes, and then more is sent.
        time.sleep(0.3)
        first.sendall(b"more")

        assert receive(first, 5, until=b"heard").endswith(b"lane:heard")
        assert receive(second, 5, until=b"slept").endswith(b"lane:slept")

    assert ask(port, b"again") == (200, b"lane:again")
    assert psutil.Process(process.pid).children() == before


def test_a_lane_that_fails_after_its_answer_ends_no_worker(served):
    port, process = served
    before = psutil.Process(process.pid).children()

    assert ask(port, b"tell and raise") == (200, b"lane:told")

    assert ask(port, b"again") == (200, b"lane:again")
    assert psutil.Process(process.pid).children() == before


def test_what_the_lane_has_lost_is_a_failure_and_not_waited_for(port):
    assert ask(port, b"forget")[0] == 500

    assert ask(port, b"again") == (200, b"lane:again")


def test_while_others_wait_in_a_line_every_request_stands_in_it(port):
    # Two are begun and one waits, for there are two threads.
    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(ask, port, b"x", "/slow") for _ in range(3)]
        time.sleep(0.2)

        assert ask(port, b"meanwhile") == (200, b"application:meanwhile")

        assert {each.result() for each in slow} == {(200, b"application:x")}
    assert ask(port, b"afterwards") == (200, b"lane:afterwards")


def test_what_the_lane_has_begun_is_answered_before_the_end():
    with (
        programs.serving(PROGRAM, "gunicorn") as (port, process),
        connected(port) as connection,
    ):
        connection.sendall(kept("/lane", b"first"))
        receive(connection, 5, until=b"lane:first")
        connection.sendall(kept("/lane", b"wait"))
        time.sleep(0.1)
        process.terminate()
        received = receive(connection, 5)

        assert received.endswith(b"lane:waited")
        assert b"Connection: close" in received
        assert process.wait(20) == 0
