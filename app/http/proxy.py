"""Who really asks, when a proxy of ours stands in between."""

import ipaddress
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EVERYBODY = "*"

_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+|\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?")


class TrustedProxies:
    """WSGI middleware that believes ``X-Forwarded-For`` of the proxies it is given."""

    def __init__(self, app: "WSGIApplication", addresses: Collection[str]) -> None:
        """Believe *addresses*, or whoever connects if ``*`` is among them."""
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=0)
        self._addresses = frozenset(addresses)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Pass the request on, with its sender's address where a proxy told it."""
        if "HTTP_X_FORWARDED_FOR" not in environ:
            return self._direct(environ, start_response)
        sender = environ.get("REMOTE_ADDR")
        if sender in self._addresses or EVERYBODY in self._addresses:
            return self._forwarded(environ, start_response)
        return self._direct(environ, start_response)


def find_sender(
    sender: str | None, forwarded: str | None, addresses: Collection[str]
) -> str | None:
    """Return who really asks: *forwarded* if *addresses* hold *sender*, as above."""
    if forwarded is None or (sender not in addresses and EVERYBODY not in addresses):
        return sender
    told = parse_list_header(forwarded)
    return told[-1] if told and told[-1] else sender


def is_proxied(environ: "WSGIEnvironment") -> bool:
    """Whether a proxy of ours passed the request on."""
    return "werkzeug.proxy_fix.orig" in environ


@lru_cache(maxsize=1024)
def read_address(text: str | None) -> str | None:
    """
    Return an IP address as PostgreSQL takes it, or None for what is none.

    Some proxies add a port, and whoever listens to both families hears IPv4 as IPv6.
    """
    bare = (text or "").partition("%")[0]
    if with_port := _WITH_PORT.fullmatch(bare):
        bare = with_port[1] or with_port[2]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
