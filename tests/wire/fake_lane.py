"""A fake lane, and an application beside it, under both servers."""

import gc
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from granian.rsgi import ProtocolClosed, ProtocolError
from gunicorn.app.base import BaseApplication

from app import granian_server, granian_streams, gunicorn_conf, gunicorn_lane
from app.domain import patience
from app.domain.errors import StoreUnavailable
from app.http import request_log
from app.http.fast_lane import MET, Met
from app.http.loop import Loop
from app.http.loop_lane import EXTENSION, Answered, Head, Passed, Tell
from tests.wire.raw_http import exchange, request

PATIENCE_SECONDS = 1

# More than a client's and a server's kernel hold of an answer.
LARGE = b"large" * 4_000_000


class Lane:
    """Does with a body what that says, and counts those that were not whole."""

    def __init__(self) -> None:
        self._cut = 0
        self._loop: Loop
        self._answers: dict[bytes, Callable[[Tell], object]] = {
            b"pass": _pass,
            b"met": _meet,
            b"fail": lambda tell: tell(LookupError()),
            b"raise": _raise,
            b"tell and raise": _tell_and_raise,
            b"forget": lambda _: None,
            b"failures": lambda tell: tell(_answered(b"%d" % count_failures())),
            b"sleep": _sleep,
            b"large": lambda tell: tell(_answered(LARGE)),
            b"count": self._count,
            b"hear": self._hear,
            b"wait": self._wait,
        }

    def run_on(self, loop: Loop) -> None:
        self._loop = loop

    def serves(self, path: str) -> bool:
        return path != "/unknown"

    def find_length(self, head: Head) -> int | None:
        if head.path == "/wrong":
            raise LookupError
        if head.path != "/lane" or "transfer-encoding" in head.headers:
            return None
        return int(head.headers.get("content-length", "0"))

    def answer(self, head: Head, body: bytes, tell: Tell) -> None:
        self._cut += len(body) != int(head.headers.get("content-length", "0"))
        if body in self._answers:
            self._answers[body](tell)
        else:
            self._loop.call_later(0.01, tell, _answered(b"lane:" + body))

    def _count(self, tell: Tell) -> None:
        tell(_answered(b"%d" % self._cut))

    def _wait(self, tell: Tell) -> None:
        self._loop.call_later(0.5, tell, _answered(b"lane:waited"))

    def _hear(self, tell: Tell) -> None:
        """Answer once something can be read."""
        here, there = socket.socketpair()

        def heard() -> None:
            self._loop.remove_reader(here.fileno())
            here.close()
            there.close()
            tell(_answered(b"lane:heard"))

        self._loop.add_reader(here.fileno(), heard)
        threading.Timer(0.15, there.send, [b"x"]).start()


def _pass(tell: Tell) -> None:
    tell(Passed(b"pass"))


def _meet(tell: Tell) -> None:
    tell(Passed(b"met", Met(StoreUnavailable(), None), "known", counted=True))


def _raise(_tell: Tell) -> None:
    raise LookupError


def _tell_and_raise(tell: Tell) -> None:
    tell(_answered(b"lane:told"))
    raise LookupError


def _sleep(tell: Tell) -> None:
    time.sleep(0.5)
    tell(_answered(b"lane:slept"))


def _answered(body: bytes) -> Answered:
    length = ("Content-Length", str(len(body)))
    return Answered([("Content-Type", "text/plain"), length], body)


def count_failures() -> int:
    """Return how many bodies that were cut are still known of."""
    gc.collect()
    kept = (ProtocolClosed, ProtocolError)
    return sum(isinstance(each, kept) for each in gc.get_objects())


class Application:
    """Answers what the lane does not."""

    def __init__(self, lane: Lane) -> None:
        self.extensions = {EXTENSION: lane}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = b"application:" + environ["wsgi.input"].read()
        if environ["PATH_INFO"] == "/slow":
            time.sleep(0.5)
        if MET in environ:
            body += b":" + environ["HTTP_X_REQUEST_ID"].encode()
        length = ("Content-Length", str(len(body)))
        start_response("200 OK", [("Content-Type", "text/plain"), length])
        return [body]


class UnderGunicorn(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn with the service's settings, and the fake in the service's place."""

    def __init__(self, port: int) -> None:
        self._wanted = gunicorn_conf.settings("127.0.0.1", port, workers=1, threads=2)
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._wanted.items():
            # Nobody counts what it does.
            if name != "child_exit":
                self.cfg.set(name, value)

    def load(self) -> Any:
        return Application(Lane())


def begin() -> None:
    """Serve with the lane under the server, and at the port, that are named."""
    _, server, port = sys.argv
    sys.argv[1:] = []
    request_log.configure()
    gunicorn_lane.LOST_PROMISES = PATIENCE_SECONDS / patience.answer_seconds()
    if server == "gunicorn":
        UnderGunicorn(int(port)).run()
        return
    granian_streams.PATIENCE_SECONDS = PATIENCE_SECONDS
    lane: Any = Lane()
    make: Any = lambda: (Application(lane), lane)  # noqa: E731  granian_server calls it
    granian_server.serve(make, "127.0.0.1", int(port), workers=1, threads=2)


def ask(port: int, body: bytes, path: str = "/lane") -> tuple[int, bytes]:
    """Ask on a connection of its own; return the status and the body."""
    found = exchange(f"http://127.0.0.1:{port}", request(path, body))
    return found.status, found.body
