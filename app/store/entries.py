"""
The ``dnc_entry`` table.

Every function takes the caller's transaction, and most run one statement in it; more
where the number may have been erased meanwhile. What ends here goes to
``dnc_entry_past`` by a trigger that no statement can avoid.
"""

from typing import LiteralString

from psycopg import errors
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.domain import phone
from app.domain.access import Caller
from app.domain.entries import Draft, Entry
from app.domain.erasure import NO_NAMES, Names, StandIns
from app.domain.events import OperationKind
from app.domain.guards import Leave
from app.domain.phone import PhoneNumber
from app.domain.scopes import Scope, known_purpose
from app.store import campaigns, operations, organisations
from app.store.arrays import write_numbers
from app.store.transactions import Tx

COLUMNS: LiteralString = """
    entry.id, entry.e164, entry.calling_code, entry.campaign_id, entry.purpose,
    entry.reason, entry.inserted_at, entry.valid_from, entry.evidence,
    campaign.uid AS campaign_uid, campaign.name AS campaign_name,
    campaign.type AS campaign_type
"""

ENTRIES: LiteralString = """
    dnc_entry AS entry
    JOIN campaign ON campaign.organisation_id = entry.organisation_id
                 AND campaign.id = entry.campaign_id
"""

# The entry and its operation in one statement: either both are there or neither is.
INSERT = f"""
    WITH list AS ({campaigns.MEANT}),
    started AS (SELECT nextval('operation_id_seq') AS id, dnc_instant() AS at),
    added AS (
        INSERT INTO dnc_entry (
            organisation_id, e164, calling_code, campaign_id, purpose, reason,
            evidence, inserted_at, valid_from, operation_id
        )
        SELECT %(organisation_id)s, %(e164)s, %(calling_code)s, list.id, %(purpose)s,
               %(reason)s, %(evidence)s::jsonb, started.at, started.at, started.id
        FROM list, started
        WHERE list.id <> -1 OR %(purpose_is_known)s OR EXISTS (
            SELECT FROM purpose
            WHERE organisation_id = %(organisation_id)s AND code = %(purpose)s
        )
        ON CONFLICT (
            organisation_id, e164, campaign_id,
            (CASE WHEN campaign_id = -1 THEN purpose ELSE '' END)
        ) DO NOTHING
        RETURNING id, operation_id, valid_from
    ),
    recorded AS (
        INSERT INTO operation (
            organisation_id, id, at, token_id, actor, dialect, address, request_id,
            kind, why, touched
        )
        SELECT %(organisation_id)s, added.operation_id, added.valid_from,
               %(token_id)s::bigint,
               %(actor)s, %(dialect)s, %(address)s::inet, %(request_id)s,
               %(kind)s, %(reason)s, 1
        FROM added
    )
    SELECT id FROM added
"""

FIND = f"""
    SELECT {COLUMNS} FROM {ENTRIES}
    WHERE entry.organisation_id = %(organisation_id)s
      AND entry.e164 = %(e164)s
      AND entry.campaign_id = %(campaign_id)s
      AND (CASE WHEN entry.campaign_id = -1 THEN entry.purpose ELSE '' END)
          = coalesce(%(purpose)s, '')
"""

LOCK = f"""
    SELECT {COLUMNS} FROM {ENTRIES}
    WHERE entry.organisation_id = %(organisation_id)s AND entry.id = %(id)s
    FOR UPDATE OF entry
"""

FIND_AND_LOCK = f"{FIND} FOR UPDATE OF entry"

# When the version begins is for a trigger to say, whoever revises.
REVISE = """
    UPDATE dnc_entry
    SET e164 = %(e164)s, calling_code = %(calling_code)s,
        campaign_id = %(campaign_id)s, purpose = %(purpose)s, reason = %(reason)s,
        operation_id = %(operation_id)s, revised = true
    WHERE organisation_id = %(organisation_id)s AND id = %(id)s
"""

# With what tells whether it may stand under another key as well, from one snapshot.
RELEASE = """
    WITH gone AS (
        DELETE FROM dnc_entry
        WHERE organisation_id = %(organisation_id)s
          AND e164 = ANY(%(e164s)s::text::bigint[])
          AND campaign_id = %(campaign_id)s
          AND (CASE WHEN campaign_id = -1 THEN purpose ELSE '' END)
              = coalesce(%(purpose)s, '')
        RETURNING id
    )
    SELECT (SELECT count(*) FROM gone) AS released,
           erasure_key AS erasure_mark
    FROM organisation WHERE id = %(organisation_id)s
"""

RELEASE_BY_ID = """
    DELETE FROM dnc_entry
    WHERE organisation_id = %(organisation_id)s AND id = %(id)s
"""

IS_FOREIGN = "SELECT dnc_entry_is_foreign(%(id)s) AS is_foreign"


class Collision(Exception):
    """Another entry has the number on that list already, or is about to have it."""


