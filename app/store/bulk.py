"""
Whole lists of entries at once, by COPY.

What comes in is staged in a temporary table (a table with row-level security takes no
COPY), put in the order of the index that keeps entries unique, and inserted in pieces
along that order: the index grows at one place at a time, and each statement has only so
many rows. What goes out is formatted by PostgreSQL.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from app.store import versions
from app.store.transactions import Open

# A row that names no list of its own is of the list that all such rows share.
STAGE = """
    CREATE TEMPORARY TABLE staged_entry (
        e164         bigint NOT NULL,
        calling_code smallint NOT NULL,
        campaign_id  bigint,
        purpose      text COLLATE "C",
        reason       text,
        inserted_at  timestamptz,
        evidence     text,
        position     bigint
    ) ON COMMIT DROP
"""

MEMORY = "SET LOCAL work_mem = '256MB'"

COPY_NUMBERS = "COPY staged_entry (e164, calling_code) FROM STDIN"

COPY_ROWS = "COPY staged_entry FROM STDIN"

ARRANGE = """
    CREATE TEMPORARY TABLE arranged_entry ON COMMIT DROP AS
    SELECT DISTINCT ON (e164, campaign_id, list_purpose)
           e164, calling_code, campaign_id, purpose, reason, inserted_at, evidence
    FROM (
        SELECT *, CASE WHEN campaign_id = -1 THEN purpose END AS list_purpose
        FROM staged_entry
    ) AS staged
    ORDER BY e164, campaign_id, list_purpose, position
"""

PAGES = """
    SELECT pg_relation_size('arranged_entry')
           / current_setting('block_size')::bigint AS pages
"""

# Without RETURNING or named columns, row-level security looks at each row only once.
INSERT = """
    INSERT INTO dnc_entry (
        organisation_id, e164, calling_code, campaign_id, purpose, reason,
        inserted_at, valid_from, evidence, operation_id
    )
    SELECT %(organisation_id)s::bigint, e164, calling_code,
           coalesce(campaign_id, %(campaign_id)s::bigint),
           CASE WHEN campaign_id IS NULL THEN %(purpose)s::text ELSE purpose END,
           CASE WHEN campaign_id IS NULL THEN %(reason)s::text ELSE reason END,
           coalesce(inserted_at, (SELECT dnc_instant())), (SELECT dnc_instant()),
           evidence::jsonb, %(operation_id)s::bigint
    FROM arranged_entry
    WHERE ctid >= %(start)s::tid AND ctid < %(end)s::tid
    ON CONFLICT DO NOTHING
"""

NOW = "SELECT now() AS instant"

ANALYSE = "ANALYZE arranged_entry (e164)"

COUNT_NEW = """
    SELECT count(*) AS new FROM (
        SELECT e164, coalesce(campaign_id, %(campaign_id)s::bigint) AS campaign_id,
               CASE WHEN campaign_id IS NULL THEN %(purpose)s::text ELSE purpose END
                   AS purpose
        FROM arranged_entry
    ) AS wanted
    WHERE NOT EXISTS (
        SELECT FROM dnc_entry AS entry
        WHERE entry.organisation_id = %(organisation_id)s
          AND entry.e164 = wanted.e164
          AND entry.campaign_id = wanted.campaign_id
          AND (CASE WHEN entry.campaign_id = -1 THEN entry.purpose ELSE '' END)
              = (CASE WHEN wanted.campaign_id = -1 THEN wanted.purpose ELSE '' END)
    )
"""

EXPORT: LiteralString = """
    COPY (
        SELECT CASE WHEN entry.e164 < 0 THEN 'erased' ELSE
                   substr(entry.e164::text, length(entry.calling_code::text) + 1)
               END AS phone_number,
               entry.calling_code AS phone_code,
               entry.campaign_id,
               campaign.uid AS campaign_uid,
               entry.purpose,
               entry.reason,
               to_char(
                   entry.inserted_at AT TIME ZONE 'UTC',
                   'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
               ) AS inserted_at,
               entry.evidence
        FROM {entries}
        JOIN campaign ON campaign.organisation_id = entry.organisation_id
                     AND campaign.id = entry.campaign_id
        WHERE entry.organisation_id = %(organisation_id)s
          AND (%(campaign_id)s::bigint IS NULL OR entry.campaign_id = %(campaign_id)s)
    ) TO STDOUT (FORMAT csv, HEADER)
