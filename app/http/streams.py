"""
Bodies and answers of any size, in constant memory.

An answer may begin while its request still comes. A client that sends everything
before it reads anything would then wait for us, and we for it; so what it does not take
at once waits in a temporary file, and the request is read on.
"""

import select
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from io import SEEK_END
from itertools import chain
from typing import IO

import flask
import structlog
from flask import Response
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import RequestEntityTooLarge

from app.domain.errors import DncError, RequestMalformed
from app.http.proxy import is_proxied

PART_BYTES = 16 * 1024

# So much of an answer waits in memory before it goes to disk.
MEMORY_BYTES = 4 * 1024 * 1024

# Where a body is that was kept already.
KEPT = "dncd.kept"

_log = structlog.get_logger()


def read_parts(request: flask.Request) -> Iterator[bytes]:
    """
    Yield a request's body as it comes.

    Raises RequestMalformed if it ends before it should, or cannot be read.
    """
    stream, left = request.environ["wsgi.input"], request.content_length
    if left is None and not request.environ.get("wsgi.input_terminated"):
        return
    try:
        while part := stream.read(
            PART_BYTES if left is None else min(PART_BYTES, left)
        ):
            if left is not None:
                left -= len(part)
            yield part
    except (OSError, ParseException, ValueError) as error:
        raise RequestMalformed from error
    if left:
        raise RequestMalformed


@contextmanager
def kept(
    request: flask.Request,
    most_bytes: int,
    look_at: Callable[[bytes], object] | None = None,
) -> Iterator[IO[bytes]]:
    """
    Yield a request's body as a file, once all of it is here.

    So that no slow client holds the database. *look_at* is shown each part as it comes.
    Raises RequestMalformed if it ends before it should, RequestEntityTooLarge.
    """
    if (request.content_length or 0) > most_bytes:
        raise RequestEntityTooLarge
    if KEPT in request.environ:
        yield request.environ[KEPT]
        return
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:
        for part in read_parts(request):
            if spool.tell() + len(part) > most_bytes:
                raise RequestEntityTooLarge
            spool.write(part)
            if look_at is not None:
                look_at(part)
        spool.seek(0)
        yield spool


@contextmanager
def handed_on(request: flask.Request, body: IO[bytes]) -> Iterator[None]:
    """Let whoever reads the request's body until the end find it in *body*, whole."""
    environ = request.environ
    stream = environ["wsgi.input"]
    environ["CONTENT_LENGTH"] = str(body.seek(0, SEEK_END))
    body.seek(0)
    environ["wsgi.input"] = environ[KEPT] = body
    try:
        yield
    finally:
        del environ[KEPT]
        environ["wsgi.input"] = stream


def answer(
    request: flask.Request, parts: Iterator[bytes], content_type: str
) -> Response:
    """
    Return an answer of *parts*, sent while they are made.

    What the first part raises is raised here. What a later one raises breaks the answer
    off before its end, which HTTP/1.1 lets the client see. A client of HTTP/1.0 could
    not; a proxy may stop sending once it is answered (nginx does); and where the server
    does not show its socket nobody knows what the client has taken. Then the answer is
    made whole before it is sent, with its length, and what making it raises is raised
    here.
    """
    connection = request.environ.get("gunicorn.socket")
    if (
        connection is None
        or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
        or is_proxied(request.environ)
    ):
        return _answer_whole(parts, content_type)
    whole = chain((next(parts, b""),), parts)
    sent = _reported(_without_waiting(whole, connection))
    return Response(sent, content_type=content_type)


def _answer_whole(parts: Iterable[bytes], content_type: str) -> Response:
    spool = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115  sent later
    for part in parts:
        spool.write(part)
    length = spool.tell()
    spool.seek(0)

    def send() -> Iterator[bytes]:
        with closing(spool):
            while part := spool.read(PART_BYTES):
                yield part

    response = Response(send(), content_type=content_type)
    response.content_length = length
    return response


def _without_waiting(
    parts: Iterable[bytes], connection: socket.socket
) -> Iterator[bytes]:
    """Yield *parts*, those before the last only as fast as the client takes them."""
    writable = select.poll()
    writable.register(connection, select.POLLOUT)
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:
        sent = 0
        for part in parts:
            spool.seek(0, 2)
            spool.write(part)
            end = spool.tell()
            spool.seek(sent)
            while sent < end and writable.poll(0):
                piece = spool.read(PART_BYTES)
                sent += len(piece)
                yield piece
            if sent == end:
                spool.seek(0)
                spool.truncate()
                sent = 0
        spool.seek(sent)
        while piece := spool.read(PART_BYTES):
            yield piece


def _reported(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *parts*; that they break off is logged here, for nobody else can tell."""
    try:
        yield from parts
    except DncError as failure:
        _log.error("answer_broken_off", kind=type(failure).__name__)
        raise
