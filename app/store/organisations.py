"""The ``organisation`` table, and what each organisation starts with."""

from typing import LiteralString

from psycopg import errors
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.domain.access import Organisation
from app.domain.errors import OrganisationExists, OrganisationUnknown
from app.store.transactions import Tx

# Counting organisations would need to see them all, which nobody may; whether their
# numbering has begun tells the same.
NONE_YET = "SELECT NOT is_called AS none_yet FROM organisation_id_seq"

LOCK_FIRST_START = "SELECT pg_advisory_xact_lock(725102)"

NEXT_ID = "SELECT nextval('organisation_id_seq') AS id"

NEWEST_ID = "SELECT last_value AS newest FROM organisation_id_seq"

ADD = """
    INSERT INTO organisation (
        id, name, time_zone, default_phone_code, editions, evidence_required
    )
    VALUES (
        %(organisation_id)s, %(name)s, %(time_zone)s, %(default_phone_code)s,
        %(editions)s::jsonb, %(evidence_required)s
    )
    RETURNING id
"""

ADD_BUILT_IN_CAMPAIGNS = """
    INSERT INTO campaign (organisation_id, id, uid, name)
    VALUES (%(organisation_id)s, 0, '0', 'Global DNC'),
           (%(organisation_id)s, -1, '-1', 'Purpose DNC')
"""

ADD_LEAD_STATUSES = """
    INSERT INTO lead_status (organisation_id, code, name)
    VALUES (%(organisation_id)s, 'NEW', 'New'),
           (%(organisation_id)s, 'ACTIVE', 'Active'),
           (%(organisation_id)s, 'DNC', 'Do not call')
"""

SWITCH_CHECKING = """
    UPDATE organisation SET checking_enabled = %(enabled)s
    WHERE id = %(organisation_id)s
"""

SWITCH_EVIDENCE = """
    UPDATE organisation SET evidence_required = %(required)s
    WHERE id = %(organisation_id)s
"""

ERASURE_MARK = """
    SELECT erasure_key AS mark
    FROM organisation WHERE id = %(organisation_id)s
"""

_FIND: LiteralString = """
    SELECT id, name, time_zone, default_phone_code, editions, checking_enabled,
           evidence_required
    FROM organisation WHERE
"""

FIND: LiteralString = f"{_FIND} name = %(name)s"

FIND_OWN: LiteralString = f"{_FIND} id = %(organisation_id)s"


def ids(tx: Tx) -> range:
    """Return the ids that an organisation may have."""
    return range(1, tx.fetch(NEWEST_ID, {})[0]["newest"] + 1)


def erasure_mark(tx: Tx) -> str | None:
    """Return by which key erased numbers have their stand-ins; None without any."""
    mark: str | None
    mark = tx.fetch(ERASURE_MARK, {"organisation_id": tx.organisation_id})[0]["mark"]
    return mark


def none_yet(tx: Tx) -> bool:
    """
    Whether no organisation was ever made here.

    The answer holds until the transaction ends: others that ask wait for it.
    """
    tx.fetch(LOCK_FIRST_START, {})
    answer: bool = tx.fetch(NONE_YET, {})[0]["none_yet"]
    return answer


def next_id(tx: Tx) -> int:
    """Return the id of an organisation that is about to be added."""
    organisation_id: int = tx.fetch(NEXT_ID, {})[0]["id"]
    return organisation_id


def add(tx: Tx, organisation: Organisation) -> None:
    """Store *organisation* with its built-in lists; raises OrganisationExists."""
    parameters = {
        "organisation_id": organisation.id,
        "name": organisation.name,
        "time_zone": organisation.time_zone,
        "default_phone_code": organisation.default_phone_code,
        "editions": Jsonb(dict(organisation.editions)),
        "evidence_required": organisation.evidence_required,
    }
    try:
        tx.fetch(ADD, parameters)
    except errors.UniqueViolation as error:
        message = f"there is an organisation {organisation.name!r} already"
        raise OrganisationExists(message) from error
    tx.fetch(ADD_BUILT_IN_CAMPAIGNS, parameters)
    tx.fetch(ADD_LEAD_STATUSES, parameters)


def switch_checking(tx: Tx, *, enabled: bool) -> None:
    """Let checks answer by the list, or not."""
    parameters = {"organisation_id": tx.organisation_id, "enabled": enabled}
    tx.fetch(SWITCH_CHECKING, parameters)


def switch_evidence(tx: Tx, *, required: bool) -> None:
    """Let entries be added only with evidence, or also without."""
    parameters = {"organisation_id": tx.organisation_id, "required": required}
    tx.fetch(SWITCH_EVIDENCE, parameters)


def require(tx: Tx, name: str) -> Organisation:
    """Return the organisation of that name; raises OrganisationUnknown."""
    rows = tx.fetch(FIND, {"name": name})
    if not rows:
        message = f"there is no organisation {name!r}"
        raise OrganisationUnknown(message)
    return organisation_from(rows[0])


def find_own(tx: Tx) -> Organisation | None:
    """Return the organisation that *tx* sees, or None if it was never made."""
    rows = tx.fetch(FIND_OWN, {"organisation_id": tx.organisation_id})
    return organisation_from(rows[0]) if rows else None


def organisation_from(row: DictRow) -> Organisation:
    """Return the organisation in a row that names its columns as the table does."""
    return Organisation(
        id=row["id"],
        name=row["name"],
        time_zone=row["time_zone"],
        default_phone_code=row["default_phone_code"],
        editions=row["editions"],
        checking_enabled=row["checking_enabled"],
        evidence_required=row["evidence_required"],
    )
