"""
Bodies that come while they are read, and answers that go out as their client reads.

granian's own streams keep in memory whatever they are given; here neither side is ever
further ahead than a pipe or a buffer allows.
"""

import asyncio
import errno
import fcntl
import os
import select
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from granian.rsgi import ProtocolClosed, ProtocolError

from app.http import limits

# How long a client may leave a body or an answer untouched, or take for a short body.
PATIENCE_SECONDS = limits.IDLE_SECONDS

# How long granian may take to begin with an answer that comes through a pipe.
OPEN_SECONDS = 5.0
OPEN_AGAIN_SECONDS = 0.001

# How long granian may take to break off an answer that it cannot read on.
BREAK_OFF_SECONDS = 1.0

_log = structlog.get_logger()

Headers = list[tuple[str, str]]


class ShortBodies:
    """Bodies that are read whole, without a thread; none is waited for for ever."""

    def __init__(self) -> None:
        """Wait for none yet."""
        # Since when, and whose; the oldest first.
        self._awaited: dict[Any, tuple[float, str]] = {}

    async def read(self, proto: Any, client: str) -> bytes:
        """Return the body; nothing of one that was cut, as its length then tells."""
        self._awaited[proto] = time.monotonic(), client
        try:
            body: bytes = await proto()
        except (ProtocolClosed, ProtocolError):
            return b""
        finally:
            del self._awaited[proto]
        return body

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cut off, each second from now on, who takes too long."""
        latest = time.monotonic() - PATIENCE_SECONDS
        late = [client for since, client in self._awaited.values() if since < latest]
        if late:
            _cut_off(*late)
        loop.call_later(1.0, self.watch, loop)


class Incoming:
    """A body that a thread reads while it comes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proto: Any) -> None:
        """Read what *proto* receives on *loop*."""
        self._loop = loop
        self._parts = proto.__aiter__()
        self._buffer = bytearray()

    def read(self, size: int) -> bytes:
        """Return *size* bytes; fewer if no more come, or none for a while."""
        while len(self._buffer) < size:
            coming = asyncio.run_coroutine_threadsafe(self._receive(), self._loop)
            try:
                part = coming.result(PATIENCE_SECONDS)
            except TimeoutError:
                coming.cancel()
                part = None
            if part is None:
                break
            self._buffer += part
        read = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return read

    async def _receive(self) -> bytes | None:
        try:
            received: bytes = await self._parts.__anext__()
        except (StopAsyncIteration, ProtocolClosed, ProtocolError):
            return None
        return received


class Pipes:
    """
    Answers that granian reads from pipes, as if they were files.

    It would keep in memory whatever its own streams are given and a slow client has not
    taken yet; a pipe holds no more than it can.
    """

    def __init__(self) -> None:
        """Make a folder for them, which goes with this object."""
        self._folder = tempfile.TemporaryDirectory(prefix="dncd-")
        self._numbers = count()

    def answer(
        self,
        proto: Any,
        status: int,
        headers: Headers,
        parts: Iterable[bytes],
        client: str,
    ) -> None:
        """
        Send *parts* as the answer to *client*, until that is gone; for a thread.

        One that is not sent to its end is cut off, for granian would end it in order.
        Raises what getting the parts raises.
        """
        pipe = Path(self._folder.name, str(next(self._numbers)))
        os.mkfifo(pipe, 0o600)
        try:
            proto.response_file(status, headers, str(pipe))
            writing = _open_read(pipe)
        finally:
            pipe.unlink()
        if writing is None:
            return
        try:
            for part in parts:
                if part and not _write(writing, part):
                    _log.info("client_gone")
                    _cut_off(client)
                    return
        except BaseException:
            if not _break_off(writing):
                _cut_off(client)
            raise
        finally:
            os.close(writing)


def _open_read(pipe: Path) -> int | None:
    """Open a pipe that granian is about to read; None if it does not."""
    deadline = time.monotonic() + OPEN_SECONDS
    while time.monotonic() < deadline:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        time.sleep(OPEN_AGAIN_SECONDS)
    return None


def _write(writing: int, part: bytes) -> bool:
    """Write all of *part*; False if nobody reads any more, or not for long."""
    room = select.poll()
    room.register(writing, select.POLLOUT)
    left = memoryview(part)
    while left:
        if not room.poll(PATIENCE_SECONDS * 1000):
            return False
        with suppress(BlockingIOError):
            try:
                left = left[os.write(writing, left) :]
            except BrokenPipeError:
                return False
    return True


def _break_off(writing: int) -> bool:
    """
    Have granian fail to read on, so that it breaks its answer off; False if it lags.

    A connection that is cut off while granian waits for this pipe may be the last that
    a stop waits for: granian would then wait for the pipe with the interpreter's lock,
    without which nobody can close it.
    """
    deadline = time.monotonic() + BREAK_OFF_SECONDS
    # granian may yet be opening what is open for us already.
    while not _refuse_to_wait(writing):
        if time.monotonic() > deadline:
            return False
        time.sleep(OPEN_AGAIN_SECONDS)
    # Who waits already is woken by a byte that is no part of any text.
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(writing, b"\0")
    gone = select.poll()
    gone.register(writing, select.POLLERR)
    return bool(gone.poll(BREAK_OFF_SECONDS * 1000))


def _refuse_to_wait(writing: int) -> bool:
    """Let reads of an empty pipe fail; False if nobody reads it."""
    pipe = os.fstat(writing)
    for copy in _copies():
        if os.path.samestat(os.fstat(copy), pipe):
            flags = fcntl.fcntl(copy, fcntl.F_GETFL)
            if flags & os.O_ACCMODE == os.O_RDONLY:
                fcntl.fcntl(copy, fcntl.F_SETFL, flags | os.O_NONBLOCK)
                return True
    return False


def _cut_off(*clients: str) -> None:
    """End the connections to *clients* at once, if this process still has them."""
    peers = set()
    for client in clients:
        host, _, port = client.rpartition(":")
        peers.add((host.strip("[]"), int(port)))
    for copy in _copies():
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            continue
        # What is not connected is not whom we look for.
        with socket.socket(fileno=os.dup(copy)) as connection, suppress(OSError):
            if connection.getpeername()[:2] in peers:
                connection.shutdown(socket.SHUT_RDWR)


def _copies() -> Iterator[int]:
    """Yield a copy of each descriptor, so that none becomes another's meanwhile."""
    for entry in Path("/dev/fd").iterdir():
        try:
            copy = os.dup(int(entry.name))
        except OSError:
            # It was closed meanwhile.
            continue
        try:
            yield copy
        finally:
            os.close(copy)
