"""Files that a command reads and writes; what it writes is whole or is not there."""

import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from app.files.compression import packing
from app.services.imports import Source

STANDARD = "-"


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Yield the file of that name to read, or standard input."""
    if name == STANDARD:
        yield Source(sys.stdin.buffer, "standard input", _size(sys.stdin.buffer))
        return
    with Path(name).open("rb") as file:
        yield Source(file, Path(name).name, _size(file))


@contextmanager
def written(name: str) -> Iterator[Callable[[bytes], object]]:
    """
    Yield what writes to the file of that name, or to standard output.

    A name in ``.gz`` is compressed. The file has its name only once it is whole, is its
    owner's alone to read, and where the block fails what stood there before stays.
    """
    if name == STANDARD:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    # What is named is replaced, not the link to it; and a device or pipe never.
    path = Path(name).resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file, packing(file, path.name) as write:
            yield write
        return
    descriptor, forming = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with _leaving_on_termination(), os.fdopen(descriptor, "wb") as file:
            with packing(file, path.name) as write:
                yield write
            file.flush()
            os.fsync(file.fileno())
        Path(forming).rename(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(forming).unlink()
        raise


@contextmanager
def _leaving_on_termination() -> Iterator[None]:
    """Let SIGTERM end the block as an exception does, so that it is cleaned up."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _size(file: BinaryIO) -> int | None:
    """Return the size of *file* if it has one, unlike a pipe."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None