def insert(tx: Tx, caller: Caller, draft: Draft) -> int | None:
    """
    Store *draft* with its operation, and return the new entry's id.

    None if nothing was stored: the list holds the number already, or the organisation
    has no such list.
    """
    rows = tx.fetch(
        INSERT,
        {
            "organisation_id": tx.organisation_id,
            **_number_parameters(draft.number),
            **campaigns.reference_parameters(draft.campaign),
            "purpose": draft.purpose,
            "purpose_is_known": bool(draft.purpose and known_purpose(draft.purpose)),
            "reason": draft.reason,
            "evidence": Jsonb(dict(draft.evidence)) if draft.evidence else None,
            **operations.caller_parameters(caller),
            "kind": OperationKind.ENTRY_SUPPRESSED,
        },
    )
    return rows[0]["id"] if rows else None


def find(tx: Tx, number: PhoneNumber, scope: Scope) -> Entry | None:
    """Return the entry of *number* on that list, or None."""
    rows = tx.fetch(FIND, _key_parameters(tx, number, scope))
    return entry_from(rows[0]) if rows else None


def lock_number(
    tx: Tx, number: PhoneNumber, scope: Scope, stand_ins: StandIns
) -> list[Entry]:
    """
    Return the entries of *number* on that list and keep others from changing them.

    There is one, or also one by which the number was erased. *tx* must not read
    everything from one snapshot. Raises ErasureKeyWrong.
    """
    parameters = _key_parameters(tx, number, scope)
    rows = tx.fetch(FIND_AND_LOCK, parameters)
    # Read afterwards, to know of whoever has erased it while this waited.
    names = stand_ins.require_names(organisations.erasure_mark(tx), [number.e164])
    for stand_in in names:
        rows += tx.fetch(FIND_AND_LOCK, {**parameters, "e164": stand_in})
    return [entry_from(row, names) for row in rows]


def lock(tx: Tx, entry_id: int) -> Entry | None:
    """Return the entry with that id and keep others from changing it, or None."""
    rows = tx.fetch(LOCK, {"organisation_id": tx.organisation_id, "id": entry_id})
    return entry_from(rows[0]) if rows else None


def revise(tx: Tx, operation_id: int, entry: Entry) -> None:
    """Make *entry*, with its id, the current version; raises Collision."""
    try:
        tx.fetch(
            REVISE,
            {
                "organisation_id": tx.organisation_id,
                "id": entry.id,
                **_number_parameters(entry.number),
                "campaign_id": entry.campaign.id,
                "purpose": entry.purpose,
                "reason": entry.reason,
                "operation_id": operation_id,
            },
        )
    except (errors.UniqueViolation, errors.DeadlockDetected) as error:
        raise Collision from error


def release(
    tx: Tx, leave: Leave, number: PhoneNumber, scope: Scope, stand_ins: StandIns
) -> int:
    """
    Take *number* off that list, also where it was erased; return how many entries.

    *tx* must not read everything from one snapshot. Raises ErasureKeyWrong.
    """
    del leave  # to have it is enough
    released = 0
    parameters = _key_parameters(tx, number, scope)
    # Whoever has just erased it, while this waited, is seen when it is looked again.
    for again in (False, True, True):
        names = stand_ins.names([number.e164])
        keys = [number.e164, *(names or ())]
        row = tx.fetch(RELEASE, {**parameters, "e164s": write_numbers(keys)})[0]
        released += row["released"]
        missed = stand_ins.missed(row["erasure_mark"], names)
        if not missed and (released or again):
            break
    return released


def release_locked(tx: Tx, leave: Leave, entry_id: int) -> None:
    """Take the entry with that id, which this transaction has locked, off its list."""
    del leave  # to have it is enough
    tx.fetch(RELEASE_BY_ID, {"organisation_id": tx.organisation_id, "id": entry_id})


def is_foreign(tx: Tx, entry_id: int) -> bool:
    """Whether another organisation has an entry with that id."""
    answer: bool = tx.fetch(IS_FOREIGN, {"id": entry_id})[0]["is_foreign"]
    return answer


def entry_from(row: DictRow, names: Names = NO_NAMES) -> Entry:
    """
    Return the entry in a row of COLUMNS.

    Of a number that was erased, and by *names* is one that was asked about, with it.
    """
    e164 = row["e164"]
    return Entry(
        id=row["id"],
        number=phone.from_e164(names.get(e164, e164), row["calling_code"]),
        campaign=campaigns.campaign_of(row),
        purpose=row["purpose"],
        reason=row["reason"],
        inserted_at=row["inserted_at"],
        valid_from=row["valid_from"],
        evidence=row["evidence"],
    )


def _number_parameters(number: PhoneNumber) -> dict[str, object]:
    return {"e164": number.e164, "calling_code": int(number.calling_code)}


def _key_parameters(tx: Tx, number: PhoneNumber, scope: Scope) -> dict[str, object]:
    return {
        "organisation_id": tx.organisation_id,
        "e164": number.e164,
        "campaign_id": scope.campaign_id,
        "purpose": scope.purpose,
    }
