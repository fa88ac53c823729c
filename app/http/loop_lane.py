"""
The fast lane of a server that runs on an event loop.

It waits for nothing but the event loop and so needs no thread a request; one thread
asks the database for all that wait. What is not remembered or is in any way unusual it
leaves to the WSGI application, body and all, so that refusals are worded in one place.
"""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from app.domain import patience
from app.domain.access import Caller
from app.domain.errors import (
    AccessDenied,
    DncError,
    StoreUnavailable,
    TooManyRequests,
)
from app.domain.rates import Standing
from app.domain.rules import Verdict
from app.http import forms, limits, request_log
from app.http.fast_lane import MET, Arrival, Lane, Met, find_secret
from app.http.loop import Loop
from app.http.loop_questions import Asked, Questions
from app.http.proxy import find_sender, read_address
from app.http.rates import Rates, note_counted
from app.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

EXTENSION = "dncd.loop_lane"

# Threads that look up whoever is not remembered.
PROVING = 2

# A request with any of these is not one of the usual.
_UNUSUAL = frozenset({"transfer-encoding", "expect"})


class Head(NamedTuple):
    """
    A request without its body, and when it came, by the performance counter.

    Names of headers are in small letters, each is there once.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    sender: str
    came: float


class Answered(NamedTuple):
    """The answer to a request; its status is 200."""

    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Passed:
    """
    A request that is for others: what is read of its body, and what was met.

    Where it was *counted*, *standing* tells where who asks stands.
    """

    body: bytes | None = None
    met: Met | None = None
    request_id: str = ""
    counted: bool = False
    standing: Standing | None = None

    def hand_over(self, environ: "WSGIEnvironment") -> None:
        """Let those who answer it in the lane's place know what is known."""
        if self.met is not None:
            environ[MET] = self.met
            environ["HTTP_X_REQUEST_ID"] = self.request_id
        if self.counted:
            note_counted(environ, self.standing)


PASSED = Passed()

# Whoever is told the answer, or else what has failed in the lane itself.
Tell = Callable[[Answered | Passed | BaseException], None]


class _Request(NamedTuple):
    """A request that was counted, and where that leaves whoever sent it."""

    arrival: Arrival
    head: Head
    body: bytes
    standing: Standing | None
    tell: Tell

    def pass_on(
        self, failure: DncError | None = None, caller: Caller | None = None
    ) -> None:
        """Leave it to others; where there was a *failure*, they word it."""
        if failure is None:
            passed = Passed(self.body, counted=True, standing=self.standing)
        else:
            met, request_id = Met(failure, caller), self.arrival.request_id
            passed = Passed(self.body, met, request_id, True, self.standing)  # noqa: FBT003
        self.tell(passed)


def find(app: object) -> "LoopLane | None":
    """Return the lane of an application that ``create_app`` has made, or None."""
    found: LoopLane | None = getattr(app, "extensions", {}).get(EXTENSION)
    return found


