"""What can be told of a request without reading it. No server."""

import socket
from contextlib import closing

import pytest

from app.gunicorn_peek import Seen, count_unaccepted, look


def request(target: str, body: str = "", *lines: str) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    return ("\r\n".join([*head, *lines]) + "\r\n\r\n" + body).encode()


def seen(sent: bytes) -> Seen | None:
    """Return what is seen of *sent*, all of which is still there afterwards."""
    client, server = socket.socketpair()
    with closing(client), closing(server):
        client.sendall(sent)
        found = look(server)
        if sent:
            assert server.recv(len(sent) + 1) == sent
    return found


def test_a_plain_request_is_seen_without_its_query():
    asked = request("/v1/dnc/check?phone_code=1", "phone_number=5551234567")

    assert seen(asked) == Seen("/v1/dnc/check", len(asked), stays=True)


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"POST /check HTTP/1.1\r\nHost: x\r\n",
        b"BREW /check HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        request("/check", "body")[:-1],
        request("/check", "", "Transfer-Encoding: chunked"),
        request("/check", "", "Expect: 100-continue"),
        request("/check", "body", "Content-Length: 3"),
        b"POST /check HTTP/1.1\r\nContent-Length: +4\r\n\r\nbody",
    ],
    ids=[
        "nothing",
        "a head that goes on",
        "no method of ours",
        "noise",
        "a body that goes on",
        "chunks",
        "an expectation",
        "two lengths",
        "a length with a sign",
    ],
)
def test_what_is_not_plain_and_whole_is_left_to_the_parser(asked: bytes):
    assert seen(asked) is None


def test_a_request_is_seen_alone_where_another_follows():
    first, second = request("/check", "body"), request("/other")

    found = seen(first + second)

    assert found == Seen("/check", len(first), stays=True)


@pytest.mark.parametrize(
    "asked", [request("/check", "", "Connection: close"), b"GET /c HTTP/1.0\r\n\r\n"]
)
def test_a_connection_that_is_to_close_does_not_stay(asked: bytes):
    found = seen(asked)

    assert found is not None
    assert not found.stays


def test_nobody_waits_at_a_listener_that_was_closed():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = listener.getsockname()
        with closing(socket.create_connection(where)):
            assert count_unaccepted(listener) == 1

    assert count_unaccepted(listener) == 0
