"""
What a seal is over: operations, and the versions that each made and ended.

The tuples are those that ``app/audit/verify.py`` hashes, in its order of fields.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Any, LiteralString, NamedTuple

from psycopg.rows import tuple_row

from app.store.transactions import Open

Row = tuple[Any, ...]


def of_calendar(column: LiteralString) -> LiteralString:
    """
    Return what reads an instant; null where somebody wrote one that no calendar has.

    We write none. Python knows of none either, and what is told must not end there.
    """
    name = column.rpartition(".")[2]
    return (
        f"CASE WHEN {column} BETWEEN '0001-01-02 00:00+00' AND '9999-12-30 00:00+00'"
        f" THEN {column} END AS {name}"
    )


OPERATION: LiteralString = f"""
    operation.organisation_id, operation.id, {of_calendar("operation.at")},
    CASE WHEN operation.transaction_id < '9223372036854775807'
         THEN operation.transaction_id::text::bigint END AS transaction_id,
    operation.token_id,
    operation.actor, operation.dialect, operation.address::text, operation.request_id,
    operation.kind, operation.touched, operation.idempotency_key,
    operation.unblocked, operation.approves,
    operation.why, operation.answer::text,
    (
        SELECT personal FROM erased_part
        WHERE erased_part.organisation_id = operation.organisation_id
          AND erased_part.entry_id = 0 AND erased_part.operation_id = operation.id
    ) AS erased
"""

VERSION: LiteralString = f"""
    version.organisation_id, version.id, version.operation_id, version.calling_code,
    version.campaign_id, version.purpose, {of_calendar("version.inserted_at")},
    {of_calendar("version.valid_from")},
    version.e164, version.reason, version.evidence::text AS evidence,
    (
        SELECT personal FROM erased_part
        WHERE erased_part.organisation_id = version.organisation_id
          AND erased_part.entry_id = version.id
          AND erased_part.operation_id = version.operation_id
    ) AS erased
"""

ENDED: LiteralString = f"""
    version.organisation_id, version.id, version.operation_id,
    {of_calendar("version.valid_from")}, {of_calendar("version.valid_until")},
    version.ended_by_operation
"""

OPERATIONS = f"""
    SELECT {OPERATION} FROM operation
    WHERE operation.organisation_id = %(organisation_id)s
      AND operation.id = ANY(%(operation_ids)s::bigint[])
"""

REACHES = """
    SELECT operation_id, ended, first_id, last_id, entries, ids FROM operation_reach
    WHERE transaction_id = ANY(%(transaction_ids)s::text[]::xid8[])
      AND organisation_id = %(organisation_id)s
      AND operation_id = ANY(%(operation_ids)s::bigint[])
      AND first_id IS NOT NULL
"""

_WANTED: LiteralString = """
    unnest(
        %(operation_ids)s::bigint[], %(first_ids)s::bigint[], %(last_ids)s::bigint[]
    ) AS wanted (operation_id, first_id, last_id)
"""

MADE = f"""
    SELECT made.*
    FROM {_WANTED}
    CROSS JOIN LATERAL (
        SELECT {VERSION} FROM dnc_entry AS version
        WHERE version.organisation_id = %(organisation_id)s
          AND version.id BETWEEN wanted.first_id AND wanted.last_id
          AND version.operation_id = wanted.operation_id
        UNION ALL
        SELECT {VERSION} FROM dnc_entry_past AS version
        WHERE version.organisation_id = %(organisation_id)s
          AND version.id BETWEEN wanted.first_id AND wanted.last_id
          AND version.operation_id = wanted.operation_id
    ) AS made
    ORDER BY made.operation_id, made.id, made.valid_from
"""

ENDS = f"""
    SELECT {ENDED}
    FROM {_WANTED}
    JOIN dnc_entry_past AS version
        ON version.organisation_id = %(organisation_id)s
       AND version.id BETWEEN wanted.first_id AND wanted.last_id
       AND version.ended_by_operation = wanted.operation_id
    ORDER BY version.ended_by_operation, version.id, version.valid_from
"""

_PAGE: LiteralString = """
    WHERE version.organisation_id = %(organisation_id)s
      AND (version.id, version.valid_from)
          > (%(after_id)s::bigint, %(after)s::timestamptz)
      AND version.id <= %(last_id)s
      AND version.{by} = %(operation_id)s
    ORDER BY version.id, version.valid_from
    LIMIT 5000
"""

CURRENT_PAGE = f"""
    SELECT {VERSION} FROM dnc_entry AS version
    WHERE version.organisation_id = %(organisation_id)s
      AND version.id > %(after_id)s AND version.id <= %(last_id)s
      AND version.operation_id = %(operation_id)s
    ORDER BY version.id
    LIMIT 5000
"""

PAST_PAGE = (
    f"SELECT {VERSION} FROM dnc_entry_past AS version"
    f" {_PAGE.replace('{by}', 'operation_id')}"
)

ENDS_PAGE = (
    f"SELECT {ENDED} FROM dnc_entry_past AS version"
    f" {_PAGE.replace('{by}', 'ended_by_operation')}"
)


# Everything of an organisation, by operation.
MEMORY = "SET LOCAL work_mem = '64MB'"

EVERY_OPERATION = f"""
    SELECT {OPERATION} FROM operation
    WHERE operation.organisation_id = %(organisation_id)s
    ORDER BY operation.id
"""

EVERY_VERSION = f"""
    SELECT made.* FROM (
        SELECT {VERSION} FROM dnc_entry AS version
        WHERE version.organisation_id = %(organisation_id)s
        UNION ALL
        SELECT {VERSION} FROM dnc_entry_past AS version
        WHERE version.organisation_id = %(organisation_id)s
    ) AS made
    ORDER BY made.operation_id, made.id, made.valid_from
