"""
The kept totals: how many entries match a filter, and between which ids they are.

Entries are told apart by their facet: the list, the calling code, whether there is a
purpose and a reason; in detail also which. Triggers keep for each facet how many
entries it has, altogether and by the time at which they were inserted; what they have
not yet folded into ``dnc_entry_tally`` is added from ``dnc_entry_tally_delta``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from app.domain.dates import Interval
from app.domain.entries import EntryFilter
from app.domain.texts import Blank, TextFilter
from app.store import campaigns
from app.store.transactions import Tx

QUARTER_SECONDS = 15 * 60

FIND: LiteralString = """
    SELECT facet, sum(n)::bigint AS n, min(first_id) AS first_id,
           max(last_id) AS last_id
    FROM (
        SELECT facet.facet, tally.n, tally.first_id, tally.last_id
        FROM dnc_entry_facet AS facet
        JOIN dnc_entry_tally AS tally
            ON tally.organisation_id = facet.organisation_id
           AND tally.detailed = facet.detailed AND tally.facet = facet.facet
        WHERE facet.detailed = %(detailed)s AND tally.grain = %(grain)s AND {kept}
        UNION ALL
        SELECT {hash}, delta.n, delta.first_id, delta.last_id
        FROM dnc_entry_tally_delta AS delta
        WHERE {fresh}
    ) AS counted
    GROUP BY facet
    HAVING sum(n) > 0
"""

# Block by block until there are enough, not all of them.
SKIP: LiteralString = """
    SELECT block, (upto - n)::bigint AS before
    FROM (
        SELECT block, sum(n) AS n, sum(sum(n)) OVER (ORDER BY block) AS upto
        FROM (
            SELECT block, n FROM dnc_entry_block AS kept
            WHERE {own} AND detailed = %(detailed)s
              AND facet = ANY(%(facets)s::bigint[])
            UNION ALL
            SELECT block, n FROM dnc_entry_tally_delta AS delta
            WHERE {fresh} AND {hash} = ANY(%(facets)s::bigint[])
        ) AS counted
        GROUP BY block
    ) AS summed
    WHERE upto > %(offset)s
    ORDER BY block LIMIT 1
