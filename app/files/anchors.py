"""
The file of anchors: how far the chain of seals was at which time, one line each.

It lies outside the database, so that nobody who rewrites that rewrites it too.
"""

import fcntl
import os
from pathlib import Path

from app.audit.verify import Anchor, read_anchors

__all__ = ["Anchor", "append", "newest", "read_anchors"]

_TAIL_BYTES = 65536


def append(file: Path, anchor: Anchor) -> None:
    """Add *anchor* at the end of *file*; when this returns it is on disk."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = not file.exists()
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        # What a crash has left without its end is no anchor.
        end = opened.seek(0, os.SEEK_END)
        tail = _read_tail(opened.fileno(), end)
        opened.truncate(end - len(tail) + tail.rfind(b"\n") + 1)
        opened.seek(0, os.SEEK_END)
        opened.write(anchor.as_line().encode())
        opened.flush()
        os.fsync(opened.fileno())
    if new:
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def newest(file: Path) -> Anchor | None:
    """Return the last anchor in *file*, however long it is, or None; raises OSError."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        tail = _read_tail(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    lines = tail.split(b"\n")[:-1]
    return Anchor.from_line(lines[-1]) if lines else None


def _read_tail(descriptor: int, size: int) -> bytes:
    length = min(size, _TAIL_BYTES)
    return os.pread(descriptor, length, size - length)
