"""What is known of a connection to gunicorn whose request nobody has read."""

import re
import socket
import struct
import sys
from typing import NamedTuple

from app.http import limits

# Elsewhere only what waits in this process is known of.
KERNEL_TELLS = sys.platform == "linux"

# struct tcp_info: eight bytes, then whole numbers.
_TCP_INFO_BYTES = 64
_UNACKED = struct.Struct("@24xI")  # of a listening socket: connections not accepted yet
_LAST_DATA_RECEIVED = struct.Struct("@52xI")

_REQUEST = re.compile(rb"(?:GET|POST|DELETE) (/[^ ?]*)[^ ]* HTTP/1\.([01])\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*\r\n")

_BLANK_LINE = b"\r\n\r\n"


class Seen(NamedTuple):
    """A request that is here as a whole, and was not read."""

    path: str
    length: int
    stays: bool


def read_waited(connection: socket.socket) -> float:
    """Return how many seconds ago *connection* has sent something."""
    if not KERNEL_TELLS:
        return 0.0
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    milliseconds: int = _LAST_DATA_RECEIVED.unpack_from(told)[0]
    return milliseconds / 1000


def count_unaccepted(listener: socket.socket) -> int:
    """Return how many connections to *listener* nobody has accepted yet."""
    if not KERNEL_TELLS:
        return 0
    try:
        told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        # It was closed meanwhile, as all are in the end.
        return 0
    count: int = _UNACKED.unpack_from(told)[0]
    return count


def look(connection: socket.socket) -> Seen | None:
    """Return the plain request that waits on *connection*, if the whole of it does."""
    flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
    try:
        waiting = connection.recv(limits.REQUEST_LINE_BYTES + limits.FORM_BYTES, flags)
    except OSError:
        return None
    line = _REQUEST.match(waiting)
    end = waiting.find(_BLANK_LINE)
    if line is None or end < 0:
        return None
    end += len(_BLANK_LINE)
    head = waiting[:end].lower()
    if b"\r\ntransfer-encoding:" in head or b"\r\nexpect:" in head:
        return None
    lengths = _LENGTH.findall(head)
    if len(lengths) > 1 or len(lengths) != head.count(b"content-length"):
        return None
    length = end + (int(lengths[0]) if lengths else 0)
    if length > len(waiting):
        return None
    stays = line[2] == b"1" and b"\r\nconnection: close\r\n" not in head
    return Seen(line[1].decode("latin-1"), length, stays)


def has_begun(connection: socket.socket) -> bool:
    """Whether something of a request is here, or the connection has ended."""
    try:
        connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
