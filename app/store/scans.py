"""Looking into the texts of every entry, for which there is no index."""

import re
from collections.abc import Sequence
from typing import LiteralString

from psycopg.rows import DictRow

from app.domain.entries import Entry, EntryText, Page
from app.domain.erasure import StandIns
from app.store.arrays import write_numbers
from app.store.entries import COLUMNS, entry_from
from app.store.transactions import Tx

# One look at each entry: those that match are kept, counted, and a page of them shown.
SEARCH: LiteralString = f"""
    WITH found AS MATERIALIZED (
        SELECT entry.id FROM dnc_entry AS entry
        WHERE entry.organisation_id = %(organisation_id)s
          AND (
              entry.e164 > 0 AND entry.e164::text LIKE %(digits)s
              OR entry.e164 = ANY(%(e164s)s::text::bigint[])
              OR entry.reason ~ %(pattern)s
              OR entry.evidence ->> %(evidence)s ~ %(pattern)s
          )
    )
    SELECT total.n AS total, own.erasure_mark, shown.*
    FROM (SELECT count(*) AS n FROM found) AS total
    CROSS JOIN (
        SELECT erasure_key AS erasure_mark
        FROM organisation WHERE id = %(organisation_id)s
    ) AS own
    LEFT JOIN (
        SELECT {COLUMNS}
        FROM (
            SELECT id FROM found ORDER BY id OFFSET %(offset)s LIMIT %(limit)s
        ) AS page
        JOIN dnc_entry AS entry
            ON entry.organisation_id = %(organisation_id)s AND entry.id = page.id
        JOIN campaign ON campaign.organisation_id = entry.organisation_id
                     AND campaign.id = entry.campaign_id
    ) AS shown ON true
    ORDER BY shown.id
"""

_SPECIAL = re.compile(r"[!-/:-@\[-`{-~ ]")


def search(
    tx: Tx, wanted: EntryText, page: Page, stand_ins: StandIns
) -> tuple[list[Entry], int]:
    """
    Return the entries of *page* that *wanted* is in, oldest first, and the total.

    An erased number is found whole, by its stand-in, and shown as it was asked. Raises
    ErasureKeyWrong.
    """
    numbers = [wanted.number.e164] if wanted.number else []
    names = stand_ins.names(numbers)
    rows = _scan(tx, wanted, page, [*numbers, *(names or ())])
    while numbers and stand_ins.missed(rows[0]["erasure_mark"], names):
        names = stand_ins.names(numbers) or {}
        rows = _scan(tx, wanted, page, [*numbers, *names])
    found = [entry_from(row, names or {}) for row in rows if row["id"] is not None]
    return found, rows[0]["total"]


def _scan(tx: Tx, wanted: EntryText, page: Page, keys: Sequence[int]) -> list[DictRow]:
    return tx.fetch(
        SEARCH,
        {
            "organisation_id": tx.organisation_id,
            "digits": wanted.digits and f"%{wanted.digits}%",
            "e164s": write_numbers(keys),
            "pattern": "".join(map(_in_any_case, wanted.text)),
            "evidence": wanted.evidence,
            "offset": page.offset,
            "limit": page.limit,
        },
    )


def _in_any_case(character: str) -> str:
    """
    Return a regular expression for *character* alone, in upper or lower case.

    Spelt out, because what PostgreSQL takes for a letter depends on its locale.
    """
    lower, upper = character.lower(), character.upper()
    if lower != upper and len(lower) == len(upper) == 1:
        return f"[{lower}{upper}]"
    return _SPECIAL.sub(r"\\\g<0>", character)
