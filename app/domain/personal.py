"""What stands for personal data once it is erased: a digest of what was sealed."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from app.domain.keys import Key

SALT_BYTES = 16


def version_digest(  # noqa: PLR0913  one parameter a column
    key: Key,
    organisation_id: int,
    entry_id: int,
    operation_id: int,
    *,
    e164: int,
    reason: str | None,
    evidence: Mapping[str, str] | None,
) -> bytes:
    """Return what stands for the number, reason and evidence of a version."""
    salt = key.derive("seal", organisation_id, entry_id, operation_id)
    return _digest(salt, [e164, reason, evidence])


def operation_digest(
    key: Key, organisation_id: int, operation_id: int, why: str | None
) -> bytes:
    """Return what stands for why an operation was carried out."""
    return _digest(key.derive("seal", organisation_id, 0, operation_id), [why])


def _digest(salt: bytes, values: Sequence[object]) -> bytes:
    written = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(salt[:SALT_BYTES] + written).digest()