"""

EVERY_END = f"""
    SELECT {ENDED} FROM dnc_entry_past AS version
    WHERE version.organisation_id = %(organisation_id)s
    ORDER BY version.ended_by_operation, version.id, version.valid_from
"""


class Reach(NamedTuple):
    """Between which ids to look for what an operation made, or ended."""

    first_id: int
    last_id: int


@dataclass(frozen=True, slots=True)
class Reaches:
    """Where an operation's versions are, and at most how many."""

    made: tuple[Reach, ...] = ()
    ended: tuple[Reach, ...] = ()
    entries: int = 0


def operations(tx: Open, organisation_id: int, ids: Sequence[int]) -> list[Row]:
    """Return the operations with those ids, as OPERATION has them."""
    parameters = {"organisation_id": organisation_id, "operation_ids": list(ids)}
    return _rows(tx, OPERATIONS, parameters)


def reaches(
    tx: Open, organisation_id: int, wanted: Sequence[tuple[int, str]]
) -> dict[int, Reaches]:
    """Return where to look for the versions of operations, by their transactions."""
    rows = tx.fetch(
        REACHES,
        {
            "organisation_id": organisation_id,
            "operation_ids": [operation_id for operation_id, _ in wanted],
            "transaction_ids": sorted({transaction for _, transaction in wanted}),
        },
    )
    found: dict[int, Reaches] = {}
    rows.sort(key=lambda row: row["operation_id"])
    for operation_id, of_one in groupby(rows, lambda row: row["operation_id"]):
        parts: dict[bool, list[Reach]] = {False: [], True: []}
        entries = 0
        for row in of_one:
            entries += row["entries"]
            if row["ids"] is None:
                parts[row["ended"]].append(Reach(row["first_id"], row["last_id"]))
            else:
                parts[row["ended"]].extend(Reach(id_, id_) for id_ in row["ids"])
        found[operation_id] = Reaches(
            _merged(parts[False]), _merged(parts[True]), entries
        )
    return found


def made(
    tx: Open, organisation_id: int, wanted: Sequence[tuple[int, Reach]]
) -> dict[int, list[Row]]:
    """Return the versions that few operations made, by operation, in their order."""
    rows = _rows(tx, MADE, _wanted(organisation_id, wanted))
    return {key: list(of_one) for key, of_one in groupby(rows, lambda row: row[2])}


def ended(
    tx: Open, organisation_id: int, wanted: Sequence[tuple[int, Reach]]
) -> dict[int, list[Row]]:
    """Return the ends of versions that few operations ended, by operation."""
    rows = _rows(tx, ENDS, _wanted(organisation_id, wanted))
    return {key: list(of_one) for key, of_one in groupby(rows, lambda row: row[5])}


def stream_made(
    tx: Open, organisation_id: int, operation_id: int, parts: Sequence[Reach]
) -> Iterator[Row]:
    """Yield the versions that one operation made, however many there are."""
    for part in parts:
        key = organisation_id, operation_id
        yield from merge(
            _pages(tx, CURRENT_PAGE, key, part, 7),
            _pages(tx, PAST_PAGE, key, part, 7),
            key=lambda row: (row[1], row[7]),
        )


def stream_ended(
    tx: Open, organisation_id: int, operation_id: int, parts: Sequence[Reach]
) -> Iterator[Row]:
    """Yield the ends of versions that one operation ended, however many."""
    for part in parts:
        yield from _pages(tx, ENDS_PAGE, (organisation_id, operation_id), part, 3)


def _pages(
    tx: Open,
    statement: LiteralString,
    key: tuple[int, int],
    part: Reach,
    instant: int,
) -> Iterator[Row]:
    after: tuple[int, datetime | str] = part.first_id - 1, "infinity"
    while True:
        rows = _rows(
            tx,
            statement,
            {
                "organisation_id": key[0],
                "operation_id": key[1],
                "after_id": after[0],
                "after": after[1],
                "last_id": part.last_id,
            },
        )
        if not rows:
            return
        yield from rows
        after = rows[-1][1], rows[-1][instant]


def _merged(parts: list[Reach]) -> tuple[Reach, ...]:
    """Return the ranges in order, none of them twice."""
    apart: list[Reach] = []
    for part in sorted(parts):
        if apart and part.first_id <= apart[-1].last_id + 1:
            last = max(part.last_id, apart[-1].last_id)
            apart[-1] = Reach(apart[-1].first_id, last)
        else:
            apart.append(part)
    return tuple(apart)


def _wanted(
    organisation_id: int, wanted: Sequence[tuple[int, Reach]]
) -> dict[str, object]:
    return {
        "organisation_id": organisation_id,
        "operation_ids": [operation_id for operation_id, _ in wanted],
        "first_ids": [part.first_id for _, part in wanted],
        "last_ids": [part.last_id for _, part in wanted],
    }


def _rows(
    tx: Open, statement: LiteralString, parameters: dict[str, object]
) -> list[Row]:
    with tx.connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def every(tx: Open, statement: LiteralString, organisation_id: int) -> Iterator[Row]:
    """Yield the rows of EVERY_OPERATION, EVERY_VERSION or EVERY_END, one by one."""
    tx.connection.execute(MEMORY)
    yield from stream(tx, statement, {"organisation_id": organisation_id})


def stream(
    tx: Open, statement: LiteralString, parameters: dict[str, object]
) -> Iterator[Row]:
    """Yield the rows of a statement, however many, a few thousand at a time."""
    name = f"every_{abs(hash(statement))}"
    with tx.connection.cursor(name, row_factory=tuple_row) as cursor:
        cursor.itersize = 5000
        cursor.execute(statement, parameters)
        yield from cursor
