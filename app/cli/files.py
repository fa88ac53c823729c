"""Files that a command reads and writes: progress shown, nothing left half written."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, BinaryIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

STANDARD = "-"
PART_BYTES = 256 * 1024


@contextmanager
def reading(name: str) -> Iterator[Iterator[bytes]]:
    """Yield the bytes of a file, or of standard input, and show how far they are."""
    console = Console(stderr=True)
    total = None if name == STANDARD else Path(name).stat().st_size
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress, _opened(name) as file:
        task = progress.add_task(Path(name).name, total=total)

        def parts() -> Iterator[bytes]:
            while part := file.read(PART_BYTES):
                progress.advance(task, len(part))
                yield part

        yield parts()


@contextmanager
def writing(name: str) -> Iterator[IO[bytes]]:
    """
    Yield a file to write, which has its name only once it is whole.

    Where the block fails nothing is left, and what stood there before stays.
    """
    if name == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(name)
    with NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink()
            raise
    umask = os.umask(0)
    os.umask(umask)
    Path(file.name).chmod(0o666 & ~umask)
    Path(file.name).replace(target)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STANDARD:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file
