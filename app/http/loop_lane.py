"""
The fast lane of a server that runs on an event loop.

It waits for nothing but the event loop and so needs no thread a request; one thread
asks the database for all that wait. What is not remembered or is in any way unusual it
leaves to the WSGI application, body and all, so that refusals are worded in one place.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from flask import Flask

from app.domain import patience
from app.domain.errors import (
    AccessDenied,
    DncError,
    StoreUnavailable,
    TooManyRequests,
)
from app.domain.rates import Standing
from app.http import forms, limits, request_log
from app.http.fast_lane import Arrival, Lane, Met, find_secret
from app.http.loop_questions import Asked, Questions
from app.http.proxy import find_sender, read_address
from app.http.rates import Rates
from app.services import Services

EXTENSION = "dncd.loop_lane"

# Threads that look up whoever is not remembered.
PROVING = 2

# A request with any of these is not one of the usual.
_UNUSUAL = frozenset({"transfer-encoding", "expect"})

ReadBody = Callable[[], Awaitable[bytes]]


class Head(NamedTuple):
    """A request without its body; names of headers in small letters, each once."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    sender: str


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


PASSED = Passed()


def find(app: Flask) -> "LoopLane":
    """Return the lane of an application that ``create_app`` has made."""
    found: LoopLane = app.extensions[EXTENSION]
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
        self._questions = Questions(services.checks)
        self._log = request_log.Lines()
        self._proving = ThreadPoolExecutor(PROVING, thread_name_prefix="tokens")

    def serves(self, path: str) -> bool:
        """Whether *path* is a lane's."""
        return path in self._lanes

    async def answer(self, head: Head, read_body: ReadBody) -> Answered | Passed:
        """Answer the request, or pass it on; raises what reading the body raises."""
        began = time.perf_counter()
        headers = head.headers
        length = _find_length(head)
        if length is None:
            return PASSED
        body = await read_body() if length else b""
        if len(body) != length:
            return Passed(body)
        dialect, lane = self._lanes[head.path]
        forwarded = headers.get("x-forwarded-for")
        arrival = Arrival(
            dialect,
            lane,
            method=head.method,
            request_id=request_log.choose_id(headers.get("x-request-id", "")),
            address=read_address(
                find_sender(head.sender, forwarded, self._trusted_proxies)
            ),
            began=began,
        )
        standing = None
        caller = None
        try:
            standing = self._rates.admit_source(arrival.address)
            asked = self._read(arrival, head, body)
            if isinstance(asked, str):
                await self._prove(asked, arrival)
                asked = self._read(arrival, head, body)
            if asked is None or isinstance(asked, str):
                return Passed(body, counted=True, standing=standing)
            caller, question = asked
            standing = self._rates.admit_token(caller.token_id, standing)
        except (TooManyRequests, StoreUnavailable) as failure:
            met = Met(failure, caller)
            return Passed(
                body, met, arrival.request_id, counted=True, standing=standing
            )
        answer = await self._questions.put(asked)
        if isinstance(answer, DncError):
            met = Met(answer, caller)
            return Passed(
                body, met, arrival.request_id, counted=True, standing=standing
            )
        written = lane.write(question, answer)
        told = arrival.report(caller, written, standing, self._log.put)
        return Answered(told, written)

    async def _prove(self, secret: str, arrival: Arrival) -> None:
        """Have the holder of *secret* looked up; raises StoreUnavailable."""
        loop = asyncio.get_running_loop()
        came = time.monotonic()
        await loop.run_in_executor(self._proving, self._look_up, secret, arrival, came)

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

    def _read(self, arrival: Arrival, head: Head, body: bytes) -> Asked | str | None:
        """
        Return who asks what, or None if that is for others to settle.

        The secret alone if nobody remembers who holds it.
        """
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


def _find_length(head: Head) -> int | None:
    """Return how long the body is of a plain request that a lane may answer."""
    headers = head.headers
    if (
        not _UNUSUAL.isdisjoint(headers)
        or len(headers) > limits.HEADERS
        or max(map(len, headers.values()), default=0) > limits.HEADER_BYTES
        or len(head.path) + len(head.query) > limits.TARGET_BYTES
    ):
        return None
    length = int(headers.get("content-length", "0"))
    if head.method == "GET":
        return None if length else 0
    plain = head.method == "POST" and headers.get("content-type") == forms.FORM
    return length if plain and length <= limits.FORM_BYTES else None
