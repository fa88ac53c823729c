"""
Bodies that come while they are read, and answers that go out as their client reads.

granian's own streams keep in memory whatever they are given; here neither side is ever
further ahead than a pipe or a buffer allows.
"""

import asyncio
import errno
import os
import select
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Condition
from typing import Any

import structlog
from granian.rsgi import ProtocolClosed, ProtocolError

from app.http import limits

# How long a client may leave a body or an answer untouched, or take for a short body.
PATIENCE_SECONDS = limits.IDLE_SECONDS

# How long granian may take to begin with an answer that comes through a pipe.
OPEN_SECONDS = 5.0
OPEN_AGAIN_SECONDS = 0.001

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
        try:
            body: bytes = await self.begin(proto, client)
        except (ProtocolClosed, ProtocolError):
            return b""
        finally:
            self._awaited.pop(proto, None)
        return body

    def begin(self, proto: Any, client: str) -> Any:
        """Begin to read; return a future of granian's. For any thread."""
        self._awaited[proto] = time.monotonic(), client
        try:
            return proto()
        except BaseException:
            del self._awaited[proto]
            raise

    def end(self, proto: Any, come: Any) -> bytes:
        """Return what ``read`` does, of a body that has *come*."""
        del self._awaited[proto]
        # Raised, it would hold this frame, and so itself and the request, for ever.
        if isinstance(come.exception(), (ProtocolClosed, ProtocolError)):
            return b""
        body: bytes = come.result()
        return body

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cut off, each second from now on, who takes too long."""
        latest = time.monotonic() - PATIENCE_SECONDS
        # In one step: the thread that begins them does not wait.
        awaited = list(self._awaited.values())
        late = [client for since, client in awaited if since < latest]
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
        self._in_use = 0
        self._changing = Condition()

    def wait_until_closed(self) -> None:
        """Wait until no answer comes through any of them, or as long as a stop may."""
        with self._changing:
            self._changing.wait_for(lambda: not self._in_use, limits.GRACEFUL_SECONDS)

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
        with self._counted():
            pipe = Path(self._folder.name, str(next(self._numbers)))
            os.mkfifo(pipe, 0o600)
            try:
                proto.response_file(status, headers, str(pipe))
                writing = _open_read(pipe)
            finally:
                pipe.unlink()
            if writing is not None:
                _write_all(writing, parts, client)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Let ``wait_until_closed`` wait for the block."""
        with self._changing:
            self._in_use += 1
        try:
            yield
        finally:
            with self._changing:
                self._in_use -= 1
                self._changing.notify_all()


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


def _write_all(writing: int, parts: Iterable[bytes], client: str) -> None:
    """Write *parts* and close; cut *client* off if it does not get all of them."""
    try:
        for part in parts:
            if part and not _write(writing, part):
                _log.info("client_gone")
                _cut_off(client)
                return
    except BaseException:
        _cut_off(client)
        raise
    finally:
        os.close(writing)


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


def _cut_off(*clients: str) -> None:
    """End the connections to *clients* at once, if this process still has them."""
    peers = set()
    for client in clients:
        host, _, port = client.rpartition(":")
        peers.add((host.strip("[]"), int(port)))
    for entry in Path("/dev/fd").iterdir():
        # What is closed meanwhile, or not connected, is not whom we look for.
        with suppress(OSError):
            descriptor = int(entry.name)
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                if connection.getpeername()[:2] in peers:
                    connection.shutdown(socket.SHUT_RDWR)
