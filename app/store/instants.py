"""
Whether an instant is settled: no change dated at or before it is still to be seen.

Whoever changes something holds two locks until its changes are seen: one that says
that it is about to read the clock, then one of the second that it has read (see
``dnc_instant``). A statement's own beginning is read before it looks at them: who is
not seen there reads the clock later than that.
"""

from datetime import datetime

from app.domain.errors import InstantInvalid
from app.store.transactions import Tx

# Organisation 0 is whoever changes something without saying for which.
FIND_UNSETTLED = """
    WITH held AS MATERIALIZED (
        SELECT virtualtransaction, classid, objid::bigint AS key
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid IN (725107, 725109)
          AND pid <> pg_backend_pid()
          AND database = (
              SELECT oid FROM pg_database WHERE datname = current_database()
          )
    )
    SELECT %(instant)s::timestamptz < statement_timestamp() AS has_passed,
           ARRAY(
               SELECT virtualtransaction FROM held
               GROUP BY virtualtransaction
               HAVING bool_or(
                          classid = 725107 AND key IN (0, %(organisation_id)s)
                      )
                  AND coalesce(min(key) FILTER (WHERE classid = 725109), 0)
                      <= date_part('epoch', %(instant)s::timestamptz) - 1577836800
           ) AS unsettled
"""


# From its commit on nothing is dated at or before the instant, whatever becomes of the
# clock. One that is yet to come changes nothing.
SETTLE = "SELECT dnc_settle(%(instant)s::timestamptz)"


def settle(tx: Tx, instant: datetime) -> None:
    """Let whatever reads the clock from here on be dated later than *instant*."""
    tx.fetch(SETTLE, {"instant": instant})


def find_unsettled(tx: Tx, instant: datetime) -> frozenset[str]:
    """
    Return the transactions that may yet change what was listed at *instant*.

    None that begins later can. Raises InstantInvalid if it has not passed.
    """
    row = tx.fetch(
        FIND_UNSETTLED,
        {"organisation_id": tx.organisation_id, "instant": instant},
    )[0]
    if not row["has_passed"]:
        message = "as_of has not passed"
        raise InstantInvalid(message)
    return frozenset(row["unsettled"])
