"""
The list as it was at an instant, from the current entries and the past ones.

Every statement reads both in one snapshot, which is to be taken when the instant is
settled (see ``instants``).
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import LiteralString

from app.domain.entries import Entry, EntryFilter, Page
from app.domain.erasure import StandIns
from app.domain.rules import Listed
from app.store import searches
from app.store.arrays import write_numbers
from app.store.checks import Row, look_up_pieces
from app.store.entries import COLUMNS
from app.store.transactions import Open, Tx

_VERSION: LiteralString = """
    organisation_id, id, e164, calling_code, campaign_id, purpose, reason, evidence,
    inserted_at, valid_from
"""

# What stands in for the table of entries, under the same name.
AS_OF: LiteralString = f"""(
    SELECT {_VERSION} FROM dnc_entry
    WHERE organisation_id = %(organisation_id)s::bigint
      AND valid_from <= %(as_of)s::timestamptz
    UNION ALL
    SELECT {_VERSION} FROM dnc_entry_past
    WHERE organisation_id = %(organisation_id)s::bigint
      AND valid_from <= %(as_of)s::timestamptz
      AND valid_until > %(as_of)s::timestamptz
) AS entry"""

CAMPAIGN: LiteralString = """
    JOIN campaign ON campaign.organisation_id = entry.organisation_id
                 AND campaign.id = entry.campaign_id
"""

CHECK = f"""
    SELECT entry.id, entry.campaign_id, campaign.name, entry.purpose, entry.reason,
           entry.inserted_at
    FROM {AS_OF} {CAMPAIGN}
    WHERE entry.e164 = ANY(%(e164s)s::text::bigint[])
"""

# OFFSET keeps the numbers looked up one by one, as for the current entries.
FIND_LISTED = f"""
    SELECT entry.e164, entry.id, entry.campaign_id, entry.purpose, entry.inserted_at,
           CASE WHEN %(with_reasons)s THEN entry.reason END
    FROM unnest(%(e164s)s::text::bigint[]) AS asked (e164)
    CROSS JOIN LATERAL (
        SELECT * FROM {AS_OF} WHERE entry.e164 = asked.e164 OFFSET 0
    ) AS entry
"""


def check(tx: Tx, e164s: Iterable[int], as_of: datetime) -> tuple[Listed, ...]:
    """Return the entries that the number, under any of its keys, had then."""
    parameters = {
        "organisation_id": tx.organisation_id,
        "e164s": write_numbers(e164s),
        "as_of": as_of,
    }
    rows = tx.fetch(CHECK, parameters)
    return tuple(
        Listed(
            row["id"],
            row["campaign_id"],
            row["name"],
            row["purpose"],
            row["reason"],
            row["inserted_at"],
        )
        for row in rows
    )


def find_listed(
    tx: Open, pieces: Iterable[Sequence[int]], as_of: datetime, *, with_reasons: bool
) -> Iterator[Row]:
    """Yield of every entry that the numbers had what Row has."""
    return look_up_pieces(
        tx, FIND_LISTED, pieces, as_of=as_of, with_reasons=with_reasons
    )


def search(
    tx: Tx, wanted: EntryFilter, page: Page, as_of: datetime, stand_ins: StandIns
) -> tuple[list[Entry], int]:
    """
    Return the entries of *page* as they were, oldest id first, and how many there were.

    They are counted: totals are kept of what is listed now alone. An erased number is
    found by its stand-in. Raises ErasureKeyWrong.
    """
    if wanted.inserted == ():
        return [], 0
    statement = searches.COUNTED.format(
        columns=COLUMNS,
        table=AS_OF,
        entries=f"{AS_OF} {CAMPAIGN}",
        conditions=" AND ".join(searches.conditions_of(wanted)),
    )
    parameters = searches.parameters_of(tx, wanted, page) | {"as_of": as_of}
    return searches.fetch_few(tx, statement, parameters, wanted, stand_ins)
