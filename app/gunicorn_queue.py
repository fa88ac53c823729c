"""
Requests that wait for a thread of gunicorn's, and those that waited too long.

Under more load than it can carry a worker would answer what its clients no longer wait
for. So what waited too long is refused, and while such a line stands nobody is let join
it. That must cost little: such a request is not parsed, and its answer is written.
"""

import socket
import struct
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

import structlog
from gunicorn.workers.gthread import _DEFER, ThreadWorker

from app.gunicorn_lines import Lines, Seen, connection_of, look
from app.http import limits, metrics, overload
from app.http.overload import QUEUE_SECONDS

# Connections that are taken in before anything else is looked at.
ACCEPTED_AT_ONCE = 16

# How long a client may take to close a connection, once it is answered.
PARTING_SECONDS = 2.0

# How long a thread may go on while others want to: a fifth of what Python thinks.
SWITCH_SECONDS = 0.001

# As much of a request as is looked at before it is begun.
SEEN_BYTES = 16 * 1024

# struct tcp_info: eight bytes, then whole numbers.
_TCP_INFO_BYTES = 64
_LAST_DATA_RECEIVED = struct.Struct("@52xI")

_log = structlog.get_logger()


def read_waited(connection: socket.socket) -> float:
    """Return how many seconds ago *connection* has sent something."""
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    milliseconds: int = _LAST_DATA_RECEIVED.unpack_from(told)[0]
    return milliseconds / 1000


class QueueingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's threaded worker, which lets nobody wait in vain."""

    _refusals: Mapping[str, overload.Refusal] = {}
    _answers: Mapping[tuple[str, bool], bytes] = {}
    # How long the urgent request waited that was begun last.
    _waited = 0.0
    _refused = 0
    _reported = 0.0

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Take gunicorn's own arguments."""
        super().__init__(*arguments, **settings)
        # What is closed on this side, and not yet on its clients'.
        self._parting: dict[Any, None] = {}

    def load_wsgi(self) -> None:
        """Load the application, and the answers for what cannot be answered."""
        # Each time that this thread has asked the kernel, others have taken over.
        sys.setswitchinterval(SWITCH_SECONDS)
        super().load_wsgi()
        self._refusals = overload.find_refusals(self.wsgi)
        self._answers = {
            (path, stays): _write(refusal, *([] if stays else ["Connection: close"]))
            for path, refusal in self._refusals.items()
            for stays in (True, False)
        }

    def get_thread_pool(self) -> Any:
        """Return a pool of threads that takes the urgent first."""
        pool = super().get_thread_pool()
        pool._work_queue = self._lines = Lines()  # noqa: SLF001  no public way
        return pool

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what there is to do, and refuse whoever let others first for too long."""
        super().wait_for_and_dispatch_events(timeout)
        while item := self._lines.find_late(time.monotonic() - QUEUE_SECONDS):
            stays = self._refuse(connection_of(item))
            if stays is None:
                self._lines.put_first(item)
            elif item.future.set_running_or_notify_cancel():
                item.future.set_result(stays)

    def accept(self, listener: Any) -> None:
        """Take in new connections, and wait for their requests without a thread."""
        for _ in range(ACCEPTED_AT_ONCE):
            before = self.nr_conns
            super().accept(listener)
            if not before < self.nr_conns < self.worker_connections:
                return

    def enqueue_req(self, conn: Any) -> None:
        """Let a connection's request wait for a thread, unless that were in vain."""
        conn.queued_at = time.monotonic()
        if not conn.initialized and not conn.data_ready and not _has_begun(conn.sock):
            self.finish_request(conn, _done(_DEFER))
            return
        if (
            self._waited > QUEUE_SECONDS or read_waited(conn.sock) > QUEUE_SECONDS
        ) and self._is_crowded():
            stays = self._refuse(conn)
            if stays is not None:
                self.finish_request(conn, _done(stays))
                return
        conn.may_wait = self._lines.qsize() > 0 and self._may_wait(conn)
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """Keep a connection, or part with it without waiting for its client."""
        if fs.cancelled() or fs.exception() is not None or fs.result():
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.settimeout(0)
            conn.timeout = time.monotonic() + PARTING_SECONDS
            self._parting[conn] = None
            self.poller.register(conn.sock, EVENT_READ, partial(self._take_rest, conn))
        except OSError:
            self._part(conn)
            return
        self._take_rest(conn, conn.sock)

    def murder_pending(self) -> None:
        """Close what sends nothing, or does not close."""
        super().murder_pending()
        now = time.monotonic()
        while self._parting and next(iter(self._parting)).timeout < now:
            self._part(next(iter(self._parting)))

    def handle(self, conn: Any) -> Any:
        """Answer a connection's request, unless it waited too long."""
        if not conn.may_wait:
            # Also what it waited before it was taken in.
            waited = time.monotonic() - conn.queued_at
            self._waited = max(waited, read_waited(conn.sock))
        if self._waited > QUEUE_SECONDS and self._is_crowded():
            stays = self._refuse(conn)
            if stays is not None:
                return stays
        return super().handle(conn)

    def _take_rest(self, conn: Any, _: object) -> None:
        """Take what a client still sends, for else its answer would not reach it."""
        try:
            if conn.sock.recv(limits.FORM_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            _log.info("client_gone")
        self._part(conn)

    def _part(self, conn: Any) -> None:
        if conn in self._parting:
            del self._parting[conn]
            with suppress(OSError, KeyError, ValueError):
                self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _is_crowded(self) -> bool:
        """Whether more urgent requests wait than could be begun at once."""
        most: int = self.cfg.threads
        return self._lines.count_urgent() >= most

    def _may_wait(self, conn: Any) -> bool:
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
        try:
            waiting = conn.sock.recv(SEEN_BYTES, flags)
        except OSError:
            return False
        seen = look(waiting, self._refusals)
        return seen is not None and seen.may_wait

    def _take(self, conn: Any) -> Seen | None:
        """Take a request that is here as a whole; what is not is the parser's."""
        conn.init()
        if conn.parser.unreader.buf.getvalue():
            return None
        try:
            waiting = conn.sock.recv(SEEN_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        seen = look(waiting, self._refusals)
        if seen is not None and seen.length == len(waiting):
            return seen
        conn.parser.unreader.unread(waiting)
        return None

    def _refuse(self, conn: Any) -> bool | None:
        """
        Answer a request without parsing it; return whether its connection goes on.

        None if that cannot be: it is not here as a whole, or has no such answer.
        """
        try:
            seen = None if conn.is_http2 or self.cfg.is_ssl else self._take(conn)
            if seen is None:
                return None
            answer = self._answers[seen.path, seen.stays]
            if conn.sock.send(answer, socket.MSG_DONTWAIT) < len(answer):
                return False
        except OSError:
            return False
        refusal = self._refusals[seen.path]
        waited = time.monotonic() - conn.queued_at
        metrics.count(refusal.dialect, refusal.operation, 503, waited)
        self._report()
        return seen.stays

    def _report(self) -> None:
        """Say once a second how many were refused: a line each would cost too much."""
        self._refused += 1
        now = time.monotonic()
        if now - self._reported > 1:
            _log.warning("overloaded", refused=self._refused)
            self._refused, self._reported = 0, now


def _has_begun(connection: socket.socket) -> bool:
    """Whether something of a request is here, or the connection has ended."""
    try:
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _done(result: object) -> "Future[object]":
    future: Future[object] = Future()
    future.set_result(result)
    return future


def _write(refusal: overload.Refusal, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {refusal.status}", *more]
    lines += [f"{name}: {value}" for name, value in refusal.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + refusal.body
