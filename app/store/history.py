"""Versions of entries, the operations that made and ended them, and old ones back."""

from dataclasses import dataclass
from typing import LiteralString

from psycopg.rows import DictRow

from app.domain.entries import Page
from app.domain.erasure import NO_NAMES, Names, StandIns
from app.domain.errors import EntryRepeated
from app.domain.history import Operation, Subject, Version
from app.store.entries import entry_from
from app.store.transactions import Tx

ENTRIES_OF_NUMBERS: LiteralString = """
    SELECT id FROM dnc_entry
    WHERE organisation_id = %(organisation_id)s AND e164 = ANY(%(e164s)s)
    UNION
    SELECT id FROM dnc_entry_past
    WHERE organisation_id = %(organisation_id)s AND e164 = ANY(%(e164s)s)
"""

ENTRY: LiteralString = "SELECT %(id)s::bigint AS id"

_VERSION: LiteralString = """
    version.id, version.e164, version.calling_code, version.campaign_id,
    version.purpose, version.reason, version.evidence, version.inserted_at,
    version.valid_from, version.operation_id
"""

_OPERATION: LiteralString = """
    {name}.id AS {name}_id, {name}.kind AS {name}_kind, {name}.at AS {name}_at,
    {name}.actor AS {name}_actor, {name}_token.name AS {name}_token,
    {name}.dialect AS {name}_dialect, host({name}.address) AS {name}_address,
    {name}.request_id AS {name}_request_id, {name}.why AS {name}_why,
    {name}.touched AS {name}_touched
"""

_JOIN_OPERATION: LiteralString = """
    LEFT JOIN operation AS {name} ON {name}.organisation_id = %(organisation_id)s
                                 AND {name}.id = version.{column}
    LEFT JOIN token AS {name}_token ON {name}_token.organisation_id
                                       = %(organisation_id)s
                                   AND {name}_token.id = {name}.token_id
"""

# In the order in which they began; of two that began together the older entry's first.
FIND: LiteralString = f"""
    WITH subject AS MATERIALIZED ({{subject}}),
    found AS MATERIALIZED (
        SELECT {_VERSION}, NULL::timestamptz AS valid_until, NULL::bigint AS ended_by
        FROM subject
        JOIN dnc_entry AS version ON version.organisation_id = %(organisation_id)s
                                 AND version.id = subject.id
        UNION ALL
        SELECT {_VERSION}, version.valid_until, version.ended_by_operation
        FROM subject
        JOIN dnc_entry_past AS version ON version.organisation_id = %(organisation_id)s
                                      AND version.id = subject.id
    )
    SELECT total.n AS total,
           (
               SELECT erasure_key FROM organisation WHERE id = %(organisation_id)s
           ) AS erasure_mark,
           page.*
    FROM (SELECT count(*) AS n FROM found) AS total
    LEFT JOIN (
        SELECT version.*, campaign.uid AS campaign_uid, campaign.name AS campaign_name,
               campaign.type AS campaign_type,
               {_OPERATION.format(name="made")},
               {_OPERATION.format(name="ended")}
        FROM (
            SELECT * FROM found ORDER BY valid_from, id
            OFFSET %(offset)s LIMIT %(limit)s
        ) AS version
        JOIN campaign ON campaign.organisation_id = %(organisation_id)s
                     AND campaign.id = version.campaign_id
        {_JOIN_OPERATION.format(name="made", column="operation_id")}
        {_JOIN_OPERATION.format(name="ended", column="ended_by")}
    ) AS page ON true
    ORDER BY page.valid_from, page.id
"""

# Listed since a revision of an entry as old as its id, so that its list is seen to
# have changed now. It begins when the last version has ended, or later.
RESTORE = """
    WITH ended AS (
        SELECT * FROM dnc_entry_past
        WHERE organisation_id = %(organisation_id)s AND id = %(id)s
        ORDER BY valid_from DESC
        LIMIT 1
    ),
    added AS (
        INSERT INTO dnc_entry (
            organisation_id, id, e164, calling_code, campaign_id, purpose, reason,
            evidence, inserted_at, valid_from, operation_id, revised
        )
        SELECT organisation_id, id, e164, calling_code, campaign_id, purpose, reason,
               evidence, inserted_at, greatest(dnc_instant(), valid_until),
               %(operation_id)s::bigint, true
        FROM ended
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT ended.valid_from FROM added, ended
"""

