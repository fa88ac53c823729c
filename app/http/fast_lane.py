"""
The fast lane: what is asked most, answered before Flask.

It takes a plain form or query and a good token, and leaves whatever is unusual to
Flask, with the body as it was: also everything that is refused, so that refusals are
worded in one place. Its answers are the view's, byte for byte.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from gunicorn.http.errors import ParseException

from app.domain import patience
from app.domain.access import Caller, Grant
from app.domain.errors import DncError, RequestMalformed, TokenInvalid
from app.domain.rates import Standing
from app.domain.rules import Question, Verdict
from app.http import forms, limits, metrics, request_log
from app.http.proxy import read_address
from app.http.rates import Rates, admit_once, note_counted, write_headers
from app.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MET = "dncd.fast_lane"

_BEARER = re.compile(r"Bearer +([!-~]+)")
_LENGTH = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Lane:
    """
    A check that has a fast lane: what it needs, how it is read and answered.

    A request with the parameter *unusual* is left to Flask.
    """

    operation: str
    grant: Grant
    read: Callable[[forms.Fields], Question]
    write: Callable[[Question, Verdict], bytes]
    unusual: str


class Arrival(NamedTuple):
    """A request on a lane, and when and whence it came."""

    dialect: str
    lane: Lane
    method: str
    request_id: str
    address: str | None
    began: float

    def report(
        self,
        caller: Caller,
        body: bytes,
        standing: Standing | None,
        log: Callable[[str], None],
    ) -> list[tuple[str, str]]:
        """Count the answer that *caller* gets, and *log* it; return its headers."""
        seconds = time.perf_counter() - self.began
        operation = self.lane.operation
        metrics.count(self.dialect, operation, 200, seconds)
        log(
            request_log.write_line(
                request_id=self.request_id,
                method=self.method,
                endpoint=f"{self.dialect}.{operation}",
                status=200,
                seconds=seconds,
                address=self.address,
                caller=caller,
            )
        )
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("X-Request-ID", self.request_id),
        ]
        if standing is not None:
            headers += write_headers(standing)
        return headers


@dataclass(frozen=True, slots=True)
class Met:
    """Why the fast lane could not answer, and for whom if it got that far."""

    failure: DncError
    caller: Caller | None


class FastLane:
    """WSGI middleware that answers requests on *lanes*, by path, where it can."""

    def __init__(
        self,
        app: "WSGIApplication",
        services: Services,
        lanes: Mapping[str, tuple[str, Lane]],
        rates: Rates,
    ) -> None:
        """Answer with *services*, within *rates*; *lanes* name their dialects."""
        self._app = app
        self._services = services
        self._lanes = lanes
        self._rates = rates

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer the request, or pass it on."""
        found = self._lanes.get(environ["PATH_INFO"])
        if found is None or limits.REFUSED in environ or MET in environ:
            return self._app(environ, start_response)
        patience.begin()
        arrival = Arrival(
            *found,
            method=environ["REQUEST_METHOD"],
            request_id=request_log.choose_id(environ.get("HTTP_X_REQUEST_ID", "")),
            address=read_address(environ.get("REMOTE_ADDR")),
            began=time.perf_counter(),
        )
        lane, caller, standing, secret = arrival.lane, None, None, ""
        try:
            standing = admit_once(self._rates, environ, arrival.address)
            fields = _read_fields(environ)
            if fields is None or lane.unusual in fields:
                return self._pass_on(environ, start_response, standing)
            shown = find_secret(fields, environ.get("HTTP_AUTHORIZATION"))
            if shown is None:
                return self._pass_on(environ, start_response, standing)
            secret = shown
            caller = self._services.access.authenticate(
                secret,
                dialect=arrival.dialect,
                address=arrival.address,
                request_id=arrival.request_id,
            )
            standing = self._rates.admit_token(caller.token_id, standing)
            self._services.access.require(caller, lane.grant)
            question = lane.read(fields)
            body = lane.write(question, self._services.checks.check(caller, question))
        except DncError as failure:
            met = failure
            if isinstance(failure, TokenInvalid):
                met = self._rates.judge_guess(secret, arrival.address)
            # Its words are Flask's to find; to ask the database again would only delay.
            environ[MET] = Met(met, caller)
            environ["HTTP_X_REQUEST_ID"] = arrival.request_id
            return self._pass_on(environ, start_response, standing)
        headers = arrival.report(caller, body, standing, request_log.put)
        start_response("200 OK", headers)
        return [body]

    def _pass_on(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        standing: Standing | None,
    ) -> Iterable[bytes]:
        """Leave a request that was counted to Flask."""
        note_counted(environ, standing)
        return self._app(environ, start_response)


def find_met(environ: "WSGIEnvironment") -> Met | None:
    """Return what the fast lane has met in this request, if it was there and failed."""
    met: Met | None = environ.get(MET)
    return met


def find_secret(fields: forms.Fields, authorization: str | None) -> str | None:
    """Return the secret that is shown, empty if none is; None if it comes unusually."""
    secret = fields.get("auth_token")
    if secret or authorization is None:
        return secret or ""
    offered = _BEARER.fullmatch(authorization)
    return offered[1] if offered else None


def _read_fields(environ: "WSGIEnvironment") -> forms.Fields | None:
    """
    Return the parameters, or None, and the body still to read, if they come unusually.

    Raises RequestMalformed for a body that cannot be read.
    """
    length = environ.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in environ or not _LENGTH.fullmatch(length):
        return None
    query = environ.get("QUERY_STRING", "").encode("latin-1")
    method, wanted = environ["REQUEST_METHOD"], int(length)
    try:
        if method == "GET" and not wanted:
            return forms.read_pairs(query)
        plain = method == "POST" and environ.get("CONTENT_TYPE") == forms.FORM
        if not plain or wanted > limits.FORM_BYTES:
            return None
        body = environ["wsgi.input"].read(wanted)
        environ["wsgi.input"] = BytesIO(body)
        if len(body) != wanted:
            raise RequestMalformed
        pairs = forms.read_pairs(body)
        return {**forms.read_pairs(query), **pairs} if query else pairs
    except UnicodeDecodeError:
        return None
    except (OSError, ParseException, ValueError) as error:
        raise RequestMalformed from error
