"""What our ways of running both servers promise to a lane. The lane is a fake."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.wire import programs
from tests.wire.fake_lane import LARGE, ask
from tests.wire.raw_http import read_answer, request


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    program = "tests.wire.fake_lane:begin"
    with programs.serving(program, request.param) as (port, _):
        yield port


@pytest.mark.parametrize("body", [b"", b"a question", b"x" * 5_000])
def test_a_lane_answers_what_is_for_it(port, body):
    assert ask(port, body) == (200, b"lane:" + body)


@pytest.mark.parametrize(
    ("path", "body"), [("/lane", b"pass"), ("/other", b"else"), ("/unknown", b"else")]
)
def test_others_answer_the_rest_and_miss_nothing_of_it(port, path, body):
    assert ask(port, body, path) == (200, b"application:" + body)


def test_what_a_client_does_not_take_at_once_is_sent_all_the_same(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        for _ in range(2):
            sent = request("/lane", b"large").replace(b"Connection: close\r\n", b"")
            connection.sendall(sent)
            time.sleep(0.1)

            assert read_answer(connection).body == LARGE


def test_others_know_what_the_lane_has_met(port):
    assert ask(port, b"met") == (200, b"application:met:known")
    # And of the next request nothing of it.
    assert ask(port, b"else", "/other") == (200, b"application:else")


@pytest.mark.parametrize("body", [b"fail", b"raise"])
def test_a_lane_that_fails_is_a_failure_and_harms_nobody_else(port, body):
    assert ask(port, body)[0] == 500

    assert ask(port, b"again") == (200, b"lane:again")


def test_questions_on_one_connection_are_answered_one_after_another(port):
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        for number in range(9):
            path = "/other" if number % 3 == 1 else "/lane"
            by = b"application:" if number % 3 == 1 else b"lane:"
            body = b"%d" % number
            sent = request(path, body).replace(b"Connection: close\r\n", b"")
            connection.sendall(sent)

            assert read_answer(connection).body == by + body