class LoopLane:
    """Answers requests on *lanes*, by path, where it can."""

    def __init__(
        self,
        services: Services,
        lanes: Mapping[str, tuple[str, Lane]],
        trusted_proxies: Collection[str],
        rates: Rates,
    ) -> None:
        """Answer with *services*, within *rates*; *lanes* name their dialects."""
        self._access = services.access
        self._rates = rates
        self._lanes = lanes
        self._trusted_proxies = frozenset(trusted_proxies)
        self._checks = services.checks
        self._proving = ThreadPoolExecutor(PROVING, thread_name_prefix="tokens")

    def run_on(self, loop: Loop) -> None:
        """Answer in *loop*'s thread from now on."""
        self._loop = loop
        self._questions = Questions(self._checks, loop)
        self._log = request_log.Lines(loop)

    def serves(self, path: str) -> bool:
        """Whether *path* is a lane's."""
        return path in self._lanes

    def find_length(self, head: Head) -> int | None:
        """Return how long the body is of a plain request that the lane may answer."""
        headers = head.headers
        if (
            not _UNUSUAL.isdisjoint(headers)
            or len(headers) > limits.HEADERS
            or len("".join(headers.values())) > limits.HEADER_BYTES
            or len(head.path) + len(head.query) > limits.TARGET_BYTES
        ):
            return None
        length = int(headers.get("content-length", "0"))
        if head.method == "GET":
            return None if length else 0
        plain = head.method == "POST" and headers.get("content-type") == forms.FORM
        return length if plain and length <= limits.FORM_BYTES else None

    def answer(self, head: Head, body: bytes, tell: Tell) -> None:
        """*tell* the answer to the request; for the thread that it runs on."""
        dialect, lane = self._lanes[head.path]
        forwarded = head.headers.get("x-forwarded-for")
        arrival = Arrival(
            dialect,
            lane,
            method=head.method,
            request_id=request_log.choose_id(head.headers.get("x-request-id", "")),
            address=read_address(
                find_sender(head.sender, forwarded, self._trusted_proxies)
            ),
            began=head.came,
        )
        try:
            standing = self._rates.admit_source(arrival.address)
        except TooManyRequests as failure:
            _Request(arrival, head, body, None, tell).pass_on(failure)
            return
        request = _Request(arrival, head, body, standing, tell)
        asked = self._read(request)
        if isinstance(asked, str):
            self._prove(asked, request)
        else:
            self._ask(request, asked)

    def _ask(
        self, request: _Request, asked: Asked | None, since: float | None = None
    ) -> None:
        if asked is None:
            request.pass_on()
            return
        caller, _ = asked
        try:
            standing = self._rates.admit_token(caller.token_id, request.standing)
        except TooManyRequests as failure:
            request.pass_on(failure, caller)
            return
        tell = partial(self._conclude, request, standing, asked)
        self._questions.put(asked, tell, since)

    def _conclude(
        self,
        request: _Request,
        standing: Standing | None,
        asked: Asked,
        answer: Verdict | BaseException,
    ) -> None:
        caller, question = asked
        if isinstance(answer, DncError):
            request._replace(standing=standing).pass_on(answer, caller)
            return
        if isinstance(answer, BaseException):
            request.tell(answer)
            return
        try:
            arrival = request.arrival
            written = arrival.lane.write(question, answer)
            told = arrival.report(caller, written, standing, self._log.put)
        except Exception as failure:  # noqa: BLE001  whoever waits is told
            request.tell(failure)
        else:
            request.tell(Answered(told, written))

    def _prove(self, secret: str, request: _Request) -> None:
        """Have the holder of *secret* looked up, and ask then."""
        came = time.monotonic()
        looking_up = self._proving.submit(self._look_up, secret, request.arrival, came)
        ask = partial(self._loop.call_soon_threadsafe, self._ask_proved, request, came)
        looking_up.add_done_callback(ask)

    def _ask_proved(
        self, request: _Request, came: float, proved: "Future[None]"
    ) -> None:
        try:
            proved.result()
            asked = self._read(request)
        except StoreUnavailable as failure:
            request.pass_on(failure)
        except BaseException as failure:  # noqa: BLE001  whoever waits is told
            request.tell(failure)
        else:
            # Whom nobody remembers even now, others refuse.
            self._ask(request, None if isinstance(asked, str) else asked, came)

    def _look_up(self, secret: str, arrival: Arrival, came: float) -> None:
        patience.queued(time.monotonic() - came)
        patience.begin()
        with suppress(AccessDenied):
            self._access.authenticate(
                secret,
                dialect=arrival.dialect,
                address=arrival.address,
                request_id=arrival.request_id,
            )

    def _read(self, request: _Request) -> Asked | str | None:
        """
        Return who asks what, or None if that is for others to settle.

        The secret alone if nobody remembers who holds it.
        """
        arrival, head, body, *_ = request
        lane = arrival.lane
        try:
            fields = forms.read_pairs(body)
            if head.query:
                fields = forms.read_pairs(head.query.encode()) | fields
            secret = find_secret(fields, head.headers.get("authorization"))
            if not secret or lane.unusual in fields:
                return None
            caller = self._access.recall(
                secret,
                dialect=arrival.dialect,
                address=arrival.address,
                request_id=arrival.request_id,
            )
            if caller is None:
                return secret
            self._access.require(caller, lane.grant)
            return caller, lane.read(fields)
        except (ValueError, DncError):
            return None
