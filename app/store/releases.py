"""
What guards releases: an organisation's rules, counts of an hour, pending requests.

Whoever may be capped, or needs another's approval, queues: what is counted and found
then holds until the transaction ends.
"""

from psycopg.rows import DictRow

from app.domain.access import Caller
from app.domain.guards import PendingRelease, Release, Rules
from app.store.transactions import Tx

# As many ids as a list of pending requests shows of each.
SHOWN_IDS = 20

RULES = """
    SELECT release_reason_required, releases_per_hour, four_eyes, approval_hours
    FROM organisation WHERE id = %(organisation_id)s
"""

SET_RULES = """
    UPDATE organisation
    SET release_reason_required = %(reason_required)s,
        releases_per_hour = %(per_hour)s, four_eyes = %(four_eyes)s,
        approval_hours = %(approval_hours)s
    WHERE id = %(organisation_id)s
"""

QUEUE = "SELECT pg_advisory_xact_lock(725108, %(organisation_id)s::int)"

COUNT = """
    SELECT coalesce(sum(unblocked), 0)::bigint AS released FROM operation
    WHERE organisation_id = %(organisation_id)s AND unblocked IS NOT NULL
      AND at > now() - interval '1 hour'
"""

# By another token, of another name, which may still release; not too long ago.
FIND_APPROVED = """
    SELECT request.operation_id, request.actor FROM release_request AS request
    JOIN token ON token.organisation_id = %(organisation_id)s
              AND token.id = request.token_id
    WHERE request.organisation_id = %(organisation_id)s
      AND request.digest = %(digest)s
      AND request.requested_at > now() - make_interval(hours => %(hours)s)
      AND token.id <> %(token_id)s AND token.name <> %(actor)s
      AND token.revoked_at IS NULL
      AND (token.expires_at IS NULL OR token.expires_at > now())
      AND 'delete' = ANY(token.grants)
    ORDER BY request.id LIMIT 1
"""

PURGE = """
    DELETE FROM release_request
    WHERE organisation_id = %(organisation_id)s
      AND requested_at <= now() - make_interval(hours => %(hours)s)
"""

REQUEST = """
    INSERT INTO release_request (
        organisation_id, digest, kind, entries, entry_ids, token_id, actor, why,
        operation_id
    )
    VALUES (
        %(organisation_id)s, %(digest)s, %(kind)s, %(entries)s, %(entry_ids)s,
        %(token_id)s, %(actor)s, %(why)s, %(operation_id)s
    )
    ON CONFLICT (organisation_id, digest, token_id) DO NOTHING
    RETURNING id
"""

FORGET = """
    DELETE FROM release_request
    WHERE organisation_id = %(organisation_id)s AND digest = %(digest)s
"""

LIST = """
    SELECT id, kind, entries, entry_ids, actor, why, operation_id, requested_at,
           requested_at + make_interval(hours => %(hours)s) AS expires_at
    FROM release_request
    WHERE organisation_id = %(organisation_id)s
      AND requested_at > now() - make_interval(hours => %(hours)s)
    ORDER BY id
"""


def rules(tx: Tx) -> Rules:
    """Return what the organisation asks of a release at present."""
    row = tx.fetch(RULES, {"organisation_id": tx.organisation_id})[0]
    return Rules(
        reason_required=row["release_reason_required"],
        per_hour=row["releases_per_hour"],
        four_eyes=row["four_eyes"],
        approval_hours=row["approval_hours"],
    )


def set_rules(tx: Tx, wanted: Rules) -> None:
    """Ask that of every release from now on."""
    tx.fetch(
        SET_RULES,
        {
            "organisation_id": tx.organisation_id,
            "reason_required": wanted.reason_required,
            "per_hour": wanted.per_hour,
            "four_eyes": wanted.four_eyes,
            "approval_hours": wanted.approval_hours,
        },
    )


def queue(tx: Tx) -> None:
    """Wait until no other transaction judges a release of the organisation."""
    tx.fetch(QUEUE, {"organisation_id": tx.organisation_id})


def count(tx: Tx) -> int:
    """Return how many entries were released within the last hour."""
    released: int = tx.fetch(COUNT, {"organisation_id": tx.organisation_id})[0][
        "released"
    ]
    return released


def find_approved(
    tx: Tx, caller: Caller, digest: bytes, hours: int
) -> tuple[int, str] | None:
    """Return the operation in which somebody else asked for the same, and who."""
    rows = tx.fetch(
        FIND_APPROVED,
        {
            "organisation_id": tx.organisation_id,
            "digest": digest,
            "hours": hours,
            "token_id": caller.token_id,
            "actor": caller.actor,
        },
    )
    return (rows[0]["operation_id"], rows[0]["actor"]) if rows else None


def purge(tx: Tx, hours: int) -> None:
    """Remove the requests that have expired."""
    tx.fetch(PURGE, {"organisation_id": tx.organisation_id, "hours": hours})


def request(
    tx: Tx, caller: Caller, wanted: Release, why: str | None, operation_id: int
) -> bool:
    """Keep what *caller* asks for until another does; False if it is kept already."""
    return bool(
        tx.fetch(
            REQUEST,
            {
                "organisation_id": tx.organisation_id,
                "digest": wanted.digest(),
                "kind": wanted.kind,
                "entries": wanted.count,
                "entry_ids": [one.entry_id for one in wanted.freed[:SHOWN_IDS]],
                "token_id": caller.token_id,
                "actor": caller.actor,
                "why": why,
                "operation_id": operation_id,
            },
        )
    )


def forget(tx: Tx, digest: bytes) -> None:
    """Let nothing that was asked of the kind wait any longer: it is being done."""
    tx.fetch(FORGET, {"organisation_id": tx.organisation_id, "digest": digest})


def list_pending(tx: Tx, hours: int) -> list[PendingRelease]:
    """Return what waits for approval, oldest first."""
    parameters = {"organisation_id": tx.organisation_id, "hours": hours}
    return [_pending(row) for row in tx.fetch(LIST, parameters)]


def _pending(row: DictRow) -> PendingRelease:
    return PendingRelease(**row)
