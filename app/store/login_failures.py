"""
The ``login_failure`` table: how often a user failed to log in from an address.

A transaction sees the row whose key it presents, and what has expired. An expired row
counts as none.
"""

from app.store.transactions import Tx

QUEUE = "SELECT pg_advisory_xact_lock(725104, %(queue)s)"

COUNT = """
    SELECT failures FROM login_failure
    WHERE key = %(key)s AND last_at >= now() - interval '15 minutes'
"""

APPEND = """
    INSERT INTO login_failure AS counted (key, failures, last_at)
    VALUES (%(key)s, 1, now())
    ON CONFLICT (key) DO UPDATE
    SET failures = 1 + CASE
            WHEN counted.last_at >= now() - interval '15 minutes' THEN counted.failures
            ELSE 0
        END,
        last_at = now()
"""

# Rows that another transaction holds are left to that one: nobody waits for a purge.
PURGE = """
    DELETE FROM login_failure
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM login_failure
        WHERE last_at < now() - interval '15 minutes'
        LIMIT 100
        FOR UPDATE SKIP LOCKED
    ))
"""

FORGET = "DELETE FROM login_failure WHERE key = %(key)s"


def queue(tx: Tx, key: bytes) -> None:
    """Wait until no other transaction is about to judge a login with *key*."""
    tx.fetch(QUEUE, {"queue": int.from_bytes(key[:4], signed=True)})


def count(tx: Tx, key: bytes) -> int:
    """Return how many failures with *key* count at present."""
    rows = tx.fetch(COUNT, {"key": key})
    return rows[0]["failures"] if rows else 0


def append(tx: Tx, key: bytes) -> None:
    """Count one more failure with *key*."""
    tx.fetch(APPEND, {"key": key})


def purge(tx: Tx) -> None:
    """Remove a hundred rows that no longer count, if there are so many."""
    tx.fetch(PURGE, {})


def forget(tx: Tx, key: bytes) -> None:
    """Let no failure with *key* count any more."""
    tx.fetch(FORGET, {"key": key})
