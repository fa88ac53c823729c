"""
Requests that gunicorn's main thread answers by itself, on the event loop's lane.

It waits for every client anyway. To hand a check to a thread and take it back costs
more than the check, and many threads that wait for one interpreter cost more still. So
a plain request on a lane that is here as a whole is answered together with those that
came beside it; whatever is unusual in any way is left to gunicorn, unread. So is all
while somebody waits for a thread: then every request stands in that line.
"""

import re
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache, partial
from selectors import EVENT_READ, BaseSelector
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import structlog
from gunicorn import SERVER, util

from app.domain import patience
from app.gunicorn_queue import QueueingWorker, done, write_answer, write_last_refusal
from app.http import loop_lane
from app.http.loop_lane import PASSED, Answered, Head, LoopLane, Passed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# A check takes some hundred bytes. What is longer is for threads to read.
MOST_BYTES = 8 * 1024

# No request is kept waiting for so many times as long as its answer is promised.
LOST_PROMISES = 5.0

# Nothing that gunicorn might read in another way, or refuse.
_TARGET = re.compile(rb"(GET|POST) (/[!\"$-~]*) HTTP/1\.1\r\n")
_FIELDS = re.compile(rb"(?:[A-Za-z0-9-]+:[ -~]*\r\n)*\r\n")
_LENGTH = re.compile(r"[0-9]{1,6}")
_GREETING = f"HTTP/1.1 200 OK\r\nServer: {SERVER}"
_KEPT, _CLOSED = "Connection: keep-alive", "Connection: close"
_FAILURE = write_last_refusal(500, "Internal Server Error")

_PARTINGS = {"close", "keep-alive", "Keep-Alive"}

_log = structlog.get_logger()


class Whole(NamedTuple):
    """A request that is here as a whole; *stays* if its connection is to go on."""

    head: Head
    body: bytes
    length: int
    stays: bool


class Timer:
    """What ``PollerLoop`` is to call later."""

    def __init__(
        self, loop: "PollerLoop", due: float, call: Callable[[], object]
    ) -> None:
        """Be *due* by the monotonic clock."""
        self._loop = loop
        self.due = due
        self.call = call

    def cancel(self) -> None:
        """Let it not be called any more."""
        self._loop.timers.pop(self, None)


class PollerLoop:
    """What a lane needs of an event loop, in the thread that waits on *poller*."""

    def __init__(
        self, poller: BaseSelector, defer: Callable[[Callable[[], object]], object]
    ) -> None:
        """Have *defer* wake the thread up for what others want called."""
        self._poller = poller
        self._defer = defer
        self._soon: list[Callable[[], object]] = []
        self.timers: dict[Timer, None] = {}

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """Call it once what has come by now is done; for the loop's thread."""
        self._soon.append(partial(callback, *args))

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object
    ) -> None:
        """Call it so; for any thread."""
        self._defer(partial(_call, partial(callback, *args)))

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object
    ) -> Timer:
        """Call it in *delay* seconds."""
        timer = Timer(self, time.monotonic() + delay, partial(callback, *args))
        self.timers[timer] = None
        return timer

    def add_reader(
        self, fd: int, callback: Callable[..., object], *args: object
    ) -> None:
        """Call it whenever *fd* can be read from."""
        call = partial(_call, partial(callback, *args))
        self._poller.register(fd, EVENT_READ, lambda _: call())

    def remove_reader(self, fd: int) -> None:
        """Look at *fd* no more."""
        self._poller.unregister(fd)

    def shorten(self, seconds: float) -> float:
        """Return for how many of so many *seconds* nothing is due."""
        if self._soon:
            return 0.0
        for timer in self.timers:
            seconds = min(seconds, timer.due - time.monotonic())
        return max(seconds, 0.0)

    def run(self) -> None:
        """Call what is due."""
        now = time.monotonic() if self.timers else 0.0
        for timer in [each for each in self.timers if each.due <= now]:
            timer.cancel()
            _call(timer.call)
        while self._soon:
            calls, self._soon = self._soon, []
            for call in calls:
                _call(call)


