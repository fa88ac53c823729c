"""A proxy before PostgreSQL that counts what a client sends it."""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from psycopg import conninfo


class WireTap:
    """
    Counts the messages of PostgreSQL's protocol, by their type.

    An Execute is a statement; a Sync, or a Query, is where the client waits for the
    server: a round trip.
    """

    def __init__(self, url: str) -> None:
        self._target = conninfo.conninfo_to_dict(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.messages: Counter[str] = Counter()
        self.url = conninfo.make_conninfo(
            url,
            host="127.0.0.1",
            port=self._listener.getsockname()[1],
            sslmode="disable",
            gssencmode="disable",
        )
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def round_trips(self) -> int:
        return self.messages["S"] + self.messages["Q"]

    @property
    def statements(self) -> int:
        return self.messages["E"] + self.messages["Q"]

    def close(self) -> None:
        """Accept nobody any more; whoever is connected has parted before."""
        # To close it alone would not wake who waits for a connection.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self._listener.close()

    def _start(
        self, work: Callable[..., None], *arguments: socket.socket
    ) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._start(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, self._dial() as server:
            answering = self._start(self._copy, server, client)
            self._tap(client, server)
            answering.join()

    def _dial(self) -> socket.socket:
        host, port = str(self._target["host"]), self._target.get("port", 5432)
        if host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{host}/.s.PGSQL.{port}")
            return server
        return socket.create_connection((host, int(str(port))))

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _tap(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            startup = self._read(client, 4)
            server.sendall(startup + self._read(client, _length(startup) - 4))
            while kind := client.recv(1):
                head = self._read(client, 4)
                body = self._read(client, _length(head) - 4)
                # Before the server can answer, so that no count comes late.
                self.messages[kind.decode()] += 1
                server.sendall(kind + head + body)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _read(self, client: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = client.recv(count - len(data))
            if not part:
                raise ConnectionResetError
            data += part
        return data


def _length(head: bytes) -> int:
    length: int = struct.unpack("!I", head)[0]
    return length


@contextmanager
def tapped(url: str) -> Iterator[WireTap]:
    tap = WireTap(url)
    try:
        yield tap
    finally:
        tap.close()
