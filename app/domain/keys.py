"""The installation's secret key, and what is derived from it."""

import hashlib
import hmac
from dataclasses import dataclass, field

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """
    A secret that stays outside the database: who has only that, learns nothing by it.

    Lost, it cannot be made again, and what was derived from it can never be matched.
    """

    secret: bytes = field(repr=False)

    def derive(self, purpose: str, *parts: bytes | str | int) -> bytes:
        """
        Return 32 bytes for *purpose* and *parts*, always the same for the same.

        HMAC-SHA256 of all of them, each after its length (4 bytes, big-endian), so that
        no two lists of parts are one; whole numbers are written in decimal digits.
        """
        told = bytearray()
        for part in (purpose, *parts):
            written = part if isinstance(part, bytes) else str(part).encode()
            told += len(written).to_bytes(4, "big") + written
        return hmac.digest(self.secret, bytes(told), hashlib.sha256)

    @property
    def fingerprint(self) -> str:
        """By what the database knows the key again, without knowing it."""
        return self.derive("fingerprint").hex()[:32]
