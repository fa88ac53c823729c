"""
Requests that wait for a thread of gunicorn's, and those that waited too long.

Under more load than it can carry a worker would answer what its clients no longer wait
for. So what waited too long is refused, and while such a line stands nobody is let join
it. That must cost little: such a request is not parsed, and its answer is written.
"""

import socket
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

import structlog
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from app.domain import patience
from app.gunicorn_peek import count_unaccepted, has_begun, look, read_waited
from app.http import limits, metrics, overload

# Nobody is let join a line as long as this part of what may be waited: who is refused
# on joining costs no thread.
JOIN_SHARE = 0.8

# Connections that are taken in before anything else is looked at.
ACCEPTED_AT_ONCE = 16

# How long a client may take to close a connection, once it is answered.
PARTING_SECONDS = 2.0

_log = structlog.get_logger()


class QueueingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn's threaded worker, which lets nobody wait in vain."""

    _refusals: Mapping[str, tuple[overload.Refusal, bytes, bytes]] = {}
    # How long the request waited that was begun last.
    _waited = 0.0
    _refused = 0
    _reported = 0.0
    sockets: list[Any]

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Take gunicorn's own arguments."""
        super().__init__(*arguments, **settings)
        # What is closed on this side, and not yet on its clients'.
        self._parting: dict[Any, None] = {}

    def load_wsgi(self) -> None:
        """Load the application, and the answers for what cannot be answered."""
        super().load_wsgi()
        self._refusals = {
            path: (refusal, _write(refusal), _write(refusal, "Connection: close"))
            for path, refusal in overload.find_refusals(self.wsgi).items()
        }

    def accept(self, listener: Any) -> None:
        """Take in new connections, and wait for their requests without a thread."""
        for _ in range(ACCEPTED_AT_ONCE):
            before = self.nr_conns
            super().accept(listener)
            if not before < self.nr_conns < self.worker_connections:
                return

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001  gunicorn's
        """Accept connections or not; at the end those that came are the last."""
        super().set_accept_enabled(enabled)
        if enabled or (self.alive and self.is_parent_alive()):
            return
        # Whoever comes later is refused at once, and not left waiting for nobody.
        listeners: list[Any] = self.sockets
        self.sockets = []
        for listener in listeners:
            before = -1
            while before < self.nr_conns:
                before = self.nr_conns
                super().accept(listener)
            listener.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """End what sends nothing by *deadline*, also if it has never sent anything."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def enqueue_req(self, conn: Any) -> None:
        """Let a connection's request wait for a thread, unless that were in vain."""
        conn.queued_at = time.monotonic()
        fresh = not conn.initialized and not conn.data_ready
        if fresh and not has_begun(conn.sock):
            self._wait_for(conn)
            return
        most = patience.turn_seconds()
        if (
            self._waited > JOIN_SHARE * most or read_waited(conn.sock) > most
        ) and self._is_crowded():
            stays = self._refuse(conn)
            if stays is not None:
                self.finish_request(conn, done(stays))
                return
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
        self._waited = time.monotonic() - conn.queued_at
        if self._waited > patience.turn_seconds() and self._is_crowded():
            stays = self._refuse(conn)
            if stays is not None:
                return stays
        return super().handle(conn)

    def _wait_for(self, conn: Any) -> None:
        """Wait for the request of a connection that has sent nothing yet."""
        # gunicorn hangs up on it once a stop was asked for, which may be between one
        # line of this and the next: a client that has just come would go unanswered.
        seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
        conn.timeout = time.monotonic() + seconds
        readable = partial(self.on_pending_socket_readable, conn)
        try:
            self.poller.register(conn.sock, EVENT_READ, readable)
        except OSError:
            self._part(conn)
            return
        self.pending_conns.append(conn)

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
        """Whether more requests wait than could be begun at once."""
        waiting = self.count_waiting()
        for listener in self.sockets:
            accepting = listener.sock
            waiting += count_unaccepted(accepting) if accepting else 0
        most: int = self.cfg.threads
        return waiting >= most

    def count_waiting(self) -> int:
        """Return how many requests wait for a thread."""
        count: int = self.tpool._work_queue.qsize()  # noqa: SLF001  no public way
        return count

    def _refuse(self, conn: Any) -> bool | None:
        """
        Answer a request without reading it; return whether its connection goes on.

        None if that cannot be: it is not here as a whole, or has no such answer.
        """
        if conn.is_http2 or self.cfg.is_ssl:
            return None
        if conn.parser is not None and conn.parser.unreader.buf.getvalue():
            return None
        seen = look(conn.sock)
        found = seen and self._refusals.get(seen.path)
        if seen is None or found is None:
            return None
        refusal, answer, last_answer = found
        if not seen.stays:
            answer = last_answer
        try:
            conn.init()
            conn.sock.recv(seen.length, socket.MSG_WAITALL)
            if conn.sock.send(answer, socket.MSG_DONTWAIT) < len(answer):
                return False
        except OSError:
            return False
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


def done(result: object) -> "Future[object]":
    """Return what has this result already."""
    future: Future[object] = Future()
    future.set_result(result)
    return future


def write_answer(
    lines: Iterable[str], headers: Iterable[tuple[str, str]], body: bytes
) -> bytes:
    """Return an answer that begins with *lines*, as it is sent."""
    told = [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, *told, "", ""]).encode("latin-1") + body


def write_last_refusal(status: int, reason: str) -> bytes:
    """Return the JSON with which a request is refused and its connection closed."""
    body = limits.write_refusal(status, reason)
    lines = f"HTTP/1.1 {status} {reason}", "Connection: close"
    length = "Content-Length", str(len(body))
    return write_answer(lines, [("Content-Type", "application/json"), length], body)


def _write(refusal: overload.Refusal, *more: str) -> bytes:
    lines = f"HTTP/1.1 {refusal.status}", *more
    return write_answer(lines, refusal.headers, refusal.body)
