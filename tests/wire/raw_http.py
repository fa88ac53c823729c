"""A client that sends whatever it is told to, byte for byte, and judges refusals."""

import contextlib
import http.client
import json
import select
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes, urlsplit

from requests.structures import CaseInsensitiveDict

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

PATIENCE = 0.3


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def exchange(base: str, sent: bytes, *, finish: bool = False) -> Answer:
    """
    Send bytes on a connection of their own and return the answer to them.

    To *finish* is to tell the service, if it waits, that there is nothing more to come.
    """
    where = urlsplit(base)
    with socket.create_connection((where.hostname, where.port), 10) as connection:
        # Whoever refuses early may stop reading; the answer has arrived even so.
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            # A client that never waits for an answer is given none by granian.
            if finish and not select.select([connection], [], [], PATIENCE)[0]:
                connection.shutdown(socket.SHUT_WR)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> Answer:
    """Return the next answer on *connection*, whole."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    headers = CaseInsensitiveDict(response.getheaders())
    return Answer(response.status, headers, response.read())


def request(
    path: str,
    body: bytes = b"",
    content_type: str | None = FORM,
    *,
    method: bytes = b"POST",
    headers: Iterable[bytes] = (),
    length: object = None,
) -> bytes:
    """Return a request; *headers* are lines, a *length* of "" leaves it out."""
    lines = [method + b" " + path.encode() + b" HTTP/1.1", b"Host: localhost"]
    if content_type is not None:
        lines.append(b"Content-Type: " + content_type.encode())
    if length != "":
        told = len(body) if length is None else length
        lines.append(f"Content-Length: {told}".encode())
    lines += [b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def form(fields: Mapping[str, object]) -> bytes:
    """Return *fields* as a form; bytes go into it as they are."""
    return "&".join(
        f"{name}={quote_from_bytes(value if isinstance(value, bytes) else str(value).encode())}"  # noqa: E501
        for name, value in fields.items()
    ).encode()


def chunked(path: str, body: bytes, *headers: bytes) -> bytes:
    """Return a request whose body is given in chunks, already written."""
    return request(
        path, body, length="", headers=[b"Transfer-Encoding: chunked", *headers]
    )


def require_refusal(answer: Answer, *secrets: str) -> dict[str, Any]:
    """Return the body of a declared error in Convoso's shape, without *secrets*."""
    assert answer.status == 200 or 400 <= answer.status < 500, answer
    assert answer.headers["Content-Type"] == JSON, answer
    body = answer.json()
    assert body["success"] is False, answer
    assert isinstance(body["code"], int), answer
    assert body["text"], answer
    assert body["text"] == body["message"], answer
    for secret in secrets:
        assert secret.encode() not in answer.body, answer
    return body
