"""How large a request may be.  Published in the OpenAPI, enforced here and below."""

from contextlib import suppress

from flask import Flask, Response, request
from gunicorn.http.errors import ParseException

# A form of the largest values comes to a tenth of this.
FORM_BYTES = 64 * 1024
FORM_PARAMETERS = 100

REQUEST_LINE_BYTES = 8190
HEADERS = 64
HEADER_BYTES = 8190

# What the proxy in deploy/ lets through.
PROXIED_BYTES = 1024 * 1024

_CHUNK_BYTES = 64 * 1024
_FIRST_REFUSAL = 400


def install(app: Flask) -> None:
    """
    Bound the bodies that *app* reads, and take in the rest of a refused one.

    gunicorn closes a connection on which a large body was left unread, without saying
    so; a proxy that sends its next request there would get no answer to it.
    """
    app.config["MAX_CONTENT_LENGTH"] = FORM_BYTES

    @app.after_request
    def take_in_the_rest(response: Response) -> Response:
        if response.status_code >= _FIRST_REFUSAL:
            _discard_body()
        return response


def _discard_body() -> None:
    body = request.environ["wsgi.input"]
    left = PROXIED_BYTES
    with suppress(OSError, ParseException):
        while left > 0 and (part := body.read(min(left, _CHUNK_BYTES))):
            left -= len(part)
