"""
How often a token and an address may ask, and how often with a secret that is wrong.

What is counted is counted once: by the fast lane, or else here.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from app.domain.errors import TokenInvalid, TooManyRequests
from app.domain.rates import Rate, Standing, source_of
from app.http.proxy import read_address
from app.services.buckets import Buckets

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Whoever goes on guessing is told to come back later and later, up to this.
LONGEST_WAIT = 900.0

_COUNTED = "dncd.rates"


class Rates:
    """The rates of one host; made before its workers, which share them."""

    def __init__(
        self, per_token: Rate | None, per_source: Rate | None, guesses: Rate | None
    ) -> None:
        """Keep these; None is no bound."""
        self._tokens = Buckets(per_token) if per_token else None
        self._sources = Buckets(per_source) if per_source else None
        self._guesses = Buckets(guesses, longest=LONGEST_WAIT) if guesses else None

    def admit_source(self, address: str | None) -> Standing | None:
        """Count a request from *address*; raises TooManyRequests."""
        if self._sources is None:
            return None
        return _require(self._sources.take(_key(address)))

    def admit_token(
        self, token_id: int | None, standing: Standing | None
    ) -> Standing | None:
        """
        Count a request by a token; raises TooManyRequests.

        Returns what is closer to its bound: this, or the *standing* of its source.
        """
        if self._tokens is None or token_id is None:
            return standing
        found = _require(self._tokens.take(token_id))
        return found if standing is None or found.left <= standing.left else standing

    def judge_guess(
        self, secret: str, address: str | None
    ) -> TokenInvalid | TooManyRequests:
        """
        Count a wrong *secret* from *address*; return what to say of it.

        A right one is never refused for the wrong ones that came from where it does:
        behind one address there may be a whole office.
        """
        if self._guesses is None or not secret:
            return TokenInvalid()
        standing = self._guesses.take(_key(address))
        return TooManyRequests(standing) if standing.wait else TokenInvalid()


def write_headers(standing: Standing) -> list[tuple[str, str]]:
    """Return the headers that tell where somebody stands."""
    burst, left, reset, wait = standing
    headers = [
        ("x-ratelimit-limit", str(burst)),
        ("x-ratelimit-remaining", str(left)),
        ("x-ratelimit-reset", str(math.ceil(reset))),
    ]
    if wait:
        headers.append(("Retry-After", str(max(1, math.ceil(wait)))))
    return headers


def admit_once(
    rates: Rates, environ: "WSGIEnvironment", address: str | None
) -> Standing | None:
    """Count a request, unless that was done already; raises TooManyRequests."""
    if _COUNTED in environ:
        counted: Standing | None = environ[_COUNTED]
        return counted
    return rates.admit_source(address)


def note_counted(environ: "WSGIEnvironment", standing: Standing | None) -> None:
    """Note that a lane has counted a request, which it could not answer."""
    environ[_COUNTED] = standing


def install(app: Flask, rates: Rates, prefixes: Iterable[str]) -> None:
    """Count every request of *app* under *prefixes*, and tell each where it stands."""
    counted = tuple(prefixes)

    def is_to_count() -> bool:
        # What has no route has no words for a refusal either, and costs little.
        return (
            _COUNTED not in request.environ
            and request.url_rule is not None
            and request.path.startswith(counted)
        )

    @app.before_request
    def admit() -> None:
        g.standing = request.environ.get(_COUNTED)
        if is_to_count():
            g.standing = rates.admit_source(read_address(request.remote_addr))

    @app.after_request
    def tell(response: Response) -> Response:
        standing: Standing | None = g.get("standing")
        if standing is not None and "x-ratelimit-limit" not in response.headers:
            response.headers.extend(write_headers(standing))
        return response


def _require(standing: Standing) -> Standing:
    if standing.wait:
        raise TooManyRequests(standing)
    return standing


@lru_cache(maxsize=4096)
def _key(address: str | None) -> int:
    source = source_of(address).encode()
    return int.from_bytes(blake2b(source, digest_size=8).digest()) or 1