"""

# As many ids as dnc_entry_block_of counts together.
BLOCK_IDS = 16384

# How a row, of whichever table, is told to be one that is looked for.
OWN: LiteralString = "{row}.organisation_id = %(organisation_id)s"
CAMPAIGN: LiteralString = f"{{row}}.campaign_id = ({campaigns.MEANT})"
CALLING_CODE: LiteralString = "{row}.calling_code = %(calling_code)s"
WITHIN: LiteralString = "{row}.{time} >= %(from)s AND {row}.{time} < %(until)s"
WITHIN_EITHER: LiteralString = (
    "({row}.{time} >= %(from)s AND {row}.{time} < %(until)s"
    " OR {row}.{time} >= %(again_from)s AND {row}.{time} < %(again_until)s)"
)
ALWAYS: LiteralString = "{row}.{time} = '-infinity'"

Texts = tuple[LiteralString, LiteralString, LiteralString]

# Exactly that text, any, none.
REASON: Texts = (
    "{row}.reason = %(reason)s",
    "{row}.reason IS NOT NULL",
    "{row}.reason IS NULL",
)
PURPOSE: Texts = (
    "{row}.purpose = %(purpose)s",
    "{row}.purpose IS NOT NULL",
    "{row}.purpose IS NULL",
)
FACET_REASON: Texts = (REASON[0], "{row}.has_reason", "NOT {row}.has_reason")
FACET_PURPOSE: Texts = (PURPOSE[0], "{row}.has_purpose", "NOT {row}.has_purpose")


@dataclass(frozen=True, slots=True)
class Tally:
    """How many entries of one facet match, none of them outside of these ids."""

    facet: int
    count: int
    first_id: int
    last_id: int


def is_detailed(wanted: EntryFilter) -> bool:
    """Whether *wanted* tells apart what only the detailed facets do."""
    return (
        wanted.inserted is not None
        or isinstance(wanted.reason, str)
        or isinstance(wanted.purpose, str)
    )


def find(tx: Tx, wanted: EntryFilter) -> list[Tally]:
    """Return a tally of every facet that *wanted*, which names no number, allows."""
    kept = [
        *dimensions(wanted, "facet", reason=FACET_REASON, purpose=FACET_PURPOSE),
        OWN.format(row="tally"),
        times(wanted, "tally", "period") or ALWAYS.format(row="tally", time="period"),
    ]
    fresh = dimensions(wanted, "delta")
    if within := times(wanted, "delta", "second"):
        fresh.append(within)
    statement = FIND.format(
        kept=" AND ".join(kept),
        fresh=" AND ".join(fresh),
        hash=_hash(wanted),
    )
    rows = tx.fetch(
        statement,
        {
            **parameters_of(tx, wanted),
            "detailed": is_detailed(wanted),
            "grain": _grain(wanted.inserted),
        },
    )
    return [
        Tally(row["facet"], row["n"], row["first_id"], row["last_id"]) for row in rows
    ]


def skip(
    tx: Tx, wanted: EntryFilter, found: Sequence[Tally], offset: int
) -> tuple[int, int]:
    """
    Return from which id on to look for the entry at *offset*, and how many to pass.

    *wanted* names no number and no time, and matches more than *offset* entries, which
    *found* counts.
    """
    statement = SKIP.format(
        own=OWN.format(row="kept"),
        fresh=" AND ".join(dimensions(wanted, "delta")),
        hash=_hash(wanted),
    )
    block = tx.fetch(
        statement,
        {
            **parameters_of(tx, wanted),
            "detailed": is_detailed(wanted),
            "facets": [tally.facet for tally in found],
            "offset": offset,
        },
    )[0]
    return block["block"] * BLOCK_IDS, offset - block["before"]


def dimensions(
    wanted: EntryFilter,
    row: LiteralString,
    *,
    reason: Texts = REASON,
    purpose: Texts = PURPOSE,
) -> list[LiteralString]:
    """Return what a row must meet by what facets tell apart."""
    conditions = [OWN]
    if wanted.campaign is not None:
        conditions.append(CAMPAIGN)
    if wanted.calling_code is not None:
        conditions.append(CALLING_CODE)
    if wanted.reason is not None:
        conditions.append(_text(reason, wanted.reason))
    if wanted.purpose is not None:
        conditions.append(_text(purpose, wanted.purpose))
    return [condition.format(row=row) for condition in conditions]


def times(
    wanted: EntryFilter, row: LiteralString, time: LiteralString
) -> LiteralString | None:
    """Return what a row must meet by its time, or None if at any."""
    if wanted.inserted is None:
        return None
    condition = WITHIN if len(wanted.inserted) == 1 else WITHIN_EITHER
    return condition.format(row=row, time=time)


def parameters_of(tx: Tx, wanted: EntryFilter) -> dict[str, object]:
    """Return the values that the conditions compare with."""
    parameters: dict[str, object] = {
        "organisation_id": tx.organisation_id,
        "calling_code": wanted.calling_code and int(wanted.calling_code),
        "reason": wanted.reason if isinstance(wanted.reason, str) else None,
        "purpose": wanted.purpose if isinstance(wanted.purpose, str) else None,
    }
    if wanted.campaign is not None:
        parameters |= campaigns.reference_parameters(wanted.campaign)
    for interval, name in zip(wanted.inserted or (), ("", "again_"), strict=False):
        parameters |= {f"{name}from": interval.start, f"{name}until": interval.end}
    return parameters


def _text(conditions: Texts, wanted: TextFilter) -> LiteralString:
    exactly, present, absent = conditions
    if isinstance(wanted, Blank):
        return present if wanted.present else absent
    return exactly


def _hash(wanted: EntryFilter) -> LiteralString:
    """Return how a delta's facet is found, of the kind that *wanted* needs."""
    name: LiteralString = "dnc_detail_facet" if is_detailed(wanted) else "dnc_facet"
    return f"{name}(delta.campaign_id, delta.calling_code, delta.purpose, delta.reason)"


def _grain(intervals: Sequence[Interval] | None) -> str:
    """Return the coarsest grain that *intervals* are made up of."""
    if intervals is None:
        return "all"
    borders = {end for each in intervals for end in (each.start, each.end)}
    if all(border.timestamp() % QUARTER_SECONDS == 0 for border in borders):
        return "quarter"
    return "second"
