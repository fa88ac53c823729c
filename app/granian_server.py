"""
How granian serves dncd: the faster server, chosen by DNCD_SERVER (extra ``fast``).

The processes are arranged as gunicorn's are: a parent that listens and replaces workers
that died, and workers forked from it, each with an application of its own. Reaches into
granian where its own ways would lose requests or parts of them; each such place says
why.
"""

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import set_start_method
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

import structlog
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from prometheus_client import multiprocess

from app import granian_worker
from app.granian_bridge import Bridge
from app.granian_gate import Gate
from app.http import limits, overload
from app.http.loop_lane import LoopLane

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# Connections of one worker; an idle one costs no thread.
CONNECTIONS = 1024
BACKLOG = 2048

# How long an old worker still serves beside the new one that takes its place.
OVERLAP_SECONDS = 1.5

# A worker that dies so soon will always do so; granian's own bound is the longer one.
YOUNG_SECONDS = 1.0
_CRASH_LOOP_SECONDS = 5.5

# What tells an old worker that a new one takes its place.
LEAVE = signal.SIGUSR1

# How long a port may be taken: orphans leave it after one second.
TAKEN_SECONDS = 3.0

_log = structlog.get_logger()


def settings(host: str, port: int, workers: int) -> dict[str, Any]:
    """Return granian's settings, by granian's names."""
    return {
        "address": host,
        "port": port,
        "interface": Interfaces.RSGI,
        "workers": workers,
        "runtime_threads": 1,
        # The other one ends before it says so; see granian_worker.
        "runtime_mode": RuntimeModes.mt,
        "loop": Loops.auto,
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
    make_app: "Callable[[], tuple[WSGIApplication, LoopLane | None]]",
    host: str,
    port: int,
    workers: int,
    threads: int,
) -> None:
    """
    Serve until SIGTERM or SIGINT; SIGHUP replaces the workers one by one.

    Each worker calls *make_app* after the fork, and has the application answer in
    *threads* threads what its lane does not. Raises OSError if it cannot listen, and
    ends the process if the workers do nothing but die. For the main thread.
    """
    # What make_app closes over need not be pickled; gunicorn forks as well.
    set_start_method("fork", force=True)
    server = Server("dncd", **settings(host, port, workers))
    parent = os.getpid()

    def load() -> Bridge:
        _begin_worker(parent)
        app, lane = make_app()
        gate = Gate(app)
        signal.signal(LEAVE, gate.leave)
        refusals = overload.find_refusals(app)
        return Bridge(gate, threads, lane, refusals, gate.is_leaving)

    # Until a worker listens to it.
    signal.signal(LEAVE, signal.SIG_IGN)
    server.serve(target_loader=load, wrap_loader=False)


def at_worker_end(action: Callable[[], None]) -> None:
    """Have *action* done when this worker ends; ``atexit`` does not hear of that."""
    Finalize(None, action, exitpriority=1)


def _begin_worker(parent: int) -> None:
    """Let a worker end when *parent* is no more."""
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


def _start_worker(start: Callable[[], None]) -> None:
    """Start a worker whose signals wait, in all its threads, for ``granian_worker``."""
    # Inherited, the parent's handlers would take them and do nothing.
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, granian_worker.ENDINGS)
    try:
        start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def _forget_worker(pid: int) -> None:
    """Let the metrics no longer count what only a living process has."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens, once those whom a killed parent left have gone."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + TAKEN_SECONDS
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=backlog)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


class Server(MPServer):  # type: ignore[misc]  # granian is untyped to us
    """granian's parent process, with one listening socket for all workers."""

    _spawn_rsgi_worker = staticmethod(granian_worker.run)

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
        self._sso = listen(self.bind_addr, self.bind_port, self.backlog)
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
            # Workers that die one after the other are replaced; granian gives up when
            # one has not lived for five seconds, we when it dies at its birth.
            self.respawned_wrks[index] -= _CRASH_LOOP_SECONDS - YOUNG_SECONDS

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:
        """Start a worker; the one in whose place it comes may have been killed."""
        for worker in self.wrks:
            if not worker.is_alive():
                _forget_worker(worker._id())  # noqa: SLF001
        made = super()._spawn_worker(idx, target, callback_loader)
        made.start = partial(_start_worker, made.start)
        return made
