"""
Looking for entries: a page of them, and the exact number of all that match.

Of one number there are few entries: they are counted with the page, in one statement.
For any other filter the total is kept (see ``tallies``), which also tells where the
page is to be found. Page and total come from one snapshot.
"""

from collections.abc import Mapping, Sequence
from typing import LiteralString

from psycopg.rows import DictRow

from app.domain.entries import Entry, EntryFilter, Page
from app.domain.erasure import NO_NAMES, Names, StandIns
from app.store import tallies
from app.store.arrays import write_numbers
from app.store.entries import COLUMNS, ENTRIES, entry_from
from app.store.tallies import Tally
from app.store.transactions import Tx

COUNTED: LiteralString = """
    SELECT total.n AS total,
           (
               SELECT erasure_key FROM organisation WHERE id = %(organisation_id)s
           ) AS erasure_mark,
           page.*
    FROM (SELECT count(*) AS n FROM {table} WHERE {conditions}) AS total
    LEFT JOIN (
        SELECT {columns} FROM {entries}
        WHERE {conditions}
        ORDER BY entry.id
        OFFSET %(offset)s LIMIT %(limit)s
    ) AS page ON true
    ORDER BY page.id
"""

# The ids first, from an index alone; then the entries that they are of.
PAGE: LiteralString = """
    SELECT {columns}
    FROM (
        {ids}
        ORDER BY id OFFSET %(offset)s LIMIT %(limit)s
    ) AS page
    JOIN dnc_entry AS entry
        ON entry.organisation_id = %(organisation_id)s AND entry.id = page.id
    JOIN campaign ON campaign.organisation_id = entry.organisation_id
                 AND campaign.id = entry.campaign_id
    ORDER BY entry.id
"""

# Each facet's first ones, in order, from the index of facets.
IDS_BY_FACET: LiteralString = """
    SELECT found.id
    FROM unnest(
        %(facets)s::bigint[], %(firsts)s::text::bigint[],
        %(lasts)s::text::bigint[]
    ) AS tally (facet, first_id, last_id)
    CROSS JOIN LATERAL (
        SELECT entry.id FROM dnc_entry AS entry
        WHERE entry.organisation_id = %(organisation_id)s
          AND entry.{facet} = tally.facet
          AND entry.id >= tally.first_id AND entry.id <= tally.last_id
          AND {conditions}
        ORDER BY entry.id
        LIMIT %(upto)s
    ) AS found
"""

# All ids in their order, and those of a few facets: from the primary key, which holds
# the facets too. To look for each facet in its index would need a sort.
IDS_IN_ORDER: LiteralString = """
    SELECT entry.id FROM dnc_entry AS entry
    WHERE entry.id >= %(first)s AND entry.id <= %(last)s AND {conditions}
"""

OF_FACETS: LiteralString = "entry.{facet} + 0 = ANY(%(facets)s::bigint[])"

BY_ID: LiteralString = "entry.id = %(id)s"
BY_NUMBERS: LiteralString = "entry.e164 = ANY(%(e164s)s)"

# To begin a scan of an index costs as much as so many of its rows, and so many times
# more than in order a row that is then sorted.
SCAN_COST = 20
SORT_COST = 2

# To pass so many ids takes longer than to ask for the totals of their blocks.
FAR = 5000

# More are not told apart sooner than by looking at the entry.
FEW_FACETS = 32


def search(tx: Tx, wanted: EntryFilter, page: Page) -> tuple[list[Entry], int]:
    """
    Return the entries of *page*, oldest id first, and how many match in all.

    *tx* must read everything from one snapshot.
    """
    if wanted.inserted == ():
        return [], 0
    found = tallies.find(tx, wanted)
    total = sum(tally.count for tally in found)
    if page.offset >= total:
        return [], total
    return read_page(tx, wanted, page, found), total


def names_few(wanted: EntryFilter) -> bool:
    """Whether there can only be few entries that match, so that they are counted."""
    return wanted.id is not None or wanted.numbers is not None


def search_few(
    tx: Tx, wanted: EntryFilter, page: Page, stand_ins: StandIns
) -> tuple[list[Entry], int]:
    """
    Do the same where *wanted* names numbers or an id, in one statement.

    An erased number is found by its stand-in. Raises ErasureKeyWrong.
    """
    if wanted.inserted == ():
        return [], 0
    statement = COUNTED.format(
        columns=COLUMNS,
        table="dnc_entry AS entry",
        entries=ENTRIES,
        conditions=" AND ".join(conditions_of(wanted)),
    )
    parameters = parameters_of(tx, wanted, page)
    return fetch_few(tx, statement, parameters, wanted, stand_ins)


