"""
The load generator: keep-alive connections that each ask again once they are answered.

A process of its own drives plain sockets from one epoll loop, with requests that were
made before. The same generator drives every side of a comparison.
"""

import ctypes
import gc
import multiprocessing
import os
import re
import select
import signal
import socket
import time
from array import array
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

from app.store.postgres_binaries import PR_SET_PDEATHSIG

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
    latencies: array = field(default_factory=lambda: array("d"))

    @property
    def per_second(self) -> float:
        """Answers a second, in the measured time."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that so many of the answers did not exceed."""
        if not self.latencies:
            return 0.0
        ordered = sorted(self.latencies)
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
        """Connect anew, as a client does whose connection was closed."""
        self.socket = socket.create_connection(("127.0.0.1", self._port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def receive(self) -> tuple[bytes, int] | None:
        """Return a whole answer and where its body begins, or None for now."""
        self.buffer = answer = self.buffer + self.socket.recv(262_144)
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
        _ask_and_ask_again(load, connections, tally)
    finally:
        gc.enable()
        for connection in connections:
            connection.socket.close()
    return tally


def _ask_and_ask_again(load: Load, idle: list[Connection], tally: Tally) -> None:
    clock, requests, expected = time.perf_counter, load.requests, load.expected
    count, next_index, waiting = len(requests), 0, {}
    poll = select.epoll()
    began = clock() + load.warm_up
    ends = began + load.seconds
    latencies = tally.latencies

    def ask(connection: Connection, index: int) -> None:
        connection.asked = index
        connection.asked_at = clock()
        connection.socket.sendall(requests[index])

    for connection in idle:
        waiting[connection.socket.fileno()] = connection
        poll.register(connection.socket.fileno(), select.EPOLLIN)
        ask(connection, next_index % count)
        next_index += 1
    last = clock()
    while waiting:
        ready = poll.poll(1.0)
        if not ready and clock() - last > ANSWER_SECONDS:
            raise Unusable(f"no answer for {ANSWER_SECONDS:.0f} seconds")
        for descriptor, _ in ready:
            connection = waiting[descriptor]
            try:
                received = connection.receive()
                lost = received is None and not connection.buffer
            except ConnectionResetError:
                received, lost = None, True
            if lost:
                tally.reconnected += 1
                del waiting[descriptor]
                connection.socket.close()
                connection.connect()
                waiting[connection.socket.fileno()] = connection
                poll.register(connection.socket.fileno(), select.EPOLLIN)
                ask(connection, connection.asked)
                continue
            if received is None:
                continue
            last = clock()
            tally.answers += 1
            answer, body = received
            if answer[9:12] != b"200":
                tally.refused += 1
            elif expected and tally.answers % load.check_every == 0:
                tally.checked += 1
                tally.wrong += not _holds(answer[body:], expected[connection.asked])
            if began <= last < ends:
                latencies.append(last - connection.asked_at)
            tally.exhausted = load.once and next_index >= count
            if last >= ends or tally.exhausted:
                del waiting[descriptor]
                poll.unregister(descriptor)
                continue
            ask(connection, next_index % count)
            next_index += 1
    tally.seconds = max(0.0, min(last, ends) - began)


def _holds(body: bytes, part: bytes) -> bool:
    return part in _BLANKS.sub(b"", body)


class Generator:
    """Processes that wait for loads to drive."""

    def __init__(self, processes: int = 1) -> None:
        """Use so many processes; each costs the servers a share of the machine."""
        self._processes = processes
        self._pool = ProcessPoolExecutor(
            processes,
            multiprocessing.get_context("spawn"),
            initializer=_die_with,
            initargs=(os.getpid(),),
        )

    def __enter__(self) -> "Generator":
        """Use it in a ``with``."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, load: Load) -> Tally:
        """Drive *load* and return what came back."""
        n = min(self._processes, load.connections)
        shares = [
            replace(
                load,
                requests=load.requests[share::n],
                expected=load.expected[share::n],
                connections=len(range(share, load.connections, n)),
            )
            for share in range(n)
        ]
        whole, *others = self._pool.map(drive, shares)
        for other in others:
            whole.seconds = max(whole.seconds, other.seconds)
            whole.latencies.extend(other.latencies)
            whole.exhausted |= other.exhausted
            for name in ("answers", "refused", "checked", "wrong", "reconnected"):
                setattr(whole, name, getattr(whole, name) + getattr(other, name))
        return whole


def _die_with(parent: int) -> None:
    """Stop without a word when the benchmarks do, by whatever signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        os._exit(1)
