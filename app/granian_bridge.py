"""
How granian hands requests to a lane or a WSGI application, and their answers back.

granian's own WSGI interface costs several times as much a request, and knows no lane
on the event loop. What it does not do for RSGI is done here: threads and
environments; bodies and long answers are those of ``granian_streams``.

What a lane may answer is no task of the event loop, which learns of it once its short
body is there: to be woken for each of a request's parts costs more than the answer.
"""

import asyncio
import io
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from app.domain import patience
from app.granian_streams import Headers, Incoming, Pipes, ShortBodies
from app.http import limits, metrics
from app.http.loop_lane import PASSED, Answered, Head, LoopLane, Passed
from app.http.overload import Refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

# For each thread that answers, requests that wait for one; more are refused at once.
WAITING_FOR_EACH = 16

# A header whose value is no text; as no text that is sent can be.
NO_TEXT = "\xff"

_log = structlog.get_logger()


class Request(NamedTuple):
    """A request that waits for a thread since it *came*, by the monotonic clock."""

    environ: "WSGIEnvironment"
    proto: Any
    client: str
    came: float
    refusal: Refusal | None


class Bridge:
    """An RSGI application: a lane on the event loop, and the rest in threads."""

    def __init__(
        self,
        app: "WSGIApplication",
        threads: int,
        lane: LoopLane | None,
        refusals: Mapping[str, Refusal],
        is_leaving: Callable[[], bool],
    ) -> None:
        """
        Have *app* answer in *threads* threads whatever *lane* does not.

        What waits too long for one is refused by its path with one of *refusals*. Once
        *is_leaving*, each connection ends with its next answer.
        """
        self._app = app
        self._lane = lane
        self._is_leaving = is_leaving
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="requests")
        self._refusals = refusals
        self._most_waiting = WAITING_FOR_EACH * threads
        self._waiting = 0
        self.pipes = Pipes()
        self.short_bodies = ShortBodies()
        self._context = copy_context()

    def run_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the lane answer in *loop*'s thread."""
        if self._lane is not None:
            self._lane.run_on(loop)

    def take_in(self, watcher: Any, loop: asyncio.AbstractEventLoop) -> None:
        """
        Begin to answer a request on *loop*; for granian's thread, which takes in all.

        *watcher* is granian's: the request, and whom to tell if it cannot be answered.
        """
        try:
            if not self._take_in_on_lane(watcher, loop):
                loop.call_soon_threadsafe(self._begin_task, watcher, PASSED)
        except BaseException as failure:  # noqa: BLE001  granian looks at none
            watcher.err(failure)

    def _take_in_on_lane(self, watcher: Any, loop: asyncio.AbstractEventLoop) -> bool:
        """Begin with what the lane may answer, or return False."""
        lane, scope = self._lane, watcher.scope
        path = scope.path
        if lane is None or not lane.serves(path) or scope.proto != "http":
            return False
        received = scope.headers
        headers: Headers = received.items()
        once = dict(headers)
        if not len(once) == len(headers) == len(received):
            return False
        client = scope.client
        head = Head(
            scope.method,
            path,
            scope.query_string,
            once,
            _find_sender(client),
            time.perf_counter(),
        )
        length = lane.find_length(head)
        if length is None:
            return False
        if length:
            coming = self.short_bodies.begin(watcher.proto, client)
            ask = partial(self._ask, lane, watcher, head, length)
            coming.add_done_callback(ask, context=self._context)
        else:
            loop.call_soon_threadsafe(self._ask, lane, watcher, head, 0, None)
        return True

    def _ask(
        self, lane: LoopLane, watcher: Any, head: Head, length: int, come: Any
    ) -> None:
        """Have *lane* answer, unless the body that has *come* is not all of it."""
        try:
            body = self.short_bodies.end(watcher.proto, come) if length else b""
            if len(body) == length:
                lane.answer(head, body, partial(self._conclude, watcher))
            else:
                self._begin_task(watcher, Passed(body))
        except BaseException as failure:  # noqa: BLE001  whatever it is, it is told
            watcher.err(failure)

    def _conclude(
        self, watcher: Any, answer: Answered | Passed | BaseException
    ) -> None:
        """Send the answer, have others find it, or say that there is none."""
        if isinstance(answer, Answered):
            if self._is_leaving():
                answer.headers.append(("Connection", "close"))
            watcher.proto.response_bytes(200, answer.headers, answer.body)
        elif isinstance(answer, Passed):
            self._begin_task(watcher, answer)
        else:
            watcher.err(answer)

    def _begin_task(self, watcher: Any, passed: Passed) -> None:
        """Have the application answer what the lane has passed on."""
        answering = self._answer_by_application(watcher, passed)
        watcher.taskref(asyncio.get_running_loop().create_task(answering))

    async def _answer_by_application(self, watcher: Any, passed: Passed) -> None:
        try:
            await self._begin_with(watcher.scope, watcher.proto, passed)
        except BaseException as failure:  # noqa: BLE001  whatever it is, it is told
            watcher.err(failure)
        else:
            watcher.done()

    async def _begin_with(self, scope: Any, proto: Any, passed: Passed) -> None:
        """Have a thread answer the request."""
        if scope.proto != "http":
            proto.close(None)
            return
        headers: Headers = scope.headers.items()
        client = scope.client
        environ = make_environ(scope, headers, _find_sender(client))
        passed.hand_over(environ)
        loop = asyncio.get_running_loop()
        environ["wsgi.input"] = await self._begin_body(environ, passed, proto, client)
        refusal = self._refusals.get(scope.path)
        if refusal is not None and self._waiting >= self._most_waiting:
            self._refuse(refusal, proto)
            return
        request = Request(environ, proto, client, time.monotonic(), refusal)
        self._waiting += 1
        await loop.run_in_executor(self._threads, self._begin, loop, request)

    async def _begin_body(
        self, environ: "WSGIEnvironment", passed: Passed, proto: Any, client: str
    ) -> Any:
        """Return the body: what is short without keeping a thread waiting for it."""
        if passed.body is not None:
            return io.BytesIO(passed.body)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if not length or "HTTP_TRANSFER_ENCODING" in environ:
            return io.BytesIO()
        if length > limits.FORM_BYTES or "HTTP_EXPECT" in environ:
            return Incoming(asyncio.get_running_loop(), proto)
        return io.BytesIO(await self.short_bodies.read(proto, client))

    def _begin(self, loop: asyncio.AbstractEventLoop, request: Request) -> None:
        """Begin with *request*, unless it waited too long; for a thread."""
        loop.call_soon_threadsafe(self._end_waiting)
        waited = time.monotonic() - request.came
        if request.refusal is not None and waited > patience.turn_seconds():
            self._refuse(request.refusal, request.proto)
            return
        patience.queued(waited)
        self._answer(request.environ, request.proto, request.client)

    def _end_waiting(self) -> None:
        self._waiting -= 1

    def _refuse(self, refusal: Refusal, proto: Any) -> None:
        """Answer that there is too much to do."""
        metrics.count(refusal.dialect, refusal.operation, 503, 0.0)
        status = int(refusal.status.partition(" ")[0])
        proto.response_bytes(status, list(refusal.headers), refusal.body)

    def _answer(self, environ: "WSGIEnvironment", proto: Any, client: str) -> None:
        """Have the application answer; for a thread."""
        status, headers = 500, []

        def start_response(line: str, head: Headers, _failure: Any = None) -> Any:
            nonlocal status, headers
            status, headers = int(line.partition(" ")[0]), head

        parts: Iterable[bytes] = ()
        try:
            parts = self._app(environ, start_response)
            if isinstance(parts, list):
                proto.response_bytes(status, headers, b"".join(parts))
            else:
                self.pipes.answer(proto, status, headers, parts, client)
        except Exception:  # noqa: BLE001  # whatever it is, it is told
            if getattr(environ["wsgi.input"], "cut", False):
                _log.info("client_gone")
            else:
                _log.exception("answer_broken_off")
            # Of an answer that has begun this is no part.
            proto.response_empty(500, [("Connection", "close")])
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()


def make_environ(scope: Any, headers: Headers, sender: str) -> "WSGIEnvironment":
    """Return the environment of a request, but for its body, after PEP 3333."""
    host, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": sender,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in headers:
        # A name with an underscore would pass for one with a hyphen.
        if "_" not in name:
            key = _find_key(name)
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    if len(headers) < len(scope.headers):
        told = {name for name, _ in headers}
        for name in scope.headers.keys():  # noqa: SIM118  it is no dictionary
            if name not in told and "_" not in name:
                environ[_find_key(name)] = NO_TEXT
    return environ


def _find_sender(client: str) -> str:
    """Return the address of an address with a port."""
    return client.rpartition(":")[0].strip("[]")


def _find_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
