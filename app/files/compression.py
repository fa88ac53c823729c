"""What a file holds, whether it is compressed or not: told by its first bytes."""

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Protocol, cast

from app.domain.errors import FileRefused, FileTooLarge, FormatUnknown

# A list of numbers shrinks to a third, at the very best to a hundredth.
GREATEST_RATIO = 200
UNSUSPECTED_SIZE = 100 * 1024**2

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ENCRYPTED = 0x1
# Python unpacks others without bound.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAGIC_LENGTH = 4

Read = Callable[[int], bytes]


class Readable(Protocol):
    """All that is asked of a file, a pipe or a request's body."""

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes; nothing at the end."""
        ...


class Counted:
    """A stream that counts what was read, and can be looked into before that."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._ahead = b""
        self.consumed = 0

    def peek(self, size: int) -> bytes:
        """Return the next *size* bytes, or what there is, and leave them unread."""
        while len(self._ahead) < size:
            more = self._stream.read(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int = -1, /) -> bytes:
        """Return up to *size* bytes; nothing at the end."""
        if self._ahead:
            size = len(self._ahead) if size < 0 else size
            data, self._ahead = self._ahead[:size], self._ahead[size:]
        else:
            data = self._stream.read(size)
        self.consumed += len(data)
        return data


def is_packed(head: bytes) -> bool:
    """Whether what begins with *head* is gzip or zip."""
    return head.startswith((_GZIP, *_ZIP))


@contextmanager
def unpacked(stream: Counted) -> Iterator[Read]:
    """
    Yield a function that reads what *stream* holds: itself, or the file inside it.

    Raises FormatUnknown for an archive of no or several files; while it is read
    FileRefused for a damaged one, FileTooLarge for a decompression bomb.
    """
    magic = stream.peek(_MAGIC_LENGTH)
    if magic.startswith(_GZIP):
        with gzip.open(cast("BinaryIO", stream)) as inside:
            yield _guarded(inside.read, lambda: stream.consumed)
    elif magic.startswith(_ZIP):
        with _open_zip(stream) as (inside, size):
            yield _guarded(inside.read, lambda: size)
    else:
        yield stream.read


@contextmanager
def _open_zip(stream: Counted) -> Iterator[tuple[IO[bytes], int]]:
    """Open the archive's only file; its index is at the end, so all is kept first."""
    with tempfile.TemporaryFile() as kept:
        shutil.copyfileobj(stream, kept)
        size = kept.tell()
        try:
            archive = zipfile.ZipFile(kept)
            member = _only_member(archive)
            inside = archive.open(member)
        # A name that is not in the encoding that it claims is a ValueError.
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            message = f"the zip archive cannot be read: {error}"
            raise FileRefused(message) from error
        with archive, inside:
            yield inside, min(size, member.compress_size)


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not member.filename.startswith("__MACOSX/")
    ]
    if any(member.filename == "[Content_Types].xml" for member in members):
        message = "this is an office document: save the sheet as CSV (UTF-8)"
        raise FormatUnknown(message)
    if len(members) != 1:
        message = f"a zip archive must hold one file, this one holds {len(members)}"
        raise FormatUnknown(message)
    if members[0].flag_bits & _ENCRYPTED:
        message = "the zip archive is encrypted"
        raise FormatUnknown(message)
    if members[0].compress_type not in _METHODS:
        message = "the zip archive is not compressed by deflate"
        raise FormatUnknown(message)
    return members[0]


def _guarded(read: Read, packed_size: Callable[[], int]) -> Read:
    """Return *read*, which refuses what is damaged and what grows without measure."""
    total = 0

    def guarded(size: int) -> bytes:
        nonlocal total
        try:
            data = read(size)
        except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            message = f"the compressed file is damaged or not whole: {error}"
            raise FileRefused(message) from error
        total += len(data)
        if total > max(UNSUSPECTED_SIZE, GREATEST_RATIO * packed_size()):
            message = (
                f"the compressed file unpacks to more than {GREATEST_RATIO} times "
                "its size"
            )
            raise FileTooLarge(message)
        return data

    return guarded


@contextmanager
def packing(file: BinaryIO, name: str) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that writes to *file*, compressed if *name* says so."""
    if name.endswith(".gz"):
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
            yield packed.write
    else:
        yield file.write
