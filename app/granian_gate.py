"""What gunicorn refuses by itself and granian lets through, refused in its words."""

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import structlog

from app.http import limits

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Up to this size an answer is handed over in one piece.
AT_ONCE_BYTES = 256 * 1024

_CONTINUE = "100-continue"

_log = structlog.get_logger()


class BodyCut(OSError):
    """The client went away before it had sent the whole body."""


class Body(io.RawIOBase):
    """
    A request's body of a told length, which granian streams.

    granian takes a connection that broke for the end of the body; here it raises
    BodyCut, so that no half of a request is ever taken for a whole one.
    """

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self._left = length
        self.cut = False

    def readable(self) -> bool:
        """Say so to whoever buffers this stream."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return *size* bytes, or as many as are left; raises BodyCut."""
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        if not wanted:
            return b""
        part: bytes = self._source.read(wanted)
        if len(part) < wanted:
            self._left = 0
            self.cut = True
            raise BodyCut
        self._left -= wanted
        return part

    def readall(self) -> bytes:
        """Return what is left; raises BodyCut."""
        return self.read()

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill *buffer* as far as there is anything left; raises BodyCut."""
        view = memoryview(buffer).cast("B")
        part: ReadableBuffer = self.read(len(view))
        view[: len(part)] = part  # type: ignore[arg-type]
        return len(part)  # type: ignore[arg-type]


class Gate:
    """WSGI middleware that has refused what the application must not look at."""

    def __init__(self, app: "WSGIApplication") -> None:
        """Let to *app* what is in order."""
        self._app = app
        self._leaving = False

    def leave(self, *_: object) -> None:
        """Let every connection end with its next answer; a signal's handler."""
        self._leaving = True

    def is_leaving(self) -> bool:
        """Whether every connection ends with its next answer."""
        return self._leaving

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request, or have it answered."""
        refused = _judge(environ)
        if refused:
            environ[limits.REFUSED] = refused
            environ["CONTENT_LENGTH"] = ""
            _log.warning("request_unreadable", kind="Gate", status=refused)
        length = environ.get("CONTENT_LENGTH")
        body = Body(environ["wsgi.input"], int(length or 0))
        environ["wsgi.input"] = body
        length_told: int | None = None

        def begin(
            status: str, head: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            nonlocal length_told
            for name, value in head:
                if name.lower() == "content-length":
                    length_told = int(value)
            if self._leaving or refused:
                head = [*head, ("Connection", "close")]
            return start_response(status, head, exc_info)

        answer = self._app(environ, begin)
        if isinstance(answer, list):
            return answer
        if length_told is None or length_told > AT_ONCE_BYTES:
            return answer
        return _whole(answer)


def _whole(answer: Iterable[bytes]) -> list[bytes]:
    """Return a short answer as a list: for each other part granian's threads queue."""
    try:
        return [b"".join(answer)]
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()


def _judge(environ: "WSGIEnvironment") -> int | None:
    """Return the status with which a request is to be refused, or None."""
    # granian cannot say whether such a body ended or its connection broke. Of one that
    # tells its length twice over, the length is not to be believed either.
    if "HTTP_TRANSFER_ENCODING" in environ:
        return 411
    if len(environ["PATH_INFO"]) + len(environ["QUERY_STRING"]) > limits.TARGET_BYTES:
        return 414
    if environ.get("HTTP_EXPECT", _CONTINUE).lower() != _CONTINUE:
        return 417
    headers = 0
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            headers += 1
            if len(value) > limits.HEADER_BYTES:
                return 431
    if headers > limits.HEADERS:
        return 431
    return None