"""

COUNT: LiteralString = """
    SELECT count(*) AS entries FROM {entries}
    WHERE organisation_id = %(organisation_id)s
      AND (%(campaign_id)s::bigint IS NULL OR campaign_id = %(campaign_id)s)
"""

ROWS_A_PIECE = 100_000
BLOCK_ROWS = 4_000


@dataclass(frozen=True, slots=True)
class Shared:
    """What holds for the rows that name no list of their own."""

    campaign_id: int
    purpose: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Arranged:
    """What was staged, in order and each entry once: rows, on so many pages."""

    rows: int
    pages: int

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Yield the first page of each piece, and the one after its last."""
        step = max(1, self.pages * ROWS_A_PIECE // max(1, self.rows))
        for start in range(0, self.pages, step):
            yield start, min(start + step, self.pages)


@contextmanager
def staging(tx: Open, *, numbers_only: bool) -> Iterator[Callable[[str | bytes], None]]:
    """
    Yield a function that takes rows as COPY's text format has them, many at a time.

    A row is number and calling code alone, or all columns of STAGE.
    """
    tx.connection.execute(STAGE)
    tx.connection.execute(MEMORY)
    statement = COPY_NUMBERS if numbers_only else COPY_ROWS
    with tx.connection.cursor().copy(statement) as copy:
        yield copy.write


def now(tx: Open) -> datetime:
    """Return the instant of the transaction, by the only clock."""
    instant: datetime = tx.fetch(NOW, {})[0]["instant"]
    return instant


def arrange(tx: Open) -> Arranged:
    """Sort what was staged; of rows that mean the same entry the first is kept."""
    rows = tx.connection.execute(ARRANGE).rowcount
    return Arranged(rows, tx.fetch(PAGES, {})[0]["pages"])


def insert(tx: Open, operation_id: int, piece: tuple[int, int], shared: Shared) -> int:
    """Store one of the pieces, leave alone what is listed; return how many were not."""
    start, end = piece
    parameters = {
        **_parameters(tx, shared),
        "operation_id": operation_id,
        "start": f"({start},0)",
        "end": f"({end},0)",
    }
    return tx.connection.execute(INSERT, parameters, prepare=False).rowcount


def count_new(tx: Open, shared: Shared) -> int:
    """Return how many of the arranged entries are not listed."""
    tx.connection.execute(ANALYSE)
    cursor = tx.connection.execute(COUNT_NEW, _parameters(tx, shared), prepare=False)
    new: int = cursor.fetchall()[0]["new"]
    return new


def count(tx: Open, campaign_id: int | None, as_of: datetime | None) -> int:
    """Return how many entries there are to export, or were at that instant."""
    statement = COUNT.format(entries=_entries(as_of))
    parameters = _filter(tx, campaign_id, as_of)
    entries: int = tx.fetch(statement, parameters)[0]["entries"]
    return entries


def export(
    tx: Open, campaign_id: int | None, as_of: datetime | None
) -> Iterator[bytes]:
    """Yield the entries as CSV with a header, many rows at a time, as of one moment."""
    rows: list[bytes | bytearray | memoryview] = []
    statement = EXPORT.format(entries=_entries(as_of))
    parameters = _filter(tx, campaign_id, as_of)
    with tx.connection.cursor().copy(statement, parameters) as copy:
        for row in copy:
            rows.append(row)
            if len(rows) == BLOCK_ROWS:
                yield b"".join(rows)
                rows.clear()
    yield b"".join(rows)


def _entries(as_of: datetime | None) -> LiteralString:
    return "dnc_entry AS entry" if as_of is None else versions.AS_OF


def _filter(
    tx: Open, campaign_id: int | None, as_of: datetime | None
) -> dict[str, object]:
    return {
        "organisation_id": tx.organisation_id,
        "campaign_id": campaign_id,
        "as_of": as_of,
    }


def _parameters(tx: Open, shared: Shared) -> dict[str, object]:
    return {
        "organisation_id": tx.organisation_id,
        "campaign_id": shared.campaign_id,
        "purpose": shared.purpose,
        "reason": shared.reason,
    }
