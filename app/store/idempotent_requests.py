"""
The ``idempotent_request`` table: answers that were given, by the requests' keys.

What is older than thirty days counts as not there, and is swept.
"""

import hashlib
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from app.domain.access import Caller
from app.domain.idempotency import KeptAnswer
from app.store.transactions import Open

# The key is somebody's until the transaction ends; nobody waits for it.
CLAIM = "SELECT pg_try_advisory_xact_lock(%(lock)s) AS claimed"

# What has died with the key in hand must let go of it, and of the rows that it locked.
IDLE = "SET LOCAL idle_in_transaction_session_timeout = '30s'"

FIND = """
    SELECT request, status, headers, body FROM idempotent_request
    WHERE organisation_id = %(organisation_id)s AND key = %(key)s
      AND at >= now() - interval '30 days'
"""

# Whoever has claimed the key meets no row of it but one that has expired.
KEEP = """
    INSERT INTO idempotent_request (
        organisation_id, key, request, request_id, status, headers, body
    )
    VALUES (
        %(organisation_id)s, %(key)s, %(request)s, %(request_id)s, %(status)s,
        %(headers)s, %(body)s
    )
    ON CONFLICT (organisation_id, key) DO UPDATE
    SET request = excluded.request, request_id = excluded.request_id, at = excluded.at,
        status = excluded.status, headers = excluded.headers, body = excluded.body
"""

SWEEPING = "SELECT set_config('dncd.sweeping', 'on', true)"

# Rows that another sweep holds are left to that one.
SWEEP = """
    DELETE FROM idempotent_request
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM idempotent_request
        WHERE at < now() - interval '30 days'
        ORDER BY at LIMIT %(most)s
        FOR UPDATE SKIP LOCKED
    ))
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """Which request was answered under a key, and what."""

    request: bytes
    answer: KeptAnswer


class InUse(Exception):
    """Another transaction has claimed the key and not ended."""


def claim(tx: Open, key: bytes) -> Answered | None:
    """
    Keep others from using *key* until the transaction ends; return what is kept of it.

    Raises InUse at once. Two statements in one round trip: the second must see what
    whoever had the key before has committed.
    """
    own = {"organisation_id": tx.organisation_id, "key": key}
    lock = lock_of(tx.organisation_id, key)
    with tx.connection.pipeline():
        tx.connection.execute(IDLE)
        claimed = tx.connection.execute(CLAIM, {"lock": lock})
        found = tx.connection.execute(FIND, own)
    if not claimed.fetchall()[0]["claimed"]:
        raise InUse
    for row in found.fetchall():
        headers = tuple((name, value) for name, value in row["headers"])
        answer = KeptAnswer(row["status"], headers, row["body"])
        return Answered(row["request"], answer)
    return None


def keep(
    tx: Open, caller: Caller, key: bytes, request: bytes, answer: KeptAnswer
) -> None:
    """Keep what *caller* is answered to *request* under *key*, which is claimed."""
    tx.fetch(
        KEEP,
        {
            "organisation_id": tx.organisation_id,
            "key": key,
            "request": request,
            "request_id": caller.request_id,
            "status": answer.status,
            "headers": Jsonb(answer.headers),
            "body": answer.body,
        },
    )


def sweep(tx: Open, most: int) -> int:
    """Remove up to *most* rows, of whichever organisation, that have expired."""
    tx.fetch(SWEEPING, {})
    return tx.connection.execute(SWEEP, {"most": most}).rowcount


def lock_of(organisation_id: int, key: bytes) -> int:
    """Return the number that stands for the key; others' keys hardly share it."""
    owned = organisation_id.to_bytes(8) + key
    return int.from_bytes(hashlib.sha256(owned).digest()[:8], signed=True)
