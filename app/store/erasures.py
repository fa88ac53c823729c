"""
Forgetting: what is personal is replaced or removed, what blocks stays.

Every function takes the caller's transaction. The past is changed by functions of the
database alone, which can forget and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg.rows import DictRow

from app.domain.errors import ErasureKeyWrong
from app.store.transactions import Open

# Every question from the commit on is asked under stand-ins as well.
CLAIM = """
    UPDATE organisation SET erasure_key = %(mark)s
    WHERE id = %(organisation_id)s
      AND (erasure_key IS NULL OR erasure_key = %(mark)s)
    RETURNING id
"""

# What was erased before, and is listed again since, is merged with that. All at one
# instant: what is listed after it is hidden neither beside that nor without it.
HIDE = """
    WITH listed AS (
        SELECT entry.id, erased.id IS NOT NULL AS was_erased
        FROM dnc_entry AS entry
        LEFT JOIN dnc_entry AS erased
               ON erased.organisation_id = %(organisation_id)s
              AND erased.e164 = %(stand_in)s
              AND erased.campaign_id = entry.campaign_id
              AND (CASE WHEN erased.campaign_id = -1 THEN erased.purpose ELSE '' END)
                  = (CASE WHEN entry.campaign_id = -1 THEN entry.purpose ELSE '' END)
        WHERE entry.organisation_id = %(organisation_id)s AND entry.e164 = %(e164)s
    ),
    merged AS (
        DELETE FROM dnc_entry
        WHERE organisation_id = %(organisation_id)s AND e164 = %(e164)s
          AND id IN (SELECT id FROM listed WHERE was_erased)
        RETURNING id
    ),
    hidden AS (
        UPDATE dnc_entry
        SET e164 = %(stand_in)s, reason = NULL, evidence = NULL,
            operation_id = %(operation_id)s, revised = true,
            valid_from = greatest(now(), valid_from + interval '1 microsecond')
        WHERE organisation_id = %(organisation_id)s AND e164 = %(e164)s
          AND id IN (SELECT id FROM listed WHERE NOT was_erased)
        RETURNING id
    )
    SELECT id FROM merged UNION ALL SELECT id FROM hidden
"""

_VERSION = """
    SELECT id, valid_from, valid_until, e164, reason, evidence::text AS evidence,
           operation_id, ended_by_operation
    FROM dnc_entry_past
"""

FIND_OF_NUMBER = f"""
    {_VERSION}
    WHERE organisation_id = %(organisation_id)s AND e164 = %(e164)s
"""

# By the index of lists, from where the last piece ended.
FIND_OLD = f"""
    {_VERSION}
    WHERE organisation_id = %(organisation_id)s AND campaign_id = %(campaign_id)s
      AND valid_until >= %(until)s
      AND (valid_until, id, valid_from) > (%(until)s, %(id)s, %(begin)s)
      AND valid_until < now() - make_interval(months => %(months)s)
      AND (e164 > 0 OR reason IS NOT NULL OR evidence IS NOT NULL)
    ORDER BY valid_until, id, valid_from
    LIMIT %(limit)s
"""

# What made these versions, and what took them off their lists, if it did nothing else.
FIND_WHY = """
    SELECT id, why, answer::text AS answer FROM operation
    WHERE organisation_id = %(organisation_id)s AND touched = 1
      AND why IS NOT NULL
      AND (
          id = ANY(%(made)s::bigint[])
          OR id = ANY(%(ended)s::bigint[]) AND kind = 'entry:released'
      )
"""

FORGET_VERSIONS = """
    SELECT dnc_forget_versions(
        %(ids)s::bigint[], %(begins)s::timestamptz[], %(stand_ins)s::bigint[],
        %(digests)s::bytea[]
    ) AS forgotten
"""

FORGET_WHY = """
    SELECT dnc_forget_why(%(ids)s::bigint[], %(digests)s::bytea[]) AS forgotten
"""

FORGET_LEADS = "SELECT dnc_forget_leads(%(e164)s) AS forgotten"

FORGET_REASONS = "SELECT dnc_forget_reasons(%(reasons)s::text[])"

# What waits to be released is told by a digest of the number, which is no secret.
FORGET_REQUESTS = """
    DELETE FROM release_request
    WHERE organisation_id = %(organisation_id)s AND entry_ids && %(ids)s::bigint[]
"""

SET_RETENTION = """
    UPDATE organisation SET retention_months = %(months)s
    WHERE id = %(organisation_id)s
"""

FIND_RETENTION = """
    SELECT retention_months AS months FROM organisation
    WHERE id = %(organisation_id)s
