"""Looking into the texts of every entry, for which there is no index."""

import re
from typing import LiteralString

from app.domain.entries import Entry, EntryText, Page
from app.store.database import Tx
from app.store.entries import COLUMNS, entry_from

# One look at each entry: those that match are kept, counted, and a page of them shown.
SEARCH: LiteralString = f"""
    WITH found AS MATERIALIZED (
        SELECT entry.id FROM dnc_entry AS entry
        WHERE entry.organisation_id = %(organisation_id)s
          AND (
              entry.e164::text LIKE %(digits)s
              OR entry.e164 = %(e164)s
              OR entry.reason ~ %(pattern)s
              OR entry.evidence ->> %(evidence)s ~ %(pattern)s
          )
    )
    SELECT total.n AS total, shown.*
    FROM (SELECT count(*) AS n FROM found) AS total
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


def search(tx: Tx, wanted: EntryText, page: Page) -> tuple[list[Entry], int]:
    """Return the entries of *page* that *wanted* is in, oldest first, and the total."""
    rows = tx.fetch(
        SEARCH,
        {
            "organisation_id": tx.organisation_id,
            "digits": wanted.digits and f"%{wanted.digits}%",
            "e164": wanted.number and wanted.number.e164,
            "pattern": "".join(map(_in_any_case, wanted.text)),
            "evidence": wanted.evidence,
            "offset": page.offset,
            "limit": page.limit,
        },
    )
    return [entry_from(row) for row in rows if row["id"] is not None], rows[0]["total"]


def _in_any_case(character: str) -> str:
    """
    Return a regular expression for *character* alone, in upper or lower case.

    Spelt out, because what PostgreSQL takes for a letter depends on its locale.
    """
    lower, upper = character.lower(), character.upper()
    if lower != upper and len(lower) == len(upper) == 1:
        return f"[{lower}{upper}]"
    return _SPECIAL.sub(r"\\\g<0>", character)