def fetch_few(
    tx: Tx,
    statement: LiteralString,
    parameters: Mapping[str, object],
    wanted: EntryFilter,
    stand_ins: StandIns,
) -> tuple[list[Entry], int]:
    """Return what COUNTED finds, of erased numbers too; raises ErasureKeyWrong."""
    numbers = [number.e164 for number in wanted.numbers or ()]

    def ask(names: Names) -> list[DictRow]:
        return tx.fetch(statement, {**parameters, "e164s": [*numbers, *names]})

    names = stand_ins.names(numbers)
    rows = ask(names or NO_NAMES)
    while stand_ins.missed(rows[0]["erasure_mark"], names):
        names = stand_ins.names(numbers) or NO_NAMES
        rows = ask(names)
    found = [
        entry_from(row, names or NO_NAMES) for row in rows if row["id"] is not None
    ]
    return found, rows[0]["total"]


def conditions_of(wanted: EntryFilter) -> list[LiteralString]:
    """Return what a row, named entry, must meet to be what is looked for."""
    conditions = tallies.dimensions(wanted, "entry")
    if wanted.id is not None:
        conditions.append(BY_ID)
    if wanted.numbers is not None:
        conditions.append(BY_NUMBERS)
    if within := tallies.times(wanted, "entry", "inserted_at"):
        conditions.append(within)
    return conditions


def parameters_of(tx: Tx, wanted: EntryFilter, page: Page) -> dict[str, object]:
    """Return the values that the conditions and a page need, but for numbers."""
    return {
        **tallies.parameters_of(tx, wanted),
        "id": wanted.id,
        "offset": page.offset,
        "limit": page.limit,
    }


def read_page(
    tx: Tx, wanted: EntryFilter, page: Page, found: Sequence[Tally]
) -> list[Entry]:
    """Return the entries of *page*, given the tallies of all that match."""
    if wanted.inserted is None and page.offset >= FAR:
        start, passed = tallies.skip(tx, wanted, found, page.offset)
        found = _from(start, page.offset - passed, found)
        page = Page(passed, page.limit)
    first = min(tally.first_id for tally in found)
    last = max(tally.last_id for tally in found)
    facet: LiteralString = "detail_facet" if tallies.is_detailed(wanted) else "facet"
    within = tallies.times(wanted, "entry", "inserted_at")
    if _is_in_order_cheaper(wanted, page, found, last - first + 1):
        ids = IDS_IN_ORDER
        if wanted == EntryFilter():
            conditions = [tallies.OWN.format(row="entry")]
        elif len(found) <= FEW_FACETS:
            conditions = [tallies.OWN.format(row="entry"), OF_FACETS]
        else:
            conditions = tallies.dimensions(wanted, "entry")
    else:
        conditions = ["true"]
        ids = IDS_BY_FACET
    if within:
        conditions.append(within)
    statement = PAGE.format(
        columns=COLUMNS,
        ids=ids.format(
            facet=facet, conditions=" AND ".join(conditions).format(facet=facet)
        ),
    )
    rows = tx.fetch(
        statement,
        {
            **tallies.parameters_of(tx, wanted),
            "facets": [tally.facet for tally in found],
            "firsts": write_numbers(tally.first_id for tally in found),
            "lasts": write_numbers(tally.last_id for tally in found),
            "first": first,
            "last": last,
            "offset": page.offset,
            "limit": page.limit,
            "upto": page.offset + page.limit,
        },
    )
    return [entry_from(row) for row in rows]


def _from(start: int, skipped: int, found: Sequence[Tally]) -> list[Tally]:
    """Return *found* without what is before that id, where *skipped* entries are."""
    total = sum(tally.count for tally in found)
    return [
        # How many of each facet are left is guessed, to choose the cheaper way.
        Tally(
            facet=tally.facet,
            count=1 + tally.count * (total - skipped) // total,
            first_id=max(tally.first_id, start),
            last_id=tally.last_id,
        )
        for tally in found
        if tally.last_id >= start
    ]


def _is_in_order_cheaper(
    wanted: EntryFilter, page: Page, found: Sequence[Tally], span: int
) -> bool:
    """Whether all ids are read sooner than those of each facet up to the page's end."""
    if wanted == EntryFilter():
        return True
    upto = page.offset + page.limit
    total = sum(tally.count for tally in found)
    sorted_rows = sum(min(tally.count, upto) for tally in found)
    by_facet = SORT_COST * sorted_rows + SCAN_COST * len(found)
    in_order = min(upto, total) * span / total + SCAN_COST
    return in_order < by_facet
