"""Requests as bytes, made before the clock runs."""

import json
from collections.abc import Sequence
from urllib.parse import urlencode

from bench import numbers
from bench.load import Load

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
RING = 8192


def post(path: str, body: bytes, content_type: str, token: str = "") -> bytes:
    """Return a whole request; *token* goes into a header, if there is one."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def form(path: str, **fields: object) -> bytes:
    """Return a form that is posted."""
    return post(path, urlencode(fields).encode(), FORM)


def batch(token: str, of: Sequence[str], campaign: int) -> bytes:
    """Return a question about many numbers."""
    asked = {"phone_code": "1", "campaign_id": str(campaign), "numbers": list(of)}
    return post("/v1/dnc/check/batch", json.dumps(asked).encode(), JSON, token)


def ring(
    path: str, token: str, entries: int, held: bytes, free: bytes
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """
    Return questions about numbers, listed and not in turn, and what must be answered.

    *held* is in the answer about a number that is listed, *free* in the other.
    """
    listed = numbers.listed(entries, RING // 2)
    pairs = zip(listed, numbers.unlisted(len(listed)), strict=True)
    asked = [number for pair in pairs for number in pair]
    requests = [
        form(path, auth_token=token, phone_number=number, phone_code=1)
        for number in asked
    ]
    return tuple(requests), (held, free) * len(listed)


def load(
    port: int,
    asked: tuple[tuple[bytes, ...], tuple[bytes, ...]],
    connections: int,
    seconds: float,
) -> Load:
    """Return the load that a ring of questions makes."""
    requests, expected = asked
    return Load(port, requests, connections, seconds, expected)
