"""Which operations are to be sealed; for whoever has said that he seals."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.store.seals import Snapshot, State
from app.store.transactions import Open

# What is visible now and was not when everything visible was sealed: what was running
# then, and what has begun since. However long somebody's transaction takes, nobody
# else's waits for it, and none is passed over.
FIND_NEW = """
    SELECT organisation_id, operation_id, transaction_id::text
    FROM (
        SELECT organisation_id, operation_id, transaction_id FROM operation_reach
        WHERE transaction_id >= %(since)s::xid8 AND transaction_id < %(until)s::xid8
        UNION ALL
        SELECT organisation_id, operation_id, transaction_id FROM operation_reach
        WHERE transaction_id = ANY(%(running)s::text[]::xid8[])
    ) AS reach
    WHERE NOT EXISTS (
        SELECT FROM seal_leaf AS leaf
        WHERE leaf.organisation_id = reach.organisation_id
          AND leaf.operation_id = reach.operation_id
    )
    GROUP BY organisation_id, operation_id, transaction_id
    ORDER BY transaction_id, operation_id
    LIMIT %(most)s
"""

# Where nothing is known of what was visible, each operation is looked at.
FIND_EVERY = """
    SELECT organisation_id, id AS operation_id, transaction_id::text
    FROM operation
    WHERE organisation_id = %(organisation_id)s AND id > %(after)s
      AND NOT EXISTS (
          SELECT FROM seal_leaf AS leaf
          WHERE leaf.organisation_id = operation.organisation_id
            AND leaf.operation_id = operation.id
      )
    ORDER BY id
    LIMIT %(most)s
"""

UNREACHED = """
    SELECT EXISTS (
        SELECT FROM operation
        WHERE organisation_id = %(organisation_id)s
          AND id = ANY(%(operation_ids)s::bigint[])
          AND NOT EXISTS (
              SELECT FROM operation_reach AS reach
              WHERE reach.transaction_id = operation.transaction_id
                AND reach.organisation_id = operation.organisation_id
                AND reach.operation_id = operation.id
          )
    ) AS found
"""

# What was written before there was a trigger to tell. Reads the whole list once.
REACH = """
    INSERT INTO operation_reach (
        organisation_id, operation_id, transaction_id, ended, first_id, last_id, entries
    )
    SELECT operation.organisation_id, operation.id, operation.transaction_id,
           coalesce(found.ended, false), found.first_id, found.last_id,
           coalesce(found.entries, 0)
    FROM operation
    LEFT JOIN (
        SELECT operation_id, false AS ended, min(id) AS first_id, max(id) AS last_id,
               count(*) AS entries
        FROM (
            SELECT operation_id, id FROM dnc_entry
            WHERE organisation_id = %(organisation_id)s
            UNION ALL
            SELECT operation_id, id FROM dnc_entry_past
            WHERE organisation_id = %(organisation_id)s
        ) AS version
        GROUP BY operation_id
        UNION ALL
        SELECT ended_by_operation, true, min(id), max(id), count(*)
        FROM dnc_entry_past
        WHERE organisation_id = %(organisation_id)s
        GROUP BY ended_by_operation
    ) AS found ON found.operation_id = operation.id
    WHERE operation.organisation_id = %(organisation_id)s
      AND NOT EXISTS (
          SELECT FROM operation_reach AS reach
          WHERE reach.transaction_id = operation.transaction_id
            AND reach.organisation_id = operation.organisation_id
            AND reach.operation_id = operation.id
      )
"""

PLAN_FREELY = """
    SELECT set_config('enable_seqscan', %(freely)s, true),
           set_config('enable_hashjoin', %(freely)s, true),
           set_config('enable_mergejoin', %(freely)s, true)
"""


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An operation that waits for its seal."""

    organisation_id: int
    operation_id: int
    transaction_id: str


def find_new(tx: Open, state: State, since: Snapshot, most: int) -> list[Unsealed]:
    """Return what has come since *since*, in the order of the transactions."""
    rows = tx.fetch(
        FIND_NEW,
        {
            "since": str(since.next),
            "until": str(Snapshot.read(state.snapshot).next),
            "running": list(since.running),
            "most": most,
        },
    )
    return [Unsealed(**row) for row in rows]


def find_every(tx: Open, organisation_id: int, after: int, most: int) -> list[Unsealed]:
    """Return what of the organisation entered, with ids after *after*, is unsealed."""
    parameters = {"organisation_id": organisation_id, "after": after, "most": most}
    return [Unsealed(**row) for row in tx.fetch(FIND_EVERY, parameters)]


def complete_reach(
    tx: Open, organisation_id: int, operation_ids: Sequence[int]
) -> None:
    """Find out where entries are that operations changed before they told so."""
    parameters: dict[str, object] = {
        "organisation_id": organisation_id,
        "operation_ids": list(operation_ids),
    }
    if tx.fetch(UNREACHED, parameters)[0]["found"]:
        tx.fetch(PLAN_FREELY, {"freely": "on"})
        tx.connection.execute(REACH, parameters, prepare=False)
        tx.fetch(PLAN_FREELY, {"freely": "off"})
