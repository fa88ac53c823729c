"""
What stands against calls: the questions that every dialer asks before it dials.

Every statement reads a snapshot of its own and begins at the index of numbers.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from psycopg.rows import DictRow

from app.domain.rules import Call, Finding, Listed, Question, Snapshot
from app.store.database import Tx

# One row an entry of the number on whichever list, or one row without any.
CHECK = """
    SELECT asked.position, now() AS checked_at, (
               SELECT checking_enabled FROM organisation
               WHERE id = %(organisation_id)s
           ) AS checking_enabled,
           meant.id AS meant_id, meant.purpose AS meant_purpose,
           entry.id, entry.campaign_id, entry.purpose, entry.reason,
           entry.inserted_at, list.name AS campaign_name
    FROM unnest(
        %(e164s)s::text::bigint[], %(numbers)s::text::bigint[], %(codes)s::text::text[]
    ) WITH ORDINALITY AS asked (e164, number, code, position)
    LEFT JOIN LATERAL (
        SELECT campaign.id, campaign.purpose FROM campaign
        WHERE campaign.organisation_id = %(organisation_id)s
          AND (campaign.id = asked.number OR campaign.uid = asked.code)
        ORDER BY (campaign.id = asked.number) DESC NULLS LAST
        LIMIT 1
    ) AS meant ON asked.code IS NOT NULL
    LEFT JOIN dnc_entry AS entry
        ON entry.organisation_id = %(organisation_id)s AND entry.e164 = asked.e164
    LEFT JOIN campaign AS list
        ON list.organisation_id = entry.organisation_id AND list.id = entry.campaign_id
    ORDER BY asked.position, entry.id
"""

FIND_LISTED = """
    SELECT e164, id, campaign_id, purpose, inserted_at
    FROM dnc_entry
    WHERE organisation_id = %(organisation_id)s
      AND e164 = ANY(%(e164s)s::text::bigint[])
"""

SNAPSHOT = """
    SELECT pg_current_snapshot()::text AS name, now() AS taken_at, checking_enabled
    FROM organisation WHERE id = %(organisation_id)s
"""


# Not an object each: there may be as many as there are numbers.
Row = tuple[int, int, int, str | None, datetime]


def check(tx: Tx, questions: Sequence[Question]) -> list[Finding]:
    """Return what is known about each of *questions*, in their order."""
    meant = [question.campaign for question in questions]
    rows = tx.fetch(
        CHECK,
        {
            "organisation_id": tx.organisation_id,
            "e164s": _array(question.number.e164 for question in questions),
            "numbers": _array(x.number if x else None for x in meant),
            "codes": _array(x.code if x else None for x in meant),
        },
    )
    return [
        _finding(list(group)) for _, group in groupby(rows, key=itemgetter("position"))
    ]


def take_snapshot(tx: Tx) -> Snapshot:
    """Return the instant that everything else in *tx* is read at."""
    row = tx.fetch(SNAPSHOT, {"organisation_id": tx.organisation_id})[0]
    return Snapshot(row["name"], row["taken_at"], row["checking_enabled"])


def find_listed(tx: Tx, e164s: Iterable[int]) -> list[Row]:
    """Return number, id, list, purpose and instant of every entry of the numbers."""
    parameters = {
        "organisation_id": tx.organisation_id,
        "e164s": "{" + ",".join(map(str, e164s)) + "}",
    }
    return [tuple(row.values()) for row in tx.fetch(FIND_LISTED, parameters)]


def _array(values: Iterable[int | str | None]) -> str:
    """
    Write an array as PostgreSQL reads it: ten times faster than psycopg's lists.

    Texts are campaign codes, which have nothing to escape but may spell NULL.
    """
    texts = ("NULL" if value is None else f'"{value}"' for value in values)
    return "{" + ",".join(texts) + "}"


def _finding(rows: Sequence[DictRow]) -> Finding:
    first = rows[0]
    call = None
    if first["meant_id"] is not None:
        call = Call(first["meant_id"], first["meant_purpose"])
    return Finding(
        call=call,
        entries=tuple(_listed(row) for row in rows if row["id"] is not None),
        checking_enabled=first["checking_enabled"],
        checked_at=first["checked_at"],
    )


def _listed(row: DictRow) -> Listed:
    return Listed(
        id=row["id"],
        campaign_id=row["campaign_id"],
        campaign_name=row["campaign_name"],
        purpose=row["purpose"],
        reason=row["reason"],
        since=row["inserted_at"],
    )
