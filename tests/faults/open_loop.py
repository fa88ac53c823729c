"""
A load that does not wait: so many requests a second, whatever becomes of them.

As many clients together do who know nothing of one another. Each has a connection that
it keeps, and gives up after a while.
"""

import select
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Who asks before a call does not wait longer.
PATIENCE = 2.0


@dataclass
class Outcome:
    """What became of the requests; *good* ones were answered 200 in time."""

    sent: int = 0
    seconds: float = 0.0
    good: int = 0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    unexplained: int = 0

    @property
    def good_per_second(self) -> float:
        return self.good / self.seconds


class Client:
    """One connection, and when its request went out."""

    __slots__ = ("asked_at", "received", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)
        self.asked_at = 0.0
        self.received = b""


class OpenLoop:
    """Sends *requests* in turn to the service at *base*, over up to *most* clients."""

    def __init__(self, base: str, requests: Sequence[bytes], most: int) -> None:
        where = urlsplit(base)
        self._address = str(where.hostname), int(where.port or 80)
        self._requests = requests
        self._most = most
        self._poll = select.epoll()
        self._idle: deque[Client] = deque()
        self._busy: dict[int, Client] = {}
        self._next = 0

    def run(self, per_second: float, seconds: float) -> Outcome:
        """Ask *per_second* for so many *seconds*, and wait for the last answers."""
        outcome = Outcome(seconds=seconds)
        began = now = time.perf_counter()
        while now < began + seconds:
            due = int((now - began) * per_second)
            while outcome.sent < due and self._send(outcome):
                pass
            # What no client was left for is not sent later, all at once.
            outcome.statuses["no client left"] += max(0, due - outcome.sent)
            outcome.sent = max(outcome.sent, due)
            self._receive(outcome, 0.001)
            now = time.perf_counter()
        while self._busy and time.perf_counter() < began + seconds + PATIENCE + 1:
            self._receive(outcome, 0.05)
        return outcome

    def run_closed(self, clients: int, seconds: float) -> Outcome:
        """Let so many clients each ask again as soon as it was answered."""
        outcome = Outcome(seconds=seconds)
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            while len(self._busy) < clients:
                self._send(outcome)
            self._receive(outcome, 0.05)
        while self._busy:
            self._receive(Outcome(), 0.05)
        return outcome

    def close(self) -> None:
        for client in [*self._idle, *self._busy.values()]:
            client.socket.close()

    def _send(self, outcome: Outcome) -> bool:
        if self._idle:
            client = self._idle.popleft()
        elif len(self._busy) < self._most:
            try:
                client = Client(*self._address)
            except OSError as error:
                outcome.statuses[type(error).__name__] += 1
                outcome.sent += 1
                return True
            self._poll.register(client.socket.fileno(), select.EPOLLIN)
        else:
            return False
        client.asked_at = time.perf_counter()
        try:
            client.socket.send(self._requests[self._next % len(self._requests)])
        except OSError as error:
            self._drop(client, outcome, type(error).__name__)
            return True
        self._next += 1
        outcome.sent += 1
        self._busy[client.socket.fileno()] = client
        return True

    def _receive(self, outcome: Outcome, wait: float) -> None:
        now = time.perf_counter()
        for descriptor, _ in self._poll.poll(wait):
            client = self._busy.get(descriptor)
            if client is None:
                self._forget_idle(descriptor)
                continue
            try:
                part = client.socket.recv(65536)
            except OSError as error:
                self._drop(client, outcome, type(error).__name__)
                continue
            if not part:
                self._drop(client, outcome, "closed")
                continue
            client.received += part
            self._take_answer(client, outcome)
        # Whoever asked first stands first.
        while self._busy:
            client = next(iter(self._busy.values()))
            if now - client.asked_at <= PATIENCE:
                return
            self._drop(client, outcome, "gave up")

    def _take_answer(self, client: Client, outcome: Outcome) -> None:
        head, found, body = client.received.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        length = next(int(x[15:]) for x in lines if x.startswith(b"content-length:"))
        if len(body) < length:
            return
        status = head[9:12].decode()
        outcome.statuses[status] += 1
        if status == "200":
            outcome.good += 1
            outcome.latencies.append(time.perf_counter() - client.asked_at)
        elif b"retry-after:" not in head.lower():
            outcome.unexplained += 1
        client.received = b""
        del self._busy[client.socket.fileno()]
        if b"connection: close" in head.lower():
            self._poll.unregister(client.socket.fileno())
            client.socket.close()
        else:
            self._idle.append(client)

    def _drop(self, client: Client, outcome: Outcome, why: str) -> None:
        outcome.statuses[why] += 1
        self._busy.pop(client.socket.fileno(), None)
        self._poll.unregister(client.socket.fileno())
        client.socket.close()

    def _forget_idle(self, descriptor: int) -> None:
        for client in self._idle:
            if client.socket.fileno() == descriptor:
                self._idle.remove(client)
                self._poll.unregister(descriptor)
                client.socket.close()
                return