# What ended while the one above waited would have been the one to bring back.
IS_LAST = """
    SELECT NOT EXISTS (
        SELECT FROM dnc_entry_past
        WHERE organisation_id = %(organisation_id)s AND id = %(id)s
          AND valid_from > %(valid_from)s
    ) AS is_last
"""

# The last version of the entry, whether it is listed, and what has its place if not.
FIND_ENDED = """
    SELECT past.id IS NOT NULL AS has_ended, past.reason,
           EXISTS (
               SELECT FROM dnc_entry
               WHERE organisation_id = %(organisation_id)s AND id = wanted.id
           ) AS is_listed,
           (
               SELECT id FROM dnc_entry
               WHERE organisation_id = %(organisation_id)s AND e164 = past.e164
                 AND campaign_id = past.campaign_id
                 AND (CASE WHEN campaign_id = -1 THEN purpose ELSE '' END)
                     = (CASE WHEN past.campaign_id = -1 THEN past.purpose ELSE '' END)
           ) AS in_the_way
    FROM (SELECT %(id)s::bigint AS id) AS wanted
    LEFT JOIN LATERAL (
        SELECT id, e164, campaign_id, purpose, reason FROM dnc_entry_past
        WHERE organisation_id = %(organisation_id)s AND id = wanted.id
        ORDER BY valid_from DESC
        LIMIT 1
    ) AS past ON true
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What an entry ended as; *in_the_way* has its place on the list now."""

    reason: str | None
    in_the_way: int | None


class Crossed(Exception):
    """The entry ended once more meanwhile; try the transaction again."""


def find(
    tx: Tx, subject: Subject, page: Page, stand_ins: StandIns
) -> tuple[list[Version], int]:
    """
    Return a page of the versions of every entry of *subject*, and how many there are.

    Of an entry that ever had one of the numbers also the versions with others; of what
    was erased of it, by its stand-in. Raises ErasureKeyWrong.
    """
    of_entry = subject.entry_id is not None
    statement = FIND.format(subject=ENTRY if of_entry else ENTRIES_OF_NUMBERS)
    numbers = [number.e164 for number in subject.numbers]

    def ask(names: Names) -> list[DictRow]:
        return tx.fetch(
            statement,
            {
                "organisation_id": tx.organisation_id,
                "id": subject.entry_id,
                "e164s": [*numbers, *names],
                "offset": page.offset,
                "limit": page.limit,
            },
        )

    names = stand_ins.names(numbers)
    rows = ask(names or NO_NAMES)
    while stand_ins.missed(rows[0]["erasure_mark"], names):
        names = stand_ins.names(numbers) or NO_NAMES
        rows = ask(names)
    found = [_version(row, names or NO_NAMES) for row in rows if row["id"] is not None]
    return found, rows[0]["total"]


def restore(tx: Tx, operation_id: int, entry_id: int) -> None:
    """
    List the entry with that id as it was when it ended; raises Crossed.

    So it does if it has not ended, or its place is taken.
    """
    key = {"organisation_id": tx.organisation_id, "id": entry_id}
    restored = tx.fetch(RESTORE, {**key, "operation_id": operation_id})
    if not restored:
        raise Crossed
    version = {"valid_from": restored[0]["valid_from"]}
    if not tx.fetch(IS_LAST, key | version)[0]["is_last"]:
        raise Crossed


def find_ended(tx: Tx, entry_id: int) -> Ended | None:
    """
    Return how the entry with that id ended, or None if the organisation had none.

    Raises EntryRepeated if it is listed.
    """
    key = {"organisation_id": tx.organisation_id, "id": entry_id}
    row = tx.fetch(FIND_ENDED, key)[0]
    if row["is_listed"]:
        raise EntryRepeated(entry_id)
    return Ended(row["reason"], row["in_the_way"]) if row["has_ended"] else None


def _version(row: DictRow, names: Names) -> Version:
    return Version(
        entry=entry_from(row, names),
        valid_until=row["valid_until"],
        made_by=_operation(row, "made"),
        ended_by=_operation(row, "ended"),
    )


def _operation(row: DictRow, name: str) -> Operation | None:
    if row[f"{name}_id"] is None:
        return None
    return Operation(
        id=row[f"{name}_id"],
        kind=row[f"{name}_kind"],
        at=row[f"{name}_at"],
        actor=row[f"{name}_actor"],
        token=row[f"{name}_token"],
        dialect=row[f"{name}_dialect"],
        address=row[f"{name}_address"],
        request_id=row[f"{name}_request_id"],
        why=row[f"{name}_why"],
        touched=row[f"{name}_touched"],
    )
