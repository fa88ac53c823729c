"""Who is waited for by a worker that is told to stop."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from select import select
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn

from app.gunicorn_queue import QueueingWorker
from tests.waiting import require


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


def connect(worker: QueueingWorker) -> socket.socket:
    """Return a client that connects in the instant *worker* is told to stop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        connection = StoppingSocket(fileno=listener.accept()[0].detach())
    connection.worker = worker
    worker.nr_conns = 1
    worker.enqueue_req(TConn(worker.cfg, connection, ("", 0), ("", 0)))
    assert not worker.alive
    client.settimeout(5)
    return client


def turn(worker: QueueingWorker, until: Callable[[], bool]) -> None:
    """Let *worker* do what comes, until so much has come about."""

    def turned() -> bool:
        worker.wait_for_and_dispatch_events(0.05)
        return until()

    require(turned)


def test_who_connects_as_the_worker_is_told_to_stop_is_answered(worker):
    with closing(connect(worker)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        turn(worker, lambda: bool(select([client], [], [], 0)[0]))
        answer = client.recv(1000)
    turn(worker, lambda: worker.nr_conns == 0)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nok")


def test_who_connects_then_and_says_nothing_is_hung_up_on(worker):
    with closing(connect(worker)) as client:
        worker.murder_pending()
        assert worker.nr_conns == 1
        [waiting] = worker.pending_conns
        assert waiting.timeout <= time.monotonic() + STOP_KEEPALIVE_LINGER

        waiting.timeout = time.monotonic() - 1
        worker.murder_pending()

        assert worker.nr_conns == 0
        assert client.recv(1) == b""