"""


# Where a piece of the past ends: until when a version was, which, and from when.
Place = tuple[datetime, int, datetime]

_EVER = datetime(1, 1, 1, tzinfo=UTC)
BEGINNING: Place = (_EVER, 0, _EVER)


@dataclass(frozen=True, slots=True)
class Past:
    """A version that ended, with what is personal of it; evidence as JSON."""

    id: int
    valid_from: datetime
    valid_until: datetime
    e164: int
    reason: str | None
    evidence: str | None
    operation_id: int
    ended_by_operation: int

    @property
    def place(self) -> Place:
        """Where it stands among the versions of its list."""
        return self.valid_until, self.id, self.valid_from


def claim(tx: Open, mark: str) -> None:
    """Tell that there are stand-ins, made with that key; raises ErasureKeyWrong."""
    if not tx.fetch(CLAIM, {"organisation_id": tx.organisation_id, "mark": mark}):
        raise ErasureKeyWrong


def hide(tx: Open, operation_id: int, e164: int, stand_in: int) -> int:
    """Keep the entries of a number under its stand-in; return how many there were."""
    parameters = {
        "organisation_id": tx.organisation_id,
        "operation_id": operation_id,
        "e164": e164,
        "stand_in": stand_in,
    }
    return len(tx.fetch(HIDE, parameters))


def find_of_number(tx: Open, e164: int) -> list[Past]:
    """Return the versions of a number that have ended."""
    parameters = {"organisation_id": tx.organisation_id, "e164": e164}
    return [_past(row) for row in tx.fetch(FIND_OF_NUMBER, parameters)]


def find_old(
    tx: Open, campaign_id: int, months: int, after: Place, limit: int
) -> list[Past]:
    """Return versions of that list that ended before so many months, oldest first."""
    until, entry_id, begin = after
    parameters = {
        "organisation_id": tx.organisation_id,
        "campaign_id": campaign_id,
        "months": months,
        "until": until,
        "id": entry_id,
        "begin": begin,
        "limit": limit,
    }
    return [_past(row) for row in tx.fetch(FIND_OLD, parameters)]


def find_why(tx: Open, versions: Sequence[Past]) -> list[tuple[int, str, str | None]]:
    """Return the operations of those versions alone, why, and what was answered."""
    parameters = {
        "organisation_id": tx.organisation_id,
        "made": [version.operation_id for version in versions],
        "ended": [version.ended_by_operation for version in versions],
    }
    rows = tx.fetch(FIND_WHY, parameters)
    return [(row["id"], row["why"], row["answer"]) for row in rows]


def forget_versions(
    tx: Open,
    versions: Sequence[Past],
    stand_ins: Sequence[int],
    digests: Sequence[bytes],
) -> int:
    """Replace what is personal of past versions; return of how many."""
    parameters = {
        "ids": [version.id for version in versions],
        "begins": [version.valid_from for version in versions],
        "stand_ins": list(stand_ins),
        "digests": list(digests),
    }
    forgotten: int = tx.fetch(FORGET_VERSIONS, parameters)[0]["forgotten"]
    return forgotten


def forget_why(tx: Open, ids: Sequence[int], digests: Sequence[bytes]) -> int:
    """Replace why those operations were carried out; return of how many."""
    parameters = {"ids": list(ids), "digests": list(digests)}
    forgotten: int = tx.fetch(FORGET_WHY, parameters)[0]["forgotten"]
    return forgotten


def forget_leads(tx: Open, e164: int) -> int:
    """Remove the leads of a number; return how many."""
    forgotten: int = tx.fetch(FORGET_LEADS, {"e164": e164})[0]["forgotten"]
    return forgotten


def forget_requests(tx: Open, versions: Sequence[Past]) -> None:
    """Let nobody approve what was asked for about these versions' entries."""
    ids = sorted({version.id for version in versions})
    parameters = {"organisation_id": tx.organisation_id, "ids": ids}
    tx.fetch(FORGET_REQUESTS, parameters)


def forget_reasons(tx: Open, versions: Sequence[Past]) -> None:
    """Let the kept totals no longer name reasons that nothing has any more."""
    reasons = {version.reason for version in versions if version.reason is not None}
    if reasons:
        tx.fetch(FORGET_REASONS, {"reasons": sorted(reasons)})


def set_retention(tx: Open, months: int | None) -> None:
    """Keep the past for so many months, or for ever."""
    parameters = {"organisation_id": tx.organisation_id, "months": months}
    tx.fetch(SET_RETENTION, parameters)


def find_retention(tx: Open) -> int | None:
    """Return for how many months the past is kept; None is for ever."""
    rows = tx.fetch(FIND_RETENTION, {"organisation_id": tx.organisation_id})
    months: int | None = rows[0]["months"]
    return months


def _past(row: DictRow) -> Past:
    return Past(**row)
