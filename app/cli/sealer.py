"""The process that seals beside the workers of ``dncd serve``, and dies with it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from app.audit.couriers import Courier, Dispatch, Mail, Post
from app.bootstrap import command_services
from app.domain.errors import DncError
from app.http import metrics, request_log
from app.services import Services
from app.services.anchoring import Anchoring
from app.settings import Settings
from app.store.postgres_binaries import dies_with_us

EVERY_SECONDS = 1.0

# After something that nobody expected.
PAUSE_SECONDS = 10.0

# How long it may take to end what it is at; the database undoes what it does not.
END_SECONDS = 5.0

# Until one that died is followed by another.
REVIVE_SECONDS = 2.0

STANDARD_ERROR = 2

_log = structlog.get_logger()


@contextmanager
def sealing_beside(settings: Settings, url: str) -> Iterator[None]:
    """Seal in a process of its own until the block ends, or this process does."""
    if not settings.seal:
        yield
        return
    parent = os.getpid()
    sealer = _Sealer(lambda: seal_on(settings, url, parent))
    try:
        yield
    finally:
        # A worker forked from us that leaves has started nothing.
        if os.getpid() == parent:
            sealer.end()


class _Sealer:
    """The process that seals; another one if it dies."""

    def __init__(self, seal: Callable[[], None]) -> None:
        self._seal = seal
        self._die_with_parent = dies_with_us()
        self._ending = False
        self._changing = threading.Lock()
        self._process: int | None = self._fork()
        # It outlives its children, for those die with the thread that forked them.
        threading.Thread(target=self._watch, name="sealer-watch", daemon=True).start()

    def end(self) -> None:
        """Let it end what it is at, and not begin again."""
        with self._changing:
            self._ending = True
            process = self._process
        if process is not None:
            _end(process)

    def _watch(self) -> None:
        while self._process is not None:
            # The server may have reaped it already, as it does its own children.
            with suppress(ChildProcessError):
                os.waitpid(self._process, 0)
            with self._changing:
                self._process = None
            if self._ending:
                return
            _log.warning("sealer_died")
            time.sleep(REVIVE_SECONDS)
            with self._changing:
                if not self._ending:
                    self._process = self._fork(closing=True)

    def _fork(self, *, closing: bool = False) -> int:
        """Start it; *closing* what the server has opened, which is not its own."""
        child = os.fork()
        if child:
            return child
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            if self._die_with_parent is not None:
                self._die_with_parent()
            if closing:
                _close_all()
            request_log.configure()
            metrics.share_between_workers()
            self._seal()
        except BaseException:  # noqa: BLE001  it is told, and the process ends
            _log.exception("sealer_ended")
        finally:
            os._exit(0)


def _close_all() -> None:
    """Close what the server has opened: it would go on listening when that stops."""
    signal.set_wakeup_fd(-1)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  a path each would be for nothing
        if int(name) > STANDARD_ERROR:
            with suppress(OSError):
                os.close(int(name))


def seal_on(settings: Settings, url: str, parent: int) -> None:
    """Seal and anchor, every second, until told to end or *parent* is gone."""
    dispatch = Dispatch(couriers(settings), _tell_of_courier)
    with command_services(settings, url) as services:
        anchoring = anchoring_of(settings, services)
        told = ""
        ending = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ending.set())
        last = False
        while os.getppid() == parent and not last:
            pause, last = EVERY_SECONDS, ending.is_set()
            try:
                services.recovery.require_confirmed()
                services.sealing.run()
                metrics.note_sealed()
                anchor = anchoring.keep(at_once=last)
                if anchor is not None:
                    dispatch.send(anchor)
                told = ""
            except (DncError, OSError) as error:
                kind = type(error).__name__
                # Once, not every second.
                if kind != told:
                    _log.warning("not_sealed", kind=kind, why=str(error))
                told = kind
            except Exception:  # noqa: BLE001  whatever it is, sealing goes on
                _log.exception("not_sealed")
                pause = PAUSE_SECONDS
            if not last:
                ending.wait(pause)


def anchoring_of(settings: Settings, services: Services) -> Anchoring:
    """Return what keeps the anchors' file."""
    return Anchoring(services.sealing, settings.anchor_file, settings.anchor_seconds)


def couriers(settings: Settings) -> list[Courier]:
    """Return who takes anchors elsewhere."""
    found: list[Courier] = []
    if settings.anchor_url:
        found.append(Post(settings.anchor_url))
    if settings.anchor_email:
        found.append(Mail(settings.anchor_email, settings.smtp_url))
    return found


def _tell_of_courier(name: str, error: Exception) -> None:
    _log.warning("anchor_not_carried", courier=name, kind=type(error).__name__)


def _end(child: int) -> None:
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(child, signal.SIGTERM)
        deadline = time.monotonic() + END_SECONDS
        # The server may have reaped it already, as it does its own children.
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.02)
