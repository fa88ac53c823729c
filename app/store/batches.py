"""
Many entries of the ``dnc_entry`` table in one statement.

Every statement takes its rows in the order of the index that keeps entries unique, so
that two that meet wait for one another instead of deadlocking. Where they do all the
same (a third has gone another way), the whole transaction is to be tried again.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from psycopg import errors

from app.domain.entries import Draft, Entry
from app.domain.erasure import Names
from app.domain.guards import Leave
from app.domain.scopes import scope_of
from app.store.arrays import write_numbers, write_texts
from app.store.entries import COLUMNS, entry_from
from app.store.transactions import Open

# Where an entry is, its id and its number.
Place = tuple[str, int, int]

# Which list an entry is on, and of which number: e164, campaign, and for the purpose
# lists the purpose.
Key = tuple[int, int, str]

_WANTED = """
    unnest(
        %(e164s)s::text::bigint[], %(campaign_ids)s::text::bigint[],
        %(list_purposes)s::text[]
    ) AS wanted (e164, campaign_id, list_purpose)
"""

INSERT = """
    INSERT INTO dnc_entry (
        organisation_id, e164, calling_code, campaign_id, purpose, reason, evidence,
        inserted_at, valid_from, operation_id
    )
    SELECT %(organisation_id)s::bigint, e164, calling_code, campaign_id, purpose,
           reason, evidence::jsonb, (SELECT dnc_instant()), (SELECT dnc_instant()),
           %(operation_id)s::bigint
    FROM unnest(
        %(e164s)s::text::bigint[], %(calling_codes)s::text::smallint[],
        %(campaign_ids)s::text::bigint[], %(purposes)s::text[], %(reasons)s::text[],
        %(evidences)s::text[]
    ) AS draft (e164, calling_code, campaign_id, purpose, reason, evidence)
    ORDER BY e164, campaign_id, purpose COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING id, e164, campaign_id,
              CASE WHEN campaign_id = -1 THEN purpose ELSE '' END AS list_purpose
"""

# One after another in the order in which they are sent, each by the index of numbers:
# OFFSET keeps PostgreSQL from reading the whole organisation, which it takes for small.
# Shared: those who only keep them there do not wait for one another.
_KEEP = f"""
    SELECT wanted.e164, wanted.campaign_id, wanted.list_purpose
    FROM {_WANTED}
    CROSS JOIN LATERAL (
        SELECT id FROM dnc_entry
        WHERE organisation_id = %(organisation_id)s::bigint
          AND e164 = wanted.e164 AND campaign_id = wanted.campaign_id
          AND (CASE WHEN campaign_id = -1 THEN purpose ELSE '' END)
              = wanted.list_purpose
        OFFSET 0
        FOR SHARE {{others}}
    ) AS entry
"""

KEEP = _KEEP.format(others="")
KEEP_UNLOCKED = _KEEP.format(others="SKIP LOCKED")

LOCK = """
    SELECT entry.place::text, entry.id, wanted.e164
    FROM unnest(%(e164s)s::text::bigint[]) AS wanted (e164)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, id FROM dnc_entry
        WHERE organisation_id = %(organisation_id)s::bigint
          AND e164 = wanted.e164 AND campaign_id = %(campaign_id)s::bigint
        OFFSET 0
        FOR UPDATE
    ) AS entry
"""

# By where they are, which no index and no guess can make slow; they are locked there.
RELEASE = """
    DELETE FROM dnc_entry
    WHERE ctid = ANY(%(places)s::text::tid[])
      AND organisation_id = %(organisation_id)s
    RETURNING id
"""

FIND = f"""
    SELECT {COLUMNS}
    FROM unnest(%(e164s)s::text::bigint[]) AS wanted (e164)
    CROSS JOIN LATERAL (
        SELECT * FROM dnc_entry
        WHERE organisation_id = %(organisation_id)s::bigint
          AND e164 = wanted.e164 AND campaign_id = %(campaign_id)s::bigint
        OFFSET 0
    ) AS entry
    JOIN campaign ON campaign.organisation_id = %(organisation_id)s::bigint
                 AND campaign.id = entry.campaign_id
