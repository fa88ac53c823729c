"""Operations that were anchored and are not there any more, and who confirmed it."""

from datetime import datetime

from psycopg import errors

from app.audit.verify import Anchor
from app.domain.recoveries import Loss
from app.store.sealed import of_calendar
from app.store.transactions import Open, Tx

NOTICE = """
    SELECT dncd_notice_loss(%(chain)s::uuid, %(sequence)s, decode(%(root)s, 'hex'))
"""

NOTICED = """
    SELECT noticed_at,
           NOT EXISTS (
               SELECT FROM installation WHERE chain = %(chain)s::uuid
           ) AS is_other_chain,
           coalesce(
               (SELECT max(sequence) FROM seal WHERE sequence < %(sequence)s), 0
           ) AS sequence
    FROM recovery_notice
    WHERE chain = %(chain)s::uuid AND sequence = %(sequence)s
      AND root = decode(%(root)s, 'hex')
"""

COUNT = """
    SELECT count(*) AS operations, max(at) AS last_at FROM operation
    WHERE organisation_id = %(organisation_id)s AND at < %(before)s
"""

CONFIRM = """
    INSERT INTO recovery (
        chain, sequence, root, operations, anchored_at, found_sequence,
        found_operations, found_at, confirmed_by, proof
    )
    VALUES (
        %(chain)s::uuid, %(sequence)s, decode(%(root)s, 'hex'), %(operations)s,
        %(anchored_at)s, %(found_sequence)s, %(found_operations)s, %(found_at)s,
        %(confirmed_by)s, %(proof)s
    )
"""

COLUMNS = (
    "chain",
    "sequence",
    "root",
    "operations",
    "anchored_at",
    "found_sequence",
    "found_operations",
    "found_at",
    "confirmed_at",
    "confirmed_by",
    "proof",
)

EVERY = f"""
    SELECT chain::text, sequence, encode(root, 'hex'), operations,
           {of_calendar("recovery.anchored_at")}, found_sequence, found_operations,
           {of_calendar("recovery.found_at")}, {of_calendar("recovery.confirmed_at")},
           confirmed_by, proof
    FROM recovery ORDER BY id
"""


class ConfirmedAlready(Exception):
    """Somebody else has confirmed that loss meanwhile."""


def notice(tx: Tx, anchor: Anchor) -> None:
    """Let no id be given out again that was, up to *anchor*, before it was lost."""
    tx.fetch(NOTICE, _anchored(anchor))


def measure(tx: Open, anchor: Anchor, organisation_ids: range) -> Loss:
    """Return what is missing, of which *notice* was taken; reads every organisation."""
    [noticed] = tx.fetch(NOTICED, _anchored(anchor))
    operations, last_at = 0, None
    for organisation_id in organisation_ids:
        parameters = {
            "organisation_id": organisation_id,
            "before": noticed["noticed_at"],
        }
        [found] = tx.turn_to(organisation_id).fetch(COUNT, parameters)
        operations += found["operations"]
        last_at = max(filter(None, (last_at, found["last_at"])), default=None)
    return Loss(
        chain=anchor.chain,
        sequence=anchor.sequence,
        root=anchor.root,
        operations=anchor.operations,
        anchored_at=datetime.fromisoformat(anchor.at),
        is_other_chain=noticed["is_other_chain"],
        found_sequence=0 if noticed["is_other_chain"] else noticed["sequence"],
        found_operations=operations,
        found_at=last_at,
    )


def confirm(tx: Open, loss: Loss, confirmed_by: str, proof: bytes) -> None:
    """
    Record that *loss* is known to somebody; raises ConfirmedAlready.

    *proof* is what nobody can make who has the database alone.
    """
    told = {
        name: getattr(loss, name) for name in loss.__slots__ if name != "is_other_chain"
    }
    try:
        tx.fetch(CONFIRM, {**told, "confirmed_by": confirmed_by, "proof": proof})
    except errors.UniqueViolation as error:
        raise ConfirmedAlready from error


def _anchored(anchor: Anchor) -> dict[str, object]:
    return {"chain": anchor.chain, "sequence": anchor.sequence, "root": anchor.root}
