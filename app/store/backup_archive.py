"""
The file of a backup: a tar of two members, which needs no dncd to be read.

``database.dump`` is what ``pg_dump --format=custom`` wrote, and what ``pg_restore``
takes; ``manifest.json`` says what must be in it. The dump comes first and is written as
it comes: its header is filled in when its size is known.
"""

import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, BinaryIO

from app.disk import sync_folder
from app.domain.errors import BackupRefused

DUMP, MANIFEST = "database.dump", "manifest.json"
FORMAT = 1

_BLOCK = 1024 * 1024
_RECORD = tarfile.BLOCKSIZE
_LARGEST_MANIFEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    What a backup holds.

    *rows* are of every table, in the snapshot that was dumped; *operations* and
    *last_operation_at* of all organisations together; *seal* is the newest one, and
    *anchor* the last line of the anchors' file, if there were any. *key* is the key's
    fingerprint, never the key.
    """

    made_at: str
    revision: str
    server: int
    tools: int
    sha256: str
    size: int
    rows: Mapping[str, int]
    operations: int
    last_operation_at: str | None
    seal: Mapping[str, Any] | None = None
    anchor: Mapping[str, Any] | None = None
    key: str | None = None
    format: int = FORMAT


class Dump:
    """Where ``database.dump`` goes while it is made."""

    def __init__(self, file: BinaryIO) -> None:
        """Leave room for the header in *file*, which is empty."""
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        file.write(bytes(_RECORD))

    def write(self, block: bytes) -> None:
        """Append *block*."""
        self._file.write(block)
        self._hash.update(block)
        self.size += len(block)

    @property
    def sha256(self) -> str:
        """What the dump's bytes come to."""
        return self._hash.hexdigest()


@contextmanager
def forming(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """
    Yield a new file, its owner's alone, which is called *path* once the block ends.

    It is on disk then, name and all; where the block fails nothing is left of it.
    """
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file, Path(name)
            file.flush()
            os.fsync(file.fileno())
        Path(name).rename(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def finish(file: BinaryIO, dump: Dump, manifest: Manifest, made_at: float) -> None:
    """Complete *file*, in which *dump* has just been written."""
    _pad(file, dump.size)
    told = json.dumps(asdict(manifest), indent=2, sort_keys=True).encode() + b"\n"
    file.write(_header(MANIFEST, len(told), made_at))
    file.write(told)
    _pad(file, len(told))
    file.write(bytes(2 * _RECORD))
    file.seek(0)
    file.write(_header(DUMP, dump.size, made_at))
    file.flush()


@contextmanager
def opened(path: Path) -> Iterator[tuple[Manifest, IO[bytes]]]:
    """Yield what the backup in *path* holds, and its dump; raises BackupRefused."""
    try:
        with tarfile.open(path, "r:") as archive:
            manifest = _read_manifest(archive)
            dump = archive.extractfile(DUMP)
            if dump is None or archive.getmember(DUMP).size != manifest.size:
                raise BackupRefused(f"{path} is damaged: its dump is not whole")
            yield manifest, dump
    except (tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise BackupRefused(f"{path} is no backup of dncd, or damaged") from error


def require_undamaged(path: Path) -> Manifest:
    """Read the whole dump, and return what it holds; raises BackupRefused."""
    with opened(path) as (manifest, dump):
        digest = hashlib.sha256()
        while block := dump.read(_BLOCK):
            digest.update(block)
        if digest.hexdigest() != manifest.sha256:
            raise BackupRefused(f"{path} is damaged: its checksum is another")
    return manifest


def _read_manifest(archive: tarfile.TarFile) -> Manifest:
    member = archive.extractfile(MANIFEST)
    told = json.loads(member.read(_LARGEST_MANIFEST)) if member else {}
    if told.get("format") != FORMAT:
        raise BackupRefused(f"the backup is of format {told.get('format')!r}, unknown")
    known = {field.name for field in fields(Manifest)}
    return Manifest(**{name: told[name] for name in known & told.keys()})


def _header(name: str, size: int, made_at: float) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(made_at), 0o600
    return member.tobuf(tarfile.GNU_FORMAT)


def _pad(file: BinaryIO, size: int) -> None:
    file.write(bytes(-size % _RECORD))
