"""
How gunicorn serves dncd: its settings, and what differs from gunicorn's own worker.

Limits that the application cannot enforce, because gunicorn refuses before it is
called, are answered in JSON here, with the same shape as any other refusal.
"""

import socket
import struct
import time
from typing import Any

import gunicorn.http.errors as refusals
import structlog
from gunicorn import glogging, util
from prometheus_client import multiprocess

from app.domain import patience
from app.gunicorn_lane import LaneWorker
from app.gunicorn_queue import write_last_refusal
from app.http import limits

PAUSE_SECONDS = 5

# What the kernel takes: seconds and microseconds.
_PAUSE = struct.pack("@ll", PAUSE_SECONDS, 0)

_log = structlog.get_logger()

_STATUSES: tuple[tuple[type[Exception], int, str], ...] = (
    (refusals.LimitRequestLine, 414, "URI Too Long"),
    (refusals.LimitRequestHeaders, 431, "Request Header Fields Too Large"),
    (refusals.ExpectationFailed, 417, "Expectation Failed"),
)


class Worker(LaneWorker):
    """gunicorn's threaded worker, whose own refusals are JSON and name no values."""

    def handle(self, conn: Any) -> Any:
        """Serve a connection whose client may pause, but not for ever."""
        patience.queued(time.monotonic() - conn.queued_at)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PAUSE)
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that could not be read, and close its connection."""
        del req, addr
        status, reason = 400, "Bad Request"
        for refusal, its_status, its_reason in _STATUSES:
            if isinstance(exc, refusal):
                status, reason = its_status, its_reason
        _log.warning("request_unreadable", kind=type(exc).__name__, status=status)
        try:
            util.write_nonblock(client, write_last_refusal(status, reason))
        except OSError:
            _log.info("client_gone")


def report_listening(server: Any) -> None:
    """Say once, in numbers that are no telephone's, what serves where."""
    for listener in server.LISTENERS:
        host, port = listener.getsockname()[:2]
        _log.info("listening", host=host, port=port, workers=server.cfg.workers)


def forget_worker(_server: Any, worker: Any) -> None:
    """Let the metrics no longer count what only a living process has."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's log, written by the service's own masking JSON handler."""

    def setup(self, cfg: Any) -> None:
        """Hand every line on instead of writing it."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True


def settings(host: str, port: int, workers: int, threads: int) -> dict[str, object]:
    """Return gunicorn's settings, by gunicorn's names."""
    return {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": workers,
        "threads": threads,
        "worker_class": "app.gunicorn_conf.Worker",
        "proc_name": "dncd",
        "control_socket_disable": True,
        "preload_app": False,
        "graceful_timeout": limits.GRACEFUL_SECONDS,
        "keepalive": limits.IDLE_SECONDS,
        "limit_request_line": limits.REQUEST_LINE_BYTES,
        "limit_request_fields": limits.HEADERS,
        "limit_request_field_size": limits.HEADER_BYTES,
        "logger_class": "app.gunicorn_conf.Logger",
        "accesslog": None,
        "loglevel": "warning",
        "when_ready": report_listening,
        "child_exit": forget_worker,
    }
