"""What our way of running granian alone promises to a lane. The lane is a fake."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.wire import programs
from tests.wire.fake_lane import ask
from tests.wire.programs import receive
from tests.wire.raw_http import request


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    program = "tests.wire.fake_lane:begin"
    with programs.serving(program, "granian") as (port, _):
        yield port


@pytest.mark.parametrize(("path", "body"), [("/lane", b"forget"), ("/wrong", b"")])
def test_what_a_lane_has_forgotten_is_a_failure_and_harms_nobody_else(port, path, body):
    assert ask(port, body, path)[0] == 500

    assert ask(port, b"again") == (200, b"lane:again")


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
