"""How large a request may be.  Published in the OpenAPI, enforced here and below."""

import json
import socket
import struct
from contextlib import suppress
from io import BytesIO
from typing import Any

from flask import Flask, Response, abort, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import RequestEntityTooLarge

from app.domain.errors import Overloaded

# A form of the largest values comes to a tenth of this.
FORM_BYTES = 64 * 1024
FORM_PARAMETERS = 100

# Fifty thousand numbers of eighty bytes each.
BATCH_NUMBERS = 50_000
BATCH_BYTES = 4 * 1024 * 1024

# What asks about no more than some hundred numbers is no bulk work.
SHORT_BYTES = 4 * 1024

# A hundred million plain numbers, or as many rows in gzip.
IMPORT_BYTES = 2 * 1024 * 1024 * 1024

REQUEST_LINE_BYTES = 8190
HEADERS = 64
HEADER_BYTES = 8190

# A request line also holds a method and a version.
TARGET_BYTES = REQUEST_LINE_BYTES - len("POST  HTTP/1.1")

# What the proxy in deploy/ lets through.
PROXIED_BYTES = 1024 * 1024

# How long a server that stops waits for answers, and an idle connection for requests.
GRACEFUL_SECONDS = 30
IDLE_SECONDS = 65

# The status with which the server wants a request refused, in the dialect's own words.
REFUSED = "dncd.refused"

_CHUNK_BYTES = 64 * 1024
_FIRST_REFUSAL = 400

# A fifth of a second, as the kernel takes it.
_SHORT_PAUSE = struct.pack("@ll", 0, 200_000)
_UNAVAILABLE = 503


def install(app: Flask) -> None:
    """
    Bound the bodies that *app* reads, and take in the rest of a refused one.

    What the server wants refused is refused before anything of it is looked at.

    gunicorn closes a connection on which a large body was left unread, without saying
    so; a proxy that sends its next request there would get no answer to it.
    """
    app.config["MAX_CONTENT_LENGTH"] = FORM_BYTES

    @app.before_request
    def refuse() -> None:
        if REFUSED in request.environ:
            status = request.environ[REFUSED]
            if status == _UNAVAILABLE and request.url_rule:
                raise Overloaded
            abort(status)

    @app.after_request
    def take_in_the_rest(response: Response) -> Response:
        if response.status_code >= _FIRST_REFUSAL:
            _discard_body()
        return response


def bound_chunked(environ: dict[str, Any], most: int = FORM_BYTES) -> None:
    """
    Read a body whose length was not told, up to *most*, so that it has a length.

    werkzeug would cut such a body at the limit and go on with what came before. Raises
    RequestEntityTooLarge, and whatever reading the body raises.
    """
    if environ.get("CONTENT_LENGTH") or not environ.get("wsgi.input_terminated"):
        return
    body = environ["wsgi.input"].read(most + 1)
    if len(body) > most:
        raise RequestEntityTooLarge
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))


def write_refusal(status: int, reason: str) -> bytes:
    """Return the body of what a server answers before the application is called."""
    return json.dumps(
        {"success": False, "code": status, "text": reason, "message": reason}
    ).encode()


def _discard_body() -> None:
    if (request.content_length or 0) > PROXIED_BYTES:
        return
    body = request.environ["wsgi.input"]
    connection = request.environ.get("gunicorn.socket")
    if connection is not None:
        # Who has not sent it by now has been waited for already; gunicorn_conf.py
        # grants its pause anew with the next request.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _SHORT_PAUSE)
    left = PROXIED_BYTES
    with suppress(OSError, ParseException):
        while left > 0 and (part := body.read(min(left, _CHUNK_BYTES))):
            left -= len(part)
