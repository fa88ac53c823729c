"""
The load generator: keep-alive connections that each ask again once they are answered.

Plain sockets are driven from one epoll loop, with requests that were made before. The
same loop drives every side of a comparison.
"""

import gc
import re
import select
import socket
import time
from array import array
from dataclasses import dataclass, field

# Longer than any deadline of the service.
ANSWER_SECONDS = 10.0

_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *([0-9]+)").search
_BLANKS = re.compile(rb"\s+")


class Unusable(Exception):
    """The server does not answer as a load generator needs it."""


@dataclass(frozen=True, slots=True)
class Load:
    """
    What to ask, over how many connections, for how long.

    *expected* has, for each request, what its answer must contain, blanks aside; one
    answer in *check_every* is looked at. With *once* no request is sent twice.
    """

    port: int
    requests: tuple[bytes, ...]
    connections: int
    seconds: float
    expected: tuple[bytes, ...] = ()
    check_every: int = 8
    warm_up: float = 0.5
    once: bool = False


@dataclass(slots=True)
class Tally:
    """What came back; *latencies* are seconds, of the measured time only."""

    seconds: float = 0.0
    answers: int = 0
    refused: int = 0
    checked: int = 0
    wrong: int = 0
    reconnected: int = 0
    exhausted: bool = False
    latencies: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def per_second(self) -> float:
        """Answers a second, in the measured time."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that so many of the answers did not exceed."""
        if not self.latencies:
            return 0.0
        ordered: list[float] = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1e3


class Connection:
    """One keep-alive connection and the request that is on its way."""

    __slots__ = ("_port", "asked", "asked_at", "buffer", "socket")

    def __init__(self, port: int) -> None:
        """Connect to *port* of this machine."""
        self._port = port
        self.buffer = b""
        self.asked = 0
        self.asked_at = 0.0
        self.connect()

    def connect(self) -> None:
        """Open the connection."""
        self.socket = socket.create_connection(("127.0.0.1", self._port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def reconnect(self) -> None:
        """Do as a client does whose connection was closed."""
        self.socket.close()
        self.connect()

    def ask(self, request: bytes) -> None:
        """Send a request, and note when."""
        self.asked_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> tuple[bytes, int] | None:
        """
        Return a whole answer and where its body begins, or None for now.

        Raises ConnectionResetError if there will not be one.
        """
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionResetError
        self.buffer = answer = self.buffer + part
        head = answer.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH(answer, 0, head)
        if length is None:
            raise Unusable(f"an answer without Content-Length: {answer[:200]!r}")
        if len(answer) < head + 4 + int(length[1]):
            return None
        self.buffer = b""
        return answer, head + 4


def drive(load: Load) -> Tally:
    """Run *load* in this process."""
    tally = Tally()
    gc.disable()
    connections = [Connection(load.port) for _ in range(load.connections)]
    try:
        Loop(load, tally).run(connections)
    finally:
        gc.enable()
        for connection in connections:
            connection.socket.close()
    return tally


class Loop:
    """Connections, each with one request on its way, until the time is up."""

    def __init__(self, load: Load, tally: Tally) -> None:
        """Count into *tally* what *load* brings back."""
        self._load = load
        self._tally = tally
        self._poll = select.epoll()
        self._waiting: dict[int, Connection] = {}
        self._asked = 0

    def run(self, connections: list[Connection]) -> None:
        """Ask on every connection, and again whenever one is answered."""
        began = time.perf_counter() + self._load.warm_up
        ends = began + self._load.seconds
        for connection in connections:
            self._await(connection)
            self._ask_next(connection)
        now = time.perf_counter()
        while self._waiting:
            ready = self._poll.poll(1.0)
            if not ready and time.perf_counter() - now > ANSWER_SECONDS:
                raise Unusable(f"no answer for {ANSWER_SECONDS:.0f} seconds")
            for descriptor, _ in ready:
                connection = self._waiting[descriptor]
                received = self._receive(connection)
                if received is None:
                    continue
                now = time.perf_counter()
                if began <= now < ends:
                    self._tally.latencies.append(now - connection.asked_at)
                self._count(connection.asked, *received)
                if now < ends and self._has_more():
                    self._ask_next(connection)
                else:
                    self._forget(descriptor)
        self._tally.seconds = max(0.0, min(now, ends) - began)

    def _has_more(self) -> bool:
        if self._load.once and self._asked >= len(self._load.requests):
            self._tally.exhausted = True
        return not self._tally.exhausted

    def _ask_next(self, connection: Connection) -> None:
        connection.asked = self._asked % len(self._load.requests)
        self._asked += 1
        connection.ask(self._load.requests[connection.asked])

    def _receive(self, connection: Connection) -> tuple[bytes, int] | None:
        """Return a whole answer; what a closed connection lost is asked again."""
        try:
            return connection.receive()
        except ConnectionResetError:
            self._tally.reconnected += 1
        self._forget(connection.socket.fileno())
        connection.reconnect()
        self._await(connection)
        connection.ask(self._load.requests[connection.asked])
        return None

    def _count(self, asked: int, answer: bytes, body: int) -> None:
        self._tally.answers += 1
        if answer[9:12] != b"200":
            self._tally.refused += 1
        elif self._load.expected and self._tally.answers % self._load.check_every == 0:
            self._tally.checked += 1
            expected = self._load.expected[asked]
            self._tally.wrong += expected not in _BLANKS.sub(b"", answer[body:])

    def _await(self, connection: Connection) -> None:
        self._waiting[connection.socket.fileno()] = connection
        self._poll.register(connection.socket.fileno(), select.EPOLLIN)

    def _forget(self, descriptor: int) -> None:
        del self._waiting[descriptor]
        self._poll.unregister(descriptor)