"""


class Crossed(Exception):
    """Others were in the way and have won; try the transaction again."""


def key_of(draft: Draft, campaign_id: int) -> Key:
    """Return what tells the entry of *draft* from every other."""
    on = scope_of(campaign_id, draft.purpose)
    return draft.number.e164, on.campaign_id, on.purpose or ""


def insert(tx: Open, operation_id: int, drafts: Mapping[Key, Draft]) -> dict[Key, int]:
    """
    Store *drafts* and return the ids of those that are new; raises Crossed.

    What is listed already stays as it is; so does, unseen, what somebody else has
    listed in the meantime.
    """
    with _crossing():
        rows = tx.fetch_rows(
            INSERT,
            {
                "organisation_id": tx.organisation_id,
                "operation_id": operation_id,
                "e164s": write_numbers(e164 for e164, _, _ in drafts),
                "campaign_ids": write_numbers(
                    campaign_id for _, campaign_id, _ in drafts
                ),
                "calling_codes": write_numbers(
                    draft.number.calling_code for draft in drafts.values()
                ),
                "purposes": [draft.purpose for draft in drafts.values()],
                "reasons": [draft.reason for draft in drafts.values()],
                "evidences": [
                    json.dumps(dict(draft.evidence)) if draft.evidence else None
                    for draft in drafts.values()
                ],
            },
        )
    return {(e164, on, purpose): new for new, e164, on, purpose in rows}


def keep(tx: Open, keys: Collection[Key]) -> set[Key]:
    """
    Return which of *keys* are listed; they stay so until the transaction ends.

    Waits for whoever is about to change one of them. Raises Crossed.
    """
    with _crossing():
        return set(tx.fetch_rows(KEEP, _key_parameters(tx, keys)))


def keep_unlocked(tx: Open, keys: Collection[Key]) -> set[Key]:
    """Do the same for those that nobody is about to change."""
    with _crossing():
        return set(tx.fetch_rows(KEEP_UNLOCKED, _key_parameters(tx, keys)))


def lock(tx: Open, e164s: Sequence[int], campaign_id: int) -> list[Place]:
    """
    Return where the numbers' entries on that list are, and keep others from them.

    The numbers must be in order. Raises Crossed.
    """
    parameters = {
        "organisation_id": tx.organisation_id,
        "e164s": write_numbers(e164s),
        "campaign_id": campaign_id,
    }
    with _crossing():
        return [(place, i, n) for place, i, n in tx.fetch_rows(LOCK, parameters)]


def release(tx: Open, leave: Leave, places: Sequence[Place]) -> None:
    """
    Take the entries that this transaction has locked there off their lists.

    Raises Crossed.
    """
    del leave  # to have it is enough
    quoted = write_texts(place for place, _, _ in places)
    parameters = {"organisation_id": tx.organisation_id, "places": quoted}
    with _crossing():
        if len(tx.fetch_rows(RELEASE, parameters)) < len(places):
            raise Crossed


def find(tx: Open, e164s: Sequence[int], campaign_id: int, names: Names) -> list[Entry]:
    """Return the entries of the numbers on that list, erased ones by *names*."""
    parameters = {
        "organisation_id": tx.organisation_id,
        "e164s": write_numbers(e164s),
        "campaign_id": campaign_id,
    }
    return [entry_from(row, names) for row in tx.fetch(FIND, parameters)]


def _key_parameters(tx: Open, keys: Collection[Key]) -> dict[str, object]:
    keys = sorted(keys)
    return {
        "organisation_id": tx.organisation_id,
        "e164s": write_numbers(e164 for e164, _, _ in keys),
        "campaign_ids": write_numbers(campaign_id for _, campaign_id, _ in keys),
        "list_purposes": [purpose for _, _, purpose in keys],
    }


@contextmanager
def _crossing() -> Iterator[None]:
    try:
        yield
    except (errors.DeadlockDetected, errors.SerializationFailure) as error:
        raise Crossed from error
