"""The file of the installation's key: 64 hexadecimal digits, for its owner alone."""

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path

from app.disk import sync_folder
from app.domain.errors import KeyRefused
from app.domain.keys import SECRET_BYTES, Key

_WRITTEN = re.compile(rb"[0-9a-f]{64}\n?")


def find(file: Path) -> Key | None:
    """Return the key in *file*, or None if there is no file; raises KeyRefused."""
    try:
        written = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not _WRITTEN.fullmatch(written):
        message = f"{file} holds no key, which is 64 hexadecimal digits"
        raise KeyRefused(message)
    return Key(bytes.fromhex(written.decode().strip()))


def find_or_make(file: Path) -> Key:
    """Return the key in *file*, which is made with a new one if it is not there."""
    found = find(file)
    if found is not None:
        return found
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole and on disk before it has its name; whoever was first has made the key.
    descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(secrets.token_bytes(SECRET_BYTES).hex().encode() + b"\n")
            new.flush()
            os.fsync(new.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        sync_folder(file.parent)
    finally:
        Path(draft).unlink()
    made = find(file)
    if made is None:
        message = f"{file} was made and is gone again"
        raise KeyRefused(message)
    return made
