"""
How granian serves dncd: the faster server, chosen by DNCD_SERVER (extra ``fast``).

The processes are arranged as gunicorn's are: a parent that listens and replaces workers
that died, and workers forked from it, each with an application of its own. What
gunicorn refuses by itself and granian lets through is refused by ``Gate``, in the same
words. Reaches into granian where its own ways would lose requests or parts of them;
each such place says why.
"""

import io
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from multiprocessing import set_start_method
from multiprocessing.util import Finalize
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import granian.wsgi
import structlog
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from prometheus_client import multiprocess

from app.http import limits, metrics, overload

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Connections of one worker; an idle one costs no thread.
CONNECTIONS = 1024
BACKLOG = 2048

# For each thread that answers, two in which requests wait for one, and another that
# refuses what comes besides, so that nothing waits where nobody sees it.
THREADS_FOR_EACH = 4

# How long an old worker still serves beside the new one that takes its place.
OVERLAP_SECONDS = 1.5

# What tells an old worker that a new one takes its place.
LEAVE = signal.SIGUSR1

# Up to this size an answer is handed over in one piece.
AT_ONCE_BYTES = 256 * 1024

# How often to look whether the client of a broken answer has gone.
ASK_AGAIN_SECONDS = 0.5

_log = structlog.get_logger()


def settings(host: str, port: int, workers: int, threads: int) -> dict[str, Any]:
    """Return granian's settings, by granian's names."""
    return {
        "address": host,
        "port": port,
        "interface": Interfaces.WSGI,
        "workers": workers,
        "blocking_threads": threads * THREADS_FOR_EACH,
        "blocking_threads_idle_timeout": 600,
        "runtime_threads": 1,
        "loop": Loops.asyncio,
        "http": HTTPModes.http1,
        "http1_settings": HTTP1Settings(
            header_read_timeout=limits.IDLE_SECONDS * 1000, keep_alive=True
        ),
        "backlog": BACKLOG,
        "backpressure": CONNECTIONS,
        "respawn_failed_workers": True,
        "respawn_interval": OVERLAP_SECONDS,
        "workers_kill_timeout": limits.GRACEFUL_SECONDS,
        "log_access": False,
        "log_level": LogLevels.error,
        "log_dictconfig": {
            "formatters": {},
            "handlers": {},
            # Their lines go on to the service's own masking handler.
            "loggers": {"_granian": {"handlers": [], "propagate": True}},
        },
    }


def serve(
    make_app: "Callable[[], WSGIApplication]",
    host: str,
    port: int,
    workers: int,
    threads: int,
) -> None:
    """
    Serve until SIGTERM or SIGINT; SIGHUP replaces the workers one by one.

    Each worker calls *make_app* after the fork. Raises OSError if it cannot listen, and
    ends the process if the workers do nothing but die. For the main thread.
    """
    # What make_app closes over need not be pickled; gunicorn forks as well.
    set_start_method("fork", force=True)
    server = Server("dncd", **settings(host, port, workers, threads))
    parent = os.getpid()

    def begin(*arguments: Any) -> None:
        _begin_worker(parent)
        MPServer._spawn_wsgi_worker(*arguments)  # noqa: SLF001

    def load() -> "WSGIApplication":
        # Requests need none of the environment's variables, which granian copies
        # into each; one named HTTP_… would look like a header.
        granian.wsgi.os = SimpleNamespace(environ={})
        gate = Gate(make_app(), threads)
        signal.signal(LEAVE, gate.leave)
        return gate

    # Until a worker listens to it.
    signal.signal(LEAVE, signal.SIG_IGN)
    server.serve(spawn_target=begin, target_loader=load, wrap_loader=False)


def at_worker_end(action: Callable[[], None]) -> None:
    """Have *action* done when this worker ends; ``atexit`` does not hear of that."""
    Finalize(None, action, exitpriority=1)


