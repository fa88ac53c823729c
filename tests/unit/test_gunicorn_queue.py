"""Which requests can be refused without being parsed, and who is waited for."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from app.gunicorn_queue import QueueingWorker, Seen, count_unaccepted, look


def request(target: str, body: str = "", *lines: str) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    return ("\r\n".join([*head, *lines]) + "\r\n\r\n" + body).encode()


def seen(sent: bytes) -> Seen | None:
    """Return what is seen of *sent*, all of which is still there afterwards."""
    client, server = socket.socketpair()
    with closing(client), closing(server):
        client.sendall(sent)
        found = look(server)
        if sent:
            assert server.recv(len(sent) + 1) == sent
    return found


def test_a_plain_request_is_seen_without_its_query():
    asked = request("/v1/dnc/check?phone_code=1", "phone_number=5551234567")

    assert seen(asked) == Seen("/v1/dnc/check", len(asked), stays=True)


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"POST /check HTTP/1.1\r\nHost: x\r\n",
        b"BREW /check HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        request("/check", "body")[:-1],
        request("/check", "", "Transfer-Encoding: chunked"),
        request("/check", "", "Expect: 100-continue"),
        request("/check", "body", "Content-Length: 3"),
        b"POST /check HTTP/1.1\r\nContent-Length: +4\r\n\r\nbody",
    ],
    ids=[
        "nothing",
        "a head that goes on",
        "no method of ours",
        "noise",
        "a body that goes on",
        "chunks",
        "an expectation",
        "two lengths",
        "a length with a sign",
    ],
)
def test_what_is_not_plain_and_whole_is_left_to_the_parser(asked: bytes):
    assert seen(asked) is None


def test_a_request_is_seen_alone_where_another_follows():
    first, second = request("/check", "body"), request("/other")

    found = seen(first + second)

    assert found == Seen("/check", len(first), stays=True)


@pytest.mark.parametrize(
    "asked", [request("/check", "", "Connection: close"), b"GET /c HTTP/1.0\r\n\r\n"]
)
def test_a_connection_that_is_to_close_does_not_stay(asked: bytes):
    found = seen(asked)

    assert found is not None
    assert not found.stays


@pytest.fixture
def worker() -> Iterator[QueueingWorker]:
    """A worker that nobody has connected to, in this process, with one answer."""

    def answer(_: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    config = Config()
    made: Any = QueueingWorker(1, os.getppid(), [], None, 30, config, Logger(config))
    made.wsgi = answer
    made.method_queue.init()
    with DefaultSelector() as made.poller, ThreadPoolExecutor(1) as made.tpool:
        queue = made.method_queue
        made.poller.register(queue.fileno(), EVENT_READ, queue.run_callbacks)
        yield made
    made.method_queue.close()
    made.tmp.close()


class StoppingSocket(socket.socket):
    """A connection, with its *worker* told to stop at the first look at it."""

    worker: QueueingWorker

    def recv(self, *arguments: int) -> bytes:
        self.worker.handle_exit(signal.SIGTERM, None)
        return super().recv(*arguments)


def test_who_connects_as_the_worker_is_told_to_stop_is_answered(worker):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        connection = StoppingSocket(fileno=listener.accept()[0].detach())
    connection.worker = worker
    with closing(client):
        client.settimeout(0)
        worker.nr_conns = 1
        worker.enqueue_req(TConn(worker.cfg, connection, ("", 0), ("", 0)))
        assert not worker.alive

        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        # That the request came, and that a thread has answered it.
        worker.wait_for_and_dispatch_events(5)
        worker.wait_for_and_dispatch_events(5)
        answer = client.recv(1000)
    worker.wait_for_and_dispatch_events(5)

    assert worker.nr_conns == 0
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nok")


def test_nobody_waits_at_a_listener_that_was_closed():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        with closing(socket.create_connection(where)):
            assert count_unaccepted(listener) == 1

    assert count_unaccepted(listener) == 0
