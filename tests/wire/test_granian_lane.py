"""What our way of running granian promises to a lane. The lane is a fake."""

import asyncio
import gc
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import pytest
from granian.rsgi import ProtocolClosed, ProtocolError

from app import granian_server, granian_streams
from app.http import request_log
from app.http.loop_lane import Answered, Head, Passed, Tell
from tests.wire import granian_process
from tests.wire.granian_process import receive
from tests.wire.raw_http import exchange, read_answer, request

PATIENCE_SECONDS = 1


class Lane:
    """Does with a body what that says, and counts those that were not whole."""

    def __init__(self) -> None:
        self._cut = 0

    def serves(self, path: str) -> bool:
        return path != "/unknown"

    def find_length(self, head: Head) -> int | None:
        if head.path == "/wrong":
            raise LookupError
        return int(head.headers["content-length"]) if head.path == "/lane" else None

    def answer(self, head: Head, body: bytes, tell: Tell) -> None:
        loop = asyncio.get_running_loop()
        self._cut += len(body) != int(head.headers["content-length"])
        match body:
            case b"pass":
                tell(Passed(body))
            case b"fail":
                tell(LookupError())
            case b"raise":
                raise LookupError
            case b"forget":
                return
            case b"count":
                tell(Answered([], b"%d" % self._cut))
            case b"failures":
                tell(Answered([], b"%d" % count_failures()))
            case _:
                answered = Answered([("Content-Type", "text/plain")], b"lane:" + body)
                loop.call_later(0.01, tell, answered)


def count_failures() -> int:
    """Return how many bodies that were cut are still known of."""
    gc.collect()
    kept = (ProtocolClosed, ProtocolError)
    return sum(isinstance(each, kept) for each in gc.get_objects())


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"application:" + environ["wsgi.input"].read()]


def begin() -> None:
    """Serve with the lane, at the port that the arguments tell."""
    request_log.configure()
    granian_streams.PATIENCE_SECONDS = PATIENCE_SECONDS
    make: Any = lambda: (application, Lane())  # noqa: E731  granian_server calls it
    granian_server.serve(make, "127.0.0.1", int(sys.argv[2]), workers=1, threads=2)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with granian_process.serving(f"{__name__}:begin", "lane") as (port, _):
        yield port


def ask(port: int, body: bytes, path: str = "/lane") -> tuple[int, bytes]:
    found = exchange(f"http://127.0.0.1:{port}", request(path, body))
    return found.status, found.body


@pytest.mark.parametrize("body", [b"", b"a question", b"x" * 50_000])
def test_a_lane_answers_what_is_for_it(port, body):
    assert ask(port, body) == (200, b"lane:" + body)


@pytest.mark.parametrize(
    ("path", "body"), [("/lane", b"pass"), ("/other", b"else"), ("/unknown", b"else")]
)
def test_others_answer_the_rest_and_miss_nothing_of_it(port, path, body):
    assert ask(port, body, path) == (200, b"application:" + body)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/lane", b"fail"), ("/lane", b"raise"), ("/lane", b"forget"), ("/wrong", b"")],
)
def test_a_lane_that_fails_is_a_failure_and_harms_nobody_else(port, path, body):
    assert ask(port, body, path)[0] == 500

    assert ask(port, b"again") == (200, b"lane:again")


def test_questions_on_one_connection_are_answered_one_after_another(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        for number in range(5):
            body = b"%d" % number
            sent = request("/lane", body).replace(b"Connection: close\r\n", b"")
            connection.sendall(sent)

            assert read_answer(connection).body == b"lane:" + body


def test_a_lane_is_given_no_body_that_was_cut(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(request("/lane", b"part", length=12))
        connection.shutdown(socket.SHUT_WR)

        assert b"200 OK" not in receive(connection, 1)
    assert ask(port, b"count") == (200, b"0")


@pytest.mark.parametrize("path", ["/lane", "/other"])
def test_nothing_is_kept_of_bodies_that_were_cut(port, path):
    before = int(ask(port, b"failures")[1])

    for _ in range(20):
        with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
            connection.sendall(request(path, b"part", length=12))
            connection.shutdown(socket.SHUT_WR)
            receive(connection, 1)

    assert int(ask(port, b"failures")[1]) < before + 5


def test_a_body_that_comes_too_slowly_is_not_waited_for(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(request("/lane", b"part", length=12))
        connection.settimeout(15)

        # The end of the connection, rather than that nothing comes.
        assert b"200 OK" not in connection.recv(1000)
    assert ask(port, b"again") == (200, b"lane:again")
