"""
Keys by which a client asks again for what it has asked before.

A key is the client's own: 1 to 255 visible ASCII characters, bare or as a quoted
string. Only its hash is kept, for it may have been made of a phone number.
"""

import hashlib
import re
from dataclasses import dataclass

from app.domain.errors import IdempotencyKeyInvalid

LONGEST_KEY = 255

_KEY = re.compile(r"[!-~]{1,255}")
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])*)"')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it is kept, to be given again byte for byte."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def hash_key(text: str) -> bytes:
    """Return what is kept of a key as it was sent; raises IdempotencyKeyInvalid."""
    key = text.strip(" \t")
    if key.startswith('"'):
        quoted = _QUOTED.fullmatch(key)
        if quoted is None:
            raise IdempotencyKeyInvalid
        key = _ESCAPED.sub(r"\1", quoted[1])
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyInvalid
    return hashlib.sha256(key.encode()).digest()
