"""
A TCP proxy before PostgreSQL that a test can break.

Silence, refusal, delay, a partition of one direction, and answers that are lost: to a
COMMIT, or to a statement that commits by itself.
"""

import contextlib
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from psycopg import conninfo

# A close with this ends the connection with a reset.
AT_ONCE = struct.pack("ii", 1, 0)


class Mode(Enum):
    """What becomes of what is sent."""

    PASS = "pass"
    # Nothing comes through, either way; what was sent meanwhile comes later.
    BLACKHOLE = "blackhole"
    # What the server says is swallowed.
    HALF = "half"
    REFUSE = "refuse"


class Proxy:
    """Stands between a client and the PostgreSQL server at *url*."""

    def __init__(self, url: str) -> None:
        self._parameters = conninfo.conninfo_to_dict(url)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._chance = random.Random(7)
        self.mode = Mode.PASS
        # How many bytes more the server may say before it is cut off, and how.
        self.left: int | None = None
        # What the server must say, one after the other, for the last of it to be lost;
        # and what then becomes of whatever is sent.
        self.lost: tuple[bytes, ...] = ()
        self.after_loss = Mode.REFUSE
        self.then = Mode.REFUSE
        # How many seconds each piece takes, either way.
        self.delay = 0.0
        # How often an answer is swallowed and its connection cut, and how many were.
        self.answers_cut = 0.0
        self.cuts = 0
        self._closed = False

    @property
    def url(self) -> str:
        """The URL of the same database through this proxy."""
        through = {
            "host": "127.0.0.1",
            "port": self._listener.getsockname()[1],
            "sslmode": "disable",
            "gssencmode": "disable",
        }
        return conninfo.make_conninfo(**{**self._parameters, **through})

    def turn_to(self, url: str) -> None:
        """Lead new connections to the server at *url*."""
        self._parameters = conninfo.conninfo_to_dict(url)

    def close(self) -> None:
        self._closed = True

    def accept(self) -> None:
        """Serve until ``close``."""
        with self._listener:
            while not self._closed:
                ready, _, _ = select.select([self._listener], [], [], 0.05)
                if ready:
                    client, _ = self._listener.accept()
                    threading.Thread(
                        target=self._forward, args=[client], daemon=True
                    ).start()

    def _forward(self, client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        with contextlib.suppress(OSError), client, self._dial() as server:
            cutting = False
            while self.mode is not Mode.REFUSE and not self._closed:
                if self.mode is Mode.BLACKHOLE:
                    select.select([], [], [], 0.02)
                    continue
                ready, _, _ = select.select([client, server], [], [], 0.02)
                for end in ready:
                    # What comes in the instant of a cut is lost in it.
                    if self.mode in {Mode.BLACKHOLE, Mode.REFUSE}:
                        break
                    received = end.recv(65536)
                    if not received:
                        return
                    time.sleep(self.delay)
                    if end is client:
                        cutting = self._chance.random() < self.answers_cut
                        server.sendall(received)
                    elif cutting:
                        self.cuts += 1
                        return
                    elif not self._loses(received):
                        self._answer(client, received)

    def _answer(self, client: socket.socket, received: bytes) -> None:
        if self.mode is not Mode.HALF:
            client.sendall(received)
        if self.left is not None:
            self.left -= len(received)
            if self.left < 0:
                self.mode = self.then

    def _loses(self, said: bytes) -> bool:
        if not self.lost or self.lost[0] not in said:
            return False
        self.lost = self.lost[1:]
        if not self.lost:
            self.mode = self.after_loss
        return not self.lost

    def _dial(self) -> socket.socket:
        host = str(self._parameters.get("host") or "/tmp")
        port = int(self._parameters.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port), 5)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(f"{host}/.s.PGSQL.{port}")
        except OSError:
            server.close()
            raise
        return server


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """Run a proxy to the server at *url* until the block ends."""
    proxy = Proxy(url)
    serving = threading.Thread(target=proxy.accept)
    serving.start()
    try:
        yield proxy
    finally:
        proxy.close()
        serving.join(5)