class LaneWorker(QueueingWorker):
    """A worker whose main thread answers what the application's lane may."""

    wsgi: "WSGIApplication"
    _lane: LoopLane | None = None
    _loop: PollerLoop

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Take gunicorn's own arguments."""
        super().__init__(*arguments, **settings)
        # Connections whose request the lane has, and whether the poller knows them.
        self._asking: dict[Any, bool] = {}
        # What the lane has passed on, by connection, until a thread takes it.
        self._passed: WeakKeyDictionary[socket.socket, Passed] = WeakKeyDictionary()

    def load_wsgi(self) -> None:
        """Load the application, and have its lane run in this thread."""
        super().load_wsgi()
        lane = loop_lane.find(self.wsgi)
        if lane is None or self.cfg.is_ssl:
            return
        self._loop = PollerLoop(self.poller, self.method_queue.defer)
        self._lane = lane
        lane.run_on(self._loop)
        self.wsgi = partial(self._answer_passed, self.wsgi)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for clients, and for what the lane waits for."""
        if self._lane is None:
            super().wait_for_and_dispatch_events(timeout)
            return
        known = self.poller.get_map()
        for key, _ in self.poller.select(self._loop.shorten(timeout)):
            # What came before it may have ended what it was to tell.
            if known.get(key.fd) is key:
                key.data(key.fileobj)
        self._loop.run()

    def enqueue_req(self, conn: Any) -> None:
        """Let a thread answer a connection's request, or the lane its first."""
        fresh = not conn.initialized and not conn.data_ready
        if not (fresh and self._take(conn, None)):
            super().enqueue_req(conn)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Answer the next request of a connection, or have a thread do so."""
        if conn in self._asking:
            # One after the other: it is looked at again once this one is answered.
            self.poller.unregister(client)
            self._asking[conn] = False
        elif not self._take(conn, self.keepalived_conns):
            super().on_client_socket_readable(conn, client)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Answer the first request of a connection, or have a thread do so."""
        if not self._take(conn, self.pending_conns):
            super().on_pending_socket_readable(conn, client)

    def murder_pending(self) -> None:
        """Close what sends nothing, and answer what the lane has lost."""
        super().murder_pending()
        longest = time.monotonic() - LOST_PROMISES * patience.answer_seconds()
        while self._asking and next(iter(self._asking)).queued_at < longest:
            lost = TimeoutError("the lane has not answered")
            self._conclude(next(iter(self._asking)), b"", False, lost)  # noqa: FBT003

    def _answer_passed(
        self,
        app: "WSGIApplication",
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
    ) -> Iterable[bytes]:
        self._passed.pop(environ["gunicorn.socket"], PASSED).hand_over(environ)
        return app(environ, start_response)

    def _take(self, conn: Any, line: Any) -> bool:
        """Have the lane answer what waits on *conn*, or return False, nothing read."""
        lane = self._lane
        if lane is None or not self._may_take(conn):
            return False
        try:
            whole = look(lane, conn)
            if whole is None:
                return False
            taken = conn.sock.recv(whole.length, socket.MSG_DONTWAIT)
        except EOFError:
            return self._leave(conn, line)
        except OSError:
            return False
        except Exception as failure:  # noqa: BLE001  whatever it is, it ends no worker
            _report(failure)
            return False
        # Nobody waits for a thread.
        self._waited = 0.0
        if line is not None:
            line.remove(conn)
        if line is self.pending_conns:
            readable = partial(self.on_client_socket_readable, conn)
            self.poller.modify(conn.sock, EVENT_READ, readable)
        conn.data_ready = True
        conn.queued_at = time.monotonic()
        self._asking[conn] = line is not None
        tell = partial(self._conclude, conn, taken, whole.stays)
        try:
            lane.answer(whole.head, whole.body, tell)
        except Exception as failure:  # noqa: BLE001  whatever it is, it is told
            tell(failure)
        return True

    def _leave(self, conn: Any, line: Any) -> bool:
        """Close a connection that its client has closed, if it stands in a *line*."""
        if line is None:
            return False
        line.remove(conn)
        self.poller.unregister(conn.sock)
        self._part(conn)
        return True

    def _may_take(self, conn: Any) -> bool:
        """Whether this thread has the time for a connection, and its next request."""
        # The busier the threads, the longer each look at a client takes here; and who
        # cannot be served must be told so in time.
        if self.count_waiting() or not self.alive or conn.is_http2:
            return False
        return conn.parser is None or not conn.parser.unreader.buf.getvalue()

    def _conclude(
        self,
        conn: Any,
        taken: bytes,
        stays: bool,  # noqa: FBT001
        answer: Answered | Passed | BaseException,
    ) -> None:
        """Send the answer, have a thread find it, or say that there is none."""
        polled = self._asking.pop(conn, None)
        if polled is None:
            # It has failed once it had answered, or answers what was given up.
            _report(answer)
            return
        rest: bytes | None = None
        if isinstance(answer, Answered):
            kept = len(self.keepalived_conns) < self.max_keepalived
            stays = stays and self.alive and kept
            rest = _send(conn.sock, _write(answer, stays=stays))
            if stays and rest == b"":
                self._keep(conn, polled=polled)
                return
        elif isinstance(answer, BaseException):
            _report(answer)
            _send(conn.sock, _FAILURE)
        if polled:
            self.poller.unregister(conn.sock)
        if isinstance(answer, Passed):
            self._pass_on(conn, taken, answer)
        elif rest:
            self._send_slowly(conn, rest, stays=stays)
        else:
            self.finish_request(conn, done(result=False))

    def _keep(self, conn: Any, *, polled: bool) -> None:
        """Wait for the next request of a connection."""
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        if not polled:
            readable = partial(self.on_client_socket_readable, conn)
            self.poller.register(conn.sock, EVENT_READ, readable)

    def _send_slowly(self, conn: Any, rest: bytes, *, stays: bool) -> None:
        """Have a thread send what the client does not take at once."""

        def send() -> bool:
            conn.init()
            conn.sock.settimeout(None)
            conn.sock.sendall(rest)
            return stays

        sending = self.tpool.submit(send)
        sending.add_done_callback(
            partial(self.method_queue.defer, self.finish_request, conn)
        )

    def _pass_on(self, conn: Any, taken: bytes, passed: Passed) -> None:
        """Have a thread answer what was taken."""
        try:
            conn.init()
        except OSError:
            self.finish_request(conn, done(result=False))
            return
        conn.parser.unreader.unread(taken)
        self._passed[conn.sock] = passed
        super().enqueue_req(conn)


