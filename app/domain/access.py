"""
Who asks, and what they may do: callers, grants and the secrets of tokens.

A secret is ``dncd_`` + 22 characters of base62 (131 random bits) + a checksum of 6.
It survives a URL and VICIdial's cleaning unchanged, and a mistyped one is refused
without asking the database.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.domain.rates import source_of

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "dncd_"
_RANDOM_LENGTH = 22
_CHECKSUM_LENGTH = 6
_USER_NAME = re.compile(r"[-_0-9A-Za-z]{1,64}")
_SECRET_LENGTH = len(_PREFIX) + _RANDOM_LENGTH + _CHECKSUM_LENGTH


class Grant(StrEnum):
    """What a token may be allowed to do."""

    CHECK = "check"
    READ = "read"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    ADMIN = "admin"


class Edition(StrEnum):
    """Whose words a dialect uses: the vendor's documents, or its live servers."""

    DOCUMENTED = "documented"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Organisation:
    """
    The tenant; everything belongs to exactly one.

    *evidence_required* refuses what is added through a dialect that can carry evidence
    and comes without it.
    """

    id: int
    name: str
    time_zone: str
    default_phone_code: str
    editions: Mapping[str, str]
    checking_enabled: bool
    evidence_required: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A credential as it may be shown: never its secret."""

    id: int
    name: str
    grants: frozenset[Grant]
    user: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bearer:
    """
    What a valid secret proves: whose it is and what it may do.

    *only_inserts*: the database has lost operations, and nobody has confirmed it yet.
    """

    organisation: Organisation
    token_id: int
    token_name: str
    grants: frozenset[Grant]
    user: str | None = None
    only_inserts: bool = False


class Caller(NamedTuple):
    """Whoever sent this request: who, through which door, from where."""

    organisation: Organisation
    grants: frozenset[Grant]
    token_id: int | None
    actor: str
    dialect: str
    address: str | None
    request_id: str
    only_inserts: bool = False

    @property
    def is_operator(self) -> bool:
        """Whether this is somebody at the command line, who needs no token."""
        return self.token_id is None

    def may(self, grant: Grant) -> bool:
        """Whether the caller holds *grant*."""
        return grant in self.grants


def new_secret() -> str:
    """Return a secret that nobody has had before."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return _PREFIX + body + _checksum(body)


def is_secret(text: str) -> bool:
    """Whether *text* has a secret's form and checksum; says nothing of its validity."""
    if len(text) != _SECRET_LENGTH or not text.startswith(_PREFIX):
        return False
    body, checksum = text[len(_PREFIX) : -_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
    return body.isascii() and _checksum(body) == checksum


def hash_secret(secret: str) -> bytes:
    """
    Return what the database keeps of *secret*: its SHA-256.

    A slow hash would guard a guessable password; 131 random bits cannot be guessed.
    """
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def is_user_name(text: str) -> bool:
    """Whether *text* can be a user's name, which clients' cleaning leaves as it is."""
    return _USER_NAME.fullmatch(text) is not None


def login_key(user: str, address: str | None) -> bytes:
    """
    Return what failures to log in are counted by: the user, and where it was tried.

    Of IPv6 the first 64 bits, for whoever has one such address has them all.
    """
    text = f"{source_of(address)} {user}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _checksum(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return digits
