"""Processes that serve whatever a test has written, as the service is served."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.http import limits
from tests.waiting import require
from tests.wire.forked import Forked
from tests.wire.service import free_port

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(
    program: str, name: str, environment: Mapping[str, str] = {}
) -> Iterator[tuple[int, Forked]]:
    """
    Have a process run *program*, told *name* and a port at which it is to serve.

    Yields the port and the process.
    """
    port = free_port()
    process = Forked(
        [name, str(port)],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdin=0,
        stdout=1,
        stderr=2,
        program=program,
    )
    try:
        require(lambda: accepts(port))
        yield port, process
    finally:
        end(process)


def end(process: Forked) -> None:
    """End the process in order."""
    process.terminate()
    try:
        # A worker that does not end by itself is killed later than that.
        process.wait(limits.GRACEFUL_SECONDS - 5)
    finally:
        process.kill()


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def receive(
    connection: socket.socket, seconds: float, until: bytes | None = None
) -> bytes:
    """Return what comes until *until* came, the end, or nothing more for a while."""
    connection.settimeout(seconds)
    received = b""
    try:
        while until is None or until not in received:
            part = connection.recv(65536)
            if not part:
                break
            received += part
    except TimeoutError:
        pass
    return received