def look(lane: LoopLane, conn: Any) -> Whole | None:
    """
    Return what waits on *conn*, if it is a plain request that *lane* may answer.

    Nothing is read of it. Raises OSError if there is nothing, EOFError if there will
    be nothing any more.
    """
    came = time.perf_counter()
    waiting = conn.sock.recv(MOST_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    if not waiting:
        raise EOFError
    line = _TARGET.match(waiting)
    if line is None:
        return None
    path, _, query = line[2].decode().partition("?")
    fields = _FIELDS.match(waiting, line.end()) if lane.serves(path) else None
    headers = fields and _read_headers(fields[0].decode())
    if fields is None or headers is None:
        return None
    head = Head(line[1].decode(), path, query, headers, conn.client[0], came)
    length = lane.find_length(head)
    begin = fields.end()
    if length is None or len(waiting) < begin + length:
        return None
    stays = headers.get("connection") != "close"
    return Whole(head, waiting[begin : begin + length], begin + length, stays)


def _read_headers(text: str) -> dict[str, str] | None:
    """Return headers by their names in small letters; None if they are unusual."""
    fields = text.split("\r\n")[:-2]
    headers = {}
    for field in fields:
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip(" ")
    if (
        len(headers) < len(fields)
        or "upgrade" in headers
        or headers.get("connection", "close") not in _PARTINGS
        or not _LENGTH.fullmatch(headers.get("content-length", "0"))
    ):
        return None
    return headers


def _call(callback: Callable[[], object]) -> None:
    """Call it; what it raises is its own affair, and ends no worker."""
    try:
        callback()
    except Exception as failure:  # noqa: BLE001  whatever it is, it is told
        _report(failure)


def _report(failure: object) -> None:
    """Tell of it; where nothing can be told, the clients are still to be answered."""
    with suppress(Exception):
        raised = failure if isinstance(failure, BaseException) else None
        _log.error("lane_failed", exc_info=raised)


def _send(connection: socket.socket, data: bytes) -> bytes | None:
    """Send what can be at once; return the rest, or None if nobody takes it."""
    try:
        return data[connection.send(data, socket.MSG_DONTWAIT) :]
    except BlockingIOError:
        return data
    except OSError:
        return None


def _write(answer: Answered, *, stays: bool) -> bytes:
    """Return *answer* with the headers that gunicorn adds to every one."""
    lines = _GREETING, _write_date(int(time.time())), _KEPT if stays else _CLOSED
    return write_answer(lines, answer.headers, answer.body)


@lru_cache(maxsize=1)
def _write_date(second: int) -> str:
    return f"Date: {util.http_date(second)}"
