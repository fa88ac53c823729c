"""The ``token`` table, which holds hashes and never a secret."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import errors
from psycopg.rows import DictRow

from app.audit.verify import Anchor
from app.domain.access import Bearer, Grant, Token
from app.domain.conditions import Standing
from app.domain.errors import SettingInvalid, TokenUnknown
from app.store import conditions
from app.store.organisations import organisation_from
from app.store.transactions import Tx

# Whoever presents the secret sees its row and its organisation, and no other.
# Read with it, in the same snapshot: whether the database may be believed at all.
_FIND_BEARER: LiteralString = """
    SELECT condition.*, token.id AS token_id, token.name AS token_name, token.grants,
           token.user_name,
           token.last_used_at IS NULL
           OR token.last_used_at < now() - interval '1 minute' AS use_is_news,
           organisation.id, organisation.name, organisation.time_zone,
           organisation.default_phone_code, organisation.editions,
           organisation.checking_enabled, organisation.evidence_required
    FROM ({condition}) AS condition
    LEFT JOIN (
        token JOIN organisation ON organisation.id = token.organisation_id
    ) ON token.hash = %(hash)s
      AND token.revoked_at IS NULL
      AND (token.expires_at IS NULL OR token.expires_at > now())
"""

FIND_BEARER: LiteralString = _FIND_BEARER.format(condition=conditions.NOTHING_ANCHORED)
FIND_BEARER_ANCHORED: LiteralString = _FIND_BEARER.format(condition=conditions.ANCHORED)

MARK_USED = """
    UPDATE token SET last_used_at = now()
    WHERE organisation_id = %(organisation_id)s AND id = %(id)s
"""

ISSUE = """
    INSERT INTO token (organisation_id, name, hash, grants, user_name, expires_at)
    VALUES (%(organisation_id)s, %(name)s, %(hash)s, %(grants)s, %(user)s, %(expires)s)
    RETURNING id
"""

REVOKE = """
    UPDATE token SET revoked_at = now()
    WHERE organisation_id = %(organisation_id)s AND revoked_at IS NULL
      AND (id::text = %(reference)s OR name = %(reference)s)
    RETURNING id
"""

LIST = """
    SELECT id, name, grants, user_name, created_at, expires_at, revoked_at, last_used_at
    FROM token
    WHERE organisation_id = %(organisation_id)s
    ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Found:
    """
    What the database says of a secret, and of itself.

    *use_is_news* says that the use should be noted: that was last done more than a
    minute ago.
    """

    standing: Standing
    bearer: Bearer | None
    use_is_news: bool


def find_bearer(tx: Tx, secret_hash: bytes, code: str, anchor: Anchor | None) -> Found:
    """Return what a valid secret proves, and where the database stands."""
    [row] = tx.fetch(
        FIND_BEARER_ANCHORED if anchor else FIND_BEARER,
        {"hash": secret_hash, **conditions.parameters(code, anchor)},
    )
    standing = conditions.standing_from(row)
    if row["token_id"] is None:
        return Found(standing, None, use_is_news=False)
    bearer = Bearer(
        organisation=organisation_from(row),
        token_id=row["token_id"],
        token_name=row["token_name"],
        grants=frozenset(Grant(grant) for grant in row["grants"]),
        user=row["user_name"],
        only_inserts=not standing.holds_anchor,
    )
    return Found(standing, bearer, row["use_is_news"])


def mark_used(tx: Tx, token_id: int) -> None:
    """Note that the token was used now."""
    tx.fetch(MARK_USED, {"organisation_id": tx.organisation_id, "id": token_id})


def issue(  # noqa: PLR0913
    tx: Tx,
    name: str,
    secret_hash: bytes,
    grants: Collection[Grant],
    *,
    user: str | None,
    expires: datetime | None,
) -> int:
    """Store a token and return its id; raises SettingInvalid if *user* is taken."""
    parameters = {
        "organisation_id": tx.organisation_id,
        "name": name,
        "hash": secret_hash,
        "grants": sorted(grants),
        "user": user,
        "expires": expires,
    }
    try:
        token_id: int = tx.fetch(ISSUE, parameters)[0]["id"]
    except errors.UniqueViolation as error:
        message = f"user {user!r} belongs to another token"
        raise SettingInvalid(message) from error
    return token_id


def revoke(tx: Tx, reference: str) -> list[int]:
    """End every token of that id or name; raises TokenUnknown if none is valid."""
    rows = tx.fetch(
        REVOKE, {"organisation_id": tx.organisation_id, "reference": reference}
    )
    if not rows:
        message = f"no valid token has the id or name {reference!r}"
        raise TokenUnknown(message)
    return [row["id"] for row in rows]


def list_all(tx: Tx) -> list[Token]:
    """Return every token of the organisation, also those that ended."""
    rows = tx.fetch(LIST, {"organisation_id": tx.organisation_id})
    return [_token(row) for row in rows]


def _token(row: DictRow) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        grants=frozenset(Grant(grant) for grant in row["grants"]),
        user=row["user_name"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
