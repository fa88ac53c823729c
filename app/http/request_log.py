"""
One JSON line a request, in which no phone number and no secret can appear.

The line never holds a query string or a body, and whatever text it does hold goes
through ``mask`` last, as does everything that gunicorn or a library logs.
"""

import json
import logging
import re
import select
import sys
import time
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import Any

import structlog
from flask import Flask, Response, g, request
from structlog.typing import Processor

from app.domain import patience
from app.domain.access import Caller
from app.http import current, request_ids
from app.http.loop import Loop
from app.http.proxy import read_address

_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")
_SECRET = re.compile(r"dncd_[0-9A-Za-z]{6,}")
# Seven or more digits, however they are grouped, can be somebody's number; a date or
# a time of day cannot be told apart from one, and is not logged as text.
_NUMBER = re.compile(r"\+?[0-9](?:[ .()-]{0,2}[0-9]){6,}")
_EXEMPT = {"timestamp", "address"}

# Lines that whoever holds the lock is going to write.
_left: list[str] = []
_writing = Lock()

_NULL = "null"
_LINE = (
    '{"request_id": "%s", "method": %s, "endpoint": %s, "status": %d, '
    '"milliseconds": %.1f, "address": %s, "organisation": %s, "token": %s, '
    '"event": "request", "level": "info", "timestamp": "%s"}\n'
)


def mask(text: str) -> str:
    """Return *text* with numbers cut to their last two digits and secrets cut out."""
    text = _SECRET.sub("dncd_***", text)
    return _NUMBER.sub(lambda match: "***" + match[0][-2:], text)


def mask_values(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Mask every text of a log line; a structlog processor."""
    for key, value in line.items():
        if isinstance(value, str) and key not in _EXEMPT:
            line[key] = mask(value)
    return line


def configure() -> None:
    """Send every log line of this process to standard error, as masked JSON."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                *shared[:2],
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_values,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # The pool reports each connection that it cannot make; readyz says it once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def choose_id(offered: str) -> str:
    """Return the id that the client *offered*, if it may be one, or a new one."""
    acceptable = _REQUEST_ID.fullmatch(offered) and not _SECRET.search(offered)
    return offered if acceptable else request_ids.new()


def write_line(  # noqa: PLR0913  one parameter a field
    *,
    request_id: str,
    method: str,
    endpoint: str | None,
    status: int,
    seconds: float,
    address: str | None,
    caller: Caller | None,
) -> str:
    """Return the line of one answered request: by hand, for it is written most."""
    organisation = token = None
    if caller is not None:
        organisation, token = caller.organisation.id, caller.token_id
    return _LINE % (
        # Without a digit it can be neither of what is masked.
        request_id if request_id.isalpha() else mask(request_id),
        _write(method),
        _write(endpoint),
        status,
        seconds * 1000,
        _NULL if address is None else f'"{address}"',
        _NULL if organisation is None else organisation,
        _NULL if token is None else token,
        _write_instant(time.time_ns() // 1_000_000),
    )


def put(line: str) -> None:
    """
    Write a line that ``write_line`` has made, or several of them.

    While one thread writes, the others leave it theirs, and go on.
    """
    _left.append(line)
    while _left and _writing.acquire(blocking=False):
        try:
            lines = _left[:]
            del _left[: len(lines)]
            sys.stderr.write("".join(lines))
        finally:
            _writing.release()


class Lines:
    """
    Lines of one event loop, put together once what has come by now is done.

    Each write lets other threads run, which the next answer would have to wait for.
    Where nobody takes in what is written, a thread waits for it, and not the loop.
    """

    def __init__(self, loop: Loop) -> None:
        """Write them in *loop*'s thread."""
        self._loop = loop
        self._held: list[str] = []
        self._waiting = ThreadPoolExecutor(1, thread_name_prefix="lines")

    def put(self, line: str) -> None:
        """Have *line* written in a moment; for the event loop's thread."""
        if not self._held:
            self._loop.call_soon(self._write)
        self._held.append(line)

    def _write(self) -> None:
        held, self._held = self._held, []
        lines = "".join(held)
        if len(lines) <= select.PIPE_BUF and _can_be_written():
            # That it cannot be told to anybody is no reason to answer nobody.
            with suppress(OSError):
                put(lines)
        else:
            self._waiting.submit(put, lines)


def _can_be_written() -> bool:
    """Whether standard error takes as much as is written to a pipe at once."""
    waiting = select.poll()
    try:
        waiting.register(sys.stderr.fileno(), select.POLLOUT)
    except (AttributeError, OSError, ValueError):
        # It is no file of the system's, or none any more.
        return True
    return bool(waiting.poll(0))


@lru_cache(maxsize=1)
def _write_instant(milliseconds: int) -> str:
    """Return that instant, since 1970, as the other lines have it."""
    instant = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return instant.isoformat(timespec="milliseconds")


@lru_cache(maxsize=1024)
def _write(text: str | None) -> str:
    """Return the JSON of one of a few texts, masked."""
    return _NULL if text is None else json.dumps(mask(text))


def install(app: Flask) -> None:
    """Give every request of *app* an id and a line in the log."""

    @app.before_request
    def begin() -> None:
        g.request_id = choose_id(request.headers.get("X-Request-ID", ""))
        g.began = time.perf_counter()
        patience.begin()

    @app.after_request
    def report_answer(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        line = write_line(
            request_id=g.request_id,
            method=request.method,
            endpoint=request.endpoint,
            status=response.status_code,
            seconds=time.perf_counter() - g.began,
            address=read_address(request.remote_addr),
            caller=current.caller(),
        )
        put(line)
        return response
