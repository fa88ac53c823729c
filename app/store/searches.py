"""
Looking for entries: a page and the exact number of all matches, in one statement.

Both come from one snapshot. A filter that is not asked for is not in the statement, so
that PostgreSQL plans what is really asked.
"""

from typing import LiteralString

from app.domain.entries import Entry, EntryFilter, Page
from app.domain.texts import Blank, TextFilter
from app.store import campaigns
from app.store.database import Tx
from app.store.entries import COLUMNS, ENTRIES, entry_from

SEARCH: LiteralString = """
    SELECT total.n AS total, page.*
    FROM (SELECT count(*) AS n FROM dnc_entry AS entry WHERE {conditions}) AS total
    LEFT JOIN (
        SELECT {columns} FROM {entries}
        WHERE {conditions}
        ORDER BY entry.id
        OFFSET %(offset)s LIMIT %(limit)s
    ) AS page ON true
    ORDER BY page.id
"""

OWN: LiteralString = "entry.organisation_id = %(organisation_id)s"
BY_ID: LiteralString = "entry.id = %(id)s"
BY_NUMBER: LiteralString = "entry.e164 = %(e164)s"
BY_NUMBERS: LiteralString = "entry.e164 = ANY(%(e164s)s)"
BY_CALLING_CODE: LiteralString = "entry.calling_code = %(calling_code)s"
BY_CAMPAIGN: LiteralString = f"entry.campaign_id = ({campaigns.MEANT})"
NEVER: LiteralString = "false"
WITHIN: LiteralString = (
    "entry.inserted_at >= %(from)s AND entry.inserted_at < %(until)s"
)
WITHIN_EITHER: LiteralString = (
    "(entry.inserted_at >= %(from)s AND entry.inserted_at < %(until)s"
    " OR entry.inserted_at >= %(again_from)s AND entry.inserted_at < %(again_until)s)"
)
REASON: tuple[LiteralString, LiteralString, LiteralString] = (
    "entry.reason = %(reason)s",
    "entry.reason IS NOT NULL",
    "entry.reason IS NULL",
)
PURPOSE: tuple[LiteralString, LiteralString, LiteralString] = (
    "entry.purpose = %(purpose)s",
    "entry.purpose IS NOT NULL",
    "entry.purpose IS NULL",
)


def search(tx: Tx, wanted: EntryFilter, page: Page) -> tuple[list[Entry], int]:
    """Return the entries of *page*, oldest id first, and how many match in all."""
    parameters: dict[str, object] = {
        "organisation_id": tx.organisation_id,
        "offset": page.offset,
        "limit": page.limit,
    }
    statement = SEARCH.format(
        columns=COLUMNS,
        entries=ENTRIES,
        conditions=" AND ".join(_conditions(wanted, parameters)),
    )
    rows = tx.fetch(statement, parameters)
    return [entry_from(row) for row in rows if row["id"] is not None], rows[0]["total"]


def _conditions(
    wanted: EntryFilter, parameters: dict[str, object]
) -> list[LiteralString]:
    """Return what the rows must meet, and add its values to *parameters*."""
    conditions: list[LiteralString] = [OWN]
    if wanted.id is not None:
        conditions.append(BY_ID)
        parameters["id"] = wanted.id
    if wanted.numbers is not None:
        keys = [number.e164 for number in wanted.numbers]
        conditions.append(BY_NUMBER if len(keys) == 1 else BY_NUMBERS)
        parameters |= {"e164": keys[0], "e164s": keys}
    if wanted.calling_code is not None:
        conditions.append(BY_CALLING_CODE)
        parameters["calling_code"] = int(wanted.calling_code)
    if wanted.campaign is not None:
        conditions.append(BY_CAMPAIGN)
        parameters |= campaigns.reference_parameters(wanted.campaign)
    if wanted.inserted is not None:
        conditions.append((NEVER, WITHIN, WITHIN_EITHER)[len(wanted.inserted)])
        for interval, name in zip(wanted.inserted, ("", "again_"), strict=False):
            parameters |= {
                f"{name}from": interval.start,
                f"{name}until": interval.end,
            }
    if wanted.reason is not None:
        conditions.append(_text_condition(REASON, wanted.reason))
        parameters["reason"] = wanted.reason
    if wanted.purpose is not None:
        conditions.append(_text_condition(PURPOSE, wanted.purpose))
        parameters["purpose"] = wanted.purpose
    return conditions


def _text_condition(
    conditions: tuple[LiteralString, LiteralString, LiteralString], wanted: TextFilter
) -> LiteralString:
    exactly, present, absent = conditions
    if isinstance(wanted, Blank):
        return present if wanted.present else absent
    return exactly
