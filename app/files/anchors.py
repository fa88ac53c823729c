"""
The file of anchors: how far the chain of seals was at which time, one line each.

It lies outside the database, so that nobody who rewrites that rewrites it too. So that
it does not grow with every second, the newest anchor of all stands in a file beside it.
"""

import fcntl
import os
from pathlib import Path

from app.audit.verify import Anchor, read_anchors
from app.disk import sync_folder

__all__ = ["Anchor", "append", "every", "files", "newest", "note", "read_anchors"]

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
        sync_folder(file.parent)


def note(file: Path, anchor: Anchor) -> None:
    """Put *anchor* into the file beside *file*; when this returns it is on disk."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = _beside(file)
    written = beside.with_name(f"{beside.name}.{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(anchor.as_line().encode())
        opened.flush()
        os.fsync(opened.fileno())
    written.replace(beside)
    sync_folder(file.parent)


def files(file: Path) -> tuple[Path, Path]:
    """Return which files tell of the newest anchor."""
    return file, _beside(file)


def newest(file: Path) -> Anchor | None:
    """Return the newest anchor in *file* or beside it, or None; raises OSError."""
    found = [anchor for each in files(file) if (anchor := last(each))]
    if len({anchor.chain for anchor in found}) > 1:
        return max(found, key=lambda anchor: anchor.at)
    return max(found, key=lambda anchor: anchor.sequence, default=None)


def every(file: Path) -> list[Anchor]:
    """Return the anchors in *file*, and the newest; raises OSError, ValueError."""
    found, beside = read_anchors(file), last(_beside(file))
    return [*found, beside] if beside and beside not in found[-1:] else found


def last(file: Path) -> Anchor | None:
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


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.newest")


def _read_tail(descriptor: int, size: int) -> bytes:
    length = min(size, _TAIL_BYTES)
    return os.pread(descriptor, length, size - length)