def _begin_worker(parent: int) -> None:
    """Let a worker end when it is told to, and when *parent* is no more."""
    # Until granian sets its own: the parent's handlers, inherited, would do nothing.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_DFL)
    # What a terminal sends, the parent passes on.
    os.setpgid(0, 0)
    at_worker_end(lambda: _forget_worker(os.getpid()))

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(limits.GRACEFUL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _forget_worker(pid: int) -> None:
    """Let the metrics no longer count what only a living process has."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Server(MPServer):  # type: ignore[misc]  # granian is untyped to us
    """granian's parent process, with one listening socket for all workers."""

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        """Listen, start the workers, and say so once."""
        super().startup(spawn_target, target_loader)
        host, port = self.bind_addr, self.bind_port
        _log.info("listening", host=host, port=port, workers=self.workers)

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop the workers; one that was told to stop by others has not failed."""
        if self.interrupt_signal:
            self.interrupt_children.clear()
        super().shutdown(exit_code)

    def _init_shared_socket(self) -> None:
        """
        Listen, so that whoever else wants the port is refused it.

        granian's own way is a socket a worker (SO_REUSEPORT): another service could
        share the port unnoticed, and a worker that ends would take with it the
        connections that it has not accepted yet.
        """
        family = socket.AF_INET6 if ":" in self.bind_addr else socket.AF_INET
        self._sso = socket.create_server(
            (self.bind_addr, self.bind_port), family=family, backlog=self.backlog
        )
        # Head and body of an answer may go out in two writes.
        self._sso.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sso.setblocking(False)  # noqa: FBT003
        self._sso.set_inheritable(True)
        self._sfd = self._sso.fileno()
        holder: Any = SocketHolder
        self._shd = holder(self._sfd, False, self.backlog)  # noqa: FBT003
        self._ssp = None

    def _respawn_workers(
        self, workers: Iterable[int], *others: Any, **named: Any
    ) -> None:
        """
        Replace workers; one that still lives first asks its clients to go elsewhere.

        granian closes a connection between two requests, one of which may be under way.
        """
        for index in workers:
            if self.interrupt_signal:
                return
            if self.wrks[index].is_alive():
                os.kill(self.wrks[index]._id(), LEAVE)  # noqa: SLF001
            super()._respawn_workers([index], *others, **named)

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:
        """Start a worker; the one in whose place it comes may have been killed."""
        for worker in self.wrks:
            if not worker.is_alive():
                _forget_worker(worker._id())  # noqa: SLF001
        return super()._spawn_worker(idx, target, callback_loader)


class BodyCut(OSError):
    """The client went away before it had sent the whole body."""


class Body(io.RawIOBase):
    """
    A request's body of a told length, which granian streams.

    granian takes a connection that broke for the end of the body; here it raises
    BodyCut, so that no half of a request is ever taken for a whole one.
    """

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self._left = length
        self.cut = False

    def readable(self) -> bool:
        """Say so to whoever buffers this stream."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return *size* bytes, or as many as are left; raises BodyCut."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        if not wanted:
            return b""
        part: bytes = self._source.read(wanted)
        if len(part) < wanted:
            self._left = 0
            self.cut = True
            raise BodyCut
        self._left -= wanted
        return part

    def readall(self) -> bytes:
        """Return what is left; raises BodyCut."""
        return self.read()

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill *buffer* as far as there is anything left; raises BodyCut."""
        view = memoryview(buffer).cast("B")
        part: ReadableBuffer = self.read(len(view))
        view[: len(part)] = part  # type: ignore[arg-type]
        return len(part)  # type: ignore[arg-type]


class Gate:
    """WSGI middleware that has refused what the application must not look at."""

    def __init__(self, app: "WSGIApplication", threads: int) -> None:
        """Let to *app* what is in order, up to so many at a time."""
        self._app = app
        self._leaving = False
        self._refusals = overload.find_refusals(app)
        self._threads = threading.BoundedSemaphore(threads)
        # Each line, and for those who may wait also how many of them are begun.
        self._urgent = threading.BoundedSemaphore(2 * threads)
        self._patient = threading.BoundedSemaphore(threads)
        self._patient_threads = threading.BoundedSemaphore(max(1, threads // 2))

    def leave(self, *_: object) -> None:
        """Let every connection end with its next answer; a signal's handler."""
        self._leaving = True

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request, or have it answered."""
        refusal = self._refusals.get(environ["PATH_INFO"])
        if refusal is None:
            return self._answer(environ, start_response)
        line, wanted = self._urgent, [self._threads]
        if _may_wait(refusal, environ):
            line, wanted = self._patient, [self._patient_threads, self._threads]
        with ExitStack() as taken:
            if not line.acquire(blocking=False):
                return _refuse(refusal, start_response)
            taken.callback(line.release)
            for threads in wanted:
                if not threads.acquire(timeout=overload.QUEUE_SECONDS):
                    return _refuse(refusal, start_response)
                taken.callback(threads.release)
            return self._answer(environ, start_response)

    def _answer(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        refused = _judge(environ)
        if refused:
            environ[limits.REFUSED] = refused
            environ["CONTENT_LENGTH"] = ""
            _log.warning("request_unreadable", kind="Gate", status=refused)
        length = environ.get("CONTENT_LENGTH")
        body = Body(environ["wsgi.input"], int(length or 0))
        environ["wsgi.input"] = body
        length_told: int | None = None

        def begin(
            status: str, head: list[tuple[str, str]], exc_info: Any = None
        ) -> "Callable[[bytes], object]":
            nonlocal length_told
            for name, value in head:
                if name.lower() == "content-length":
                    length_told = int(value)
            if self._leaving or refused:
                head = [*head, ("Connection", "close")]
            return start_response(status, head, exc_info)

        answer = self._app(environ, begin)
        if isinstance(answer, list):
            return answer
        if length_told is None:
            return Stream(answer, body)
        return _whole(answer) if length_told <= AT_ONCE_BYTES else answer


def _may_wait(refusal: overload.Refusal, environ: "WSGIEnvironment") -> bool:
    told = environ.get("CONTENT_LENGTH") or "0"
    length = int(told) if told.isascii() and told.isdecimal() else None
    seen = f"?{environ['QUERY_STRING']}\n".encode("latin-1", "replace")
    if refusal.browses and length is not None and length <= limits.FORM_BYTES:
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        seen += body
    return refusal.may_wait(length, seen)


def _refuse(
    refusal: overload.Refusal, start_response: "StartResponse"
) -> Iterable[bytes]:
    """Answer that there is too much to do."""
    metrics.count(refusal.dialect, refusal.operation, 503, 0.0)
    start_response(refusal.status, list(refusal.headers))
    return [refusal.body]


def _whole(answer: Iterable[bytes]) -> list[bytes]:
    """Return a short answer as a list: for each other part granian's threads queue."""
    try:
        return [b"".join(answer)]
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()


class Stream:
    """
    An answer of no told length, which never looks complete when it is not.

    granian ends an answer in order even if the application failed in the middle of it.
    This one then stays open, without another byte, until its client gives up; unless
    the client cut its request off, and with it the way to notice that it has gone.
    """

    def __init__(self, parts: Iterable[bytes], request: Body) -> None:
        self._parts = parts
        self._request = request
        self._next = iter(parts).__next__
        self._failed = False

    def __iter__(self) -> Iterator[bytes]:
        """Return this iterator."""
        return self

    def __next__(self) -> bytes:
        """Return the next part; nothing, from time to time, after a failure."""
        if not self._failed:
            try:
                return self._next()
            except StopIteration:
                raise
            except Exception:  # noqa: BLE001  # whatever it is, it is told
                if self._request.cut:
                    _log.info("client_gone")
                    raise StopIteration from None
                self._failed = True
                _log.exception("answer_broken_off")
        # Sent as no byte at all, and refused once the connection is gone.
        time.sleep(ASK_AGAIN_SECONDS)
        return b""

    def close(self) -> None:
        """Let the application clean up."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


def _judge(environ: "WSGIEnvironment") -> int | None:
    """Return the status with which a request is to be refused, or None."""
    # granian cannot say whether such a body ended or its connection broke. Of one that
    # tells its length twice over, the length is not to be believed either.
    if "HTTP_TRANSFER_ENCODING" in environ:
        return 411
    if len(environ["PATH_INFO"]) + len(environ["QUERY_STRING"]) > _TARGET_BYTES:
        return 414
    if environ.get("HTTP_EXPECT", _CONTINUE).lower() != _CONTINUE:
        return 417
    headers = 0
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            headers += 1
            if len(value) > limits.HEADER_BYTES:
                return 431
    if headers > limits.HEADERS:
        return 431
    return None


_CONTINUE = "100-continue"
# A request line also holds a method and a version.
_TARGET_BYTES = limits.REQUEST_LINE_BYTES - len("POST  HTTP/1.1")
