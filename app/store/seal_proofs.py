"""Where operations are sealed, and what links their seals to an anchor."""

from collections.abc import Sequence
from typing import NamedTuple

from app.store import seals
from app.store.sealed import Row
from app.store.transactions import Open

FIND_LEAVES = """
    SELECT operation_id, sequence, position, hash, made, ended FROM seal_leaf
    WHERE organisation_id = %(organisation_id)s
      AND operation_id = ANY(%(operation_ids)s::bigint[])
"""

# Of every organisation: hashes alone, which tell nothing.
FIND_HASHES = """
    SELECT hash FROM seal_leaf WHERE sequence = %(sequence)s ORDER BY position
"""

FIND_SEALS = """
    SELECT installation.chain::text AS chain, sequence,
           encode(previous_root, 'hex') AS previous_root, encode(root, 'hex') AS root,
           encode(leaves_root, 'hex') AS leaves_root, leaves, operations, cluster,
           snapshot, sealed_at
    FROM seal, installation
    WHERE sequence BETWEEN %(first)s AND %(last)s
    ORDER BY sequence
"""


class Place(NamedTuple):
    """Where an operation is sealed: which leaf of which seal, over how much."""

    operation_id: int
    sequence: int
    position: int
    hash: bytes
    made: int
    ended: int


def find_places(tx: Open, operation_ids: Sequence[int]) -> list[Place]:
    """Return where those of the operations are sealed that are."""
    rows = tx.fetch_rows(
        FIND_LEAVES,
        {
            "organisation_id": tx.organisation_id,
            "operation_ids": list(operation_ids),
        },
    )
    return [Place(row[0], row[1], row[2], bytes(row[3]), *row[4:]) for row in rows]


def find_hashes(tx: Open, sequence: int) -> list[bytes]:
    """Return the hashes of all leaves of that seal, in their order."""
    seals.see(tx)
    rows = tx.fetch_rows(FIND_HASHES, {"sequence": sequence})
    return [bytes(hash_) for (hash_,) in rows]


def find_seals(tx: Open, first: int, last: int) -> list[Row]:
    """Return the seals from the one up to the other, each with its chain."""
    return tx.fetch_rows(FIND_SEALS, {"first": first, "last": last})
