"""The ``installation`` table's one row: which chain of seals, and which key."""

from app.store.transactions import Tx

# Whoever starts first makes the key; the others wait, and then find it.
LOCK = "SELECT pg_advisory_xact_lock(725105)"

FINGERPRINT = "SELECT key_fingerprint FROM installation"

RECORD = "INSERT INTO installation (key_fingerprint) VALUES (%(fingerprint)s)"


def lock(tx: Tx) -> None:
    """Be the only one that starts, until the transaction ends."""
    tx.fetch(LOCK, {})


def find_fingerprint(tx: Tx) -> str | None:
    """Return the fingerprint of the key that belongs to the database, or None."""
    rows = tx.fetch(FINGERPRINT, {})
    return rows[0]["key_fingerprint"] if rows else None


def record(tx: Tx, fingerprint: str) -> None:
    """Let the key with that fingerprint be the database's, for good."""
    tx.fetch(RECORD, {"fingerprint": fingerprint})
