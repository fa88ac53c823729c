"""
Which schema the database has, and whether it still holds what was anchored.

The database's own ``dncd_require`` has the same rule, and raises where this answers: a
bearer who may only insert goes on after a loss. A test asks both of every case.
"""

from typing import LiteralString

from psycopg.rows import DictRow

from app.audit.verify import Anchor
from app.domain.conditions import Standing
from app.store.transactions import Parameters, Tx

# Newer migrations than the code knows must all say that it may go on.
SCHEMA: LiteralString = """
    SELECT current.version_num AS revision,
           count(*) FILTER (WHERE newer.revision = current.version_num) = 1
           AND bool_and(newer.serves_from <= %(code)s::text COLLATE "C") AS serves
    FROM (SELECT max(version_num) AS version_num FROM alembic_version) AS current
    LEFT JOIN schema_revision AS newer
        ON newer.revision > %(code)s::text COLLATE "C"
       AND newer.revision <= current.version_num COLLATE "C"
    GROUP BY current.version_num
"""

NOTHING_ANCHORED: LiteralString = f"""
    SELECT revision, serves, true AS holds_anchor FROM ({SCHEMA}) AS schema
"""

# A loss that was confirmed is that of every anchor between what was there and what was
# missed: another host's file may end with an earlier one.
CONFIRMED: LiteralString = """
    EXISTS (
        SELECT FROM recovery
        WHERE chain = %(chain)s::uuid
          AND (
              sequence = %(sequence)s AND root = decode(%(root)s, 'hex')
              OR sequence > %(sequence)s AND found_sequence < %(sequence)s
          )
    )
"""

IS_CONFIRMED: LiteralString = f"SELECT {CONFIRMED} AS is_confirmed"

ANCHORED: LiteralString = f"""
    SELECT revision, serves, EXISTS (
        SELECT FROM seal JOIN installation ON chain = %(chain)s::uuid
        WHERE sequence = %(sequence)s AND root = decode(%(root)s, 'hex')
    ) OR {CONFIRMED} AS holds_anchor
    FROM ({SCHEMA}) AS schema
"""

REVISION = "SELECT max(version_num) AS revision FROM alembic_version"

IS_SEALED = "SELECT EXISTS (SELECT FROM seal) AS is_sealed"


def find(tx: Tx, code: str, anchor: Anchor | None) -> Standing:
    """Return where the database stands, as code of revision *code* sees it."""
    rows = tx.fetch(ANCHORED if anchor else NOTHING_ANCHORED, parameters(code, anchor))
    return standing_from(rows[0])


def find_revision(tx: Tx) -> str | None:
    """Return the schema's revision, which also an old one can tell."""
    revision: str | None = tx.fetch(REVISION, {})[0]["revision"]
    return revision


def is_confirmed(tx: Tx, anchor: Anchor) -> bool:
    """Whether somebody has confirmed that what *anchor* tells is lost."""
    answer: bool = tx.fetch(IS_CONFIRMED, parameters("", anchor))[0]["is_confirmed"]
    return answer


def is_sealed(tx: Tx) -> bool:
    """Whether any operation was ever sealed."""
    answer: bool = tx.fetch(IS_SEALED, {})[0]["is_sealed"]
    return answer


def parameters(code: str, anchor: Anchor | None) -> Parameters:
    """Return what ANCHORED, or NOTHING_ANCHORED where there is no anchor, wants."""
    if anchor is None:
        return {"code": code}
    return {
        "code": code,
        "chain": anchor.chain,
        "sequence": anchor.sequence,
        "root": anchor.root,
    }


def expected(code: str, anchor: Anchor | None) -> Parameters:
    """Return what whoever enters to tell something wants to be there."""
    return {
        "code": code,
        "chain": anchor and anchor.chain,
        "sequence": anchor and anchor.sequence,
        "root": anchor and anchor.root,
    }


def standing_from(row: DictRow) -> Standing:
    """Return what a row of ANCHORED or NOTHING_ANCHORED says."""
    return Standing(row["revision"], bool(row["serves"]), row["holds_anchor"])
