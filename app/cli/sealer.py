"""The process that seals beside the workers of ``dncd serve``, and dies with it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
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

_log = structlog.get_logger()


@contextmanager
def sealing_beside(settings: Settings, url: str) -> Iterator[None]:
    """Seal in a process of its own until the block ends, or this process does."""
    if not settings.seal:
        yield
        return
    parent = os.getpid()
    die_with_parent = dies_with_us()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            if die_with_parent is not None:
                die_with_parent()
            request_log.configure()
            metrics.share_between_workers()
            seal_on(settings, url, parent)
        except BaseException:  # noqa: BLE001  it is told, and the process ends
            _log.exception("sealer_ended")
        finally:
            os._exit(0)
    try:
        yield
    finally:
        # A worker forked from us that leaves has started nothing.
        if os.getpid() == parent:
            _end(child)


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
