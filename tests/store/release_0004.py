"""
The release whose schema was 0004, as the database knew it: its statements, verbatim.

Newer schemas must serve it until every process is of the newer code. Never edit these
to suit a migration; when a release is no longer to be served, take a later one.
"""

import psycopg
from psycopg.rows import DictRow, dict_row

ENTER = """
    SELECT set_config('role', 'dncd_app', %(local)s),
           set_config('dncd.organisation', %(organisation_id)s, %(local)s),
           set_config('dncd.organisation_name', '', %(local)s),
           set_config('dncd.secret_hash', %(secret_hash)s, %(local)s),
           set_config('plan_cache_mode', 'force_generic_plan', %(local)s),
           set_config('enable_seqscan', 'off', %(local)s),
           set_config('enable_bitmapscan', 'off', %(local)s),
           set_config('enable_hashjoin', 'off', %(local)s),
           set_config('enable_mergejoin', 'off', %(local)s)
"""

FIND_BEARER = """
    SELECT token.id AS token_id, token.name AS token_name, token.grants,
           token.user_name,
           token.last_used_at IS NULL
           OR token.last_used_at < now() - interval '1 minute' AS use_is_news,
           organisation.id, organisation.name, organisation.time_zone,
           organisation.default_phone_code, organisation.editions,
           organisation.checking_enabled, organisation.evidence_required
    FROM token JOIN organisation ON organisation.id = token.organisation_id
    WHERE token.hash = %(hash)s
      AND token.revoked_at IS NULL
      AND (token.expires_at IS NULL OR token.expires_at > now())
"""

INSERT = """
    WITH list AS (
        SELECT meant.id FROM campaign AS meant
        WHERE meant.organisation_id = %(organisation_id)s
          AND (meant.id = %(campaign_number)s::bigint OR meant.uid = %(campaign_code)s)
        ORDER BY (meant.id = %(campaign_number)s::bigint) DESC NULLS LAST
        LIMIT 1
    ),
    started AS (SELECT nextval('operation_id_seq') AS id),
    added AS (
        INSERT INTO dnc_entry (
            organisation_id, e164, calling_code, campaign_id, purpose, reason,
            evidence, operation_id
        )
        SELECT %(organisation_id)s, %(e164)s, %(calling_code)s, list.id, %(purpose)s,
               %(reason)s, %(evidence)s::jsonb, started.id
        FROM list, started
        WHERE list.id <> -1 OR %(purpose_is_known)s OR EXISTS (
            SELECT FROM purpose
            WHERE organisation_id = %(organisation_id)s AND code = %(purpose)s
        )
        ON CONFLICT (
            organisation_id, e164, campaign_id,
            (CASE WHEN campaign_id = -1 THEN purpose ELSE '' END)
        ) DO NOTHING
        RETURNING id, operation_id
    ),
    recorded AS (
        INSERT INTO operation (
            organisation_id, id, token_id, actor, dialect, address, request_id,
            kind, why, touched
        )
        SELECT %(organisation_id)s, added.operation_id, %(token_id)s::bigint,
               %(actor)s, %(dialect)s, %(address)s::inet, %(request_id)s,
               %(kind)s, %(reason)s, 1
        FROM added
    )
    SELECT id FROM added
"""

APPEND = """
    INSERT INTO operation (
        organisation_id, id, token_id, actor, dialect, address, request_id,
        kind, why, touched
    )
    VALUES (
        %(organisation_id)s, coalesce(%(id)s, nextval('operation_id_seq')),
        %(token_id)s, %(actor)s, %(dialect)s, %(address)s::inet, %(request_id)s,
        %(kind)s, %(why)s, %(touched)s
    )
    RETURNING id
"""

ACT = "SELECT set_config('dncd.operation', %(operation_id)s, true)"

REVISE = """
    UPDATE dnc_entry
    SET e164 = %(e164)s, calling_code = %(calling_code)s,
        campaign_id = %(campaign_id)s, purpose = %(purpose)s, reason = %(reason)s,
        operation_id = %(operation_id)s, revised = true,
        valid_from = greatest(now(), valid_from + interval '1 microsecond')
    WHERE organisation_id = %(organisation_id)s AND id = %(id)s
"""

RELEASE = """
    DELETE FROM dnc_entry
    WHERE organisation_id = %(organisation_id)s
      AND e164 = %(e164)s
      AND campaign_id = %(campaign_id)s
      AND (CASE WHEN campaign_id = -1 THEN purpose ELSE '' END)
          = coalesce(%(purpose)s, '')
    RETURNING id
"""

CHECK = """
    SELECT NULL::bigint AS e164, NULL::bigint AS id, NULL::bigint AS campaign_id,
           NULL::text AS name, NULL::text AS purpose, NULL::text AS reason,
           now() AS instant, checking_enabled AS flag
    FROM organisation
    WHERE id = %(organisation_id)s::bigint
    UNION ALL
    SELECT entry.e164, entry.id, entry.campaign_id, list.name, entry.purpose,
           entry.reason, entry.inserted_at, NULL
    FROM unnest(%(e164s)s::text::bigint[]) AS asked (e164)
    CROSS JOIN LATERAL (
        SELECT * FROM dnc_entry
        WHERE organisation_id = %(organisation_id)s::bigint AND e164 = asked.e164
        OFFSET 0
    ) AS entry
    JOIN campaign AS list ON list.organisation_id = %(organisation_id)s::bigint
                         AND list.id = entry.campaign_id
"""

# How long that release waited for an answer before it said 503.
DEADLINE_MILLISECONDS = 1500


class Release:
    """A worker of that release, with one connection, for one organisation."""

    def __init__(self, url: str, organisation_id: int, secret_hash: bytes) -> None:
        """Connect to the database, which may be of that schema or of a newer one."""
        self.connection: psycopg.Connection[DictRow] = psycopg.connect(
            url,
            autocommit=True,
            row_factory=dict_row,
            options=f"-c statement_timeout={DEADLINE_MILLISECONDS}",
        )
        self._own = {"organisation_id": organisation_id}
        self._hash = secret_hash
        self._enter(local=False)

    def authenticate(self) -> bool:
        """Look the token up, as was done twice a second."""
        return bool(self._fetch(FIND_BEARER, hash=self._hash))

    def insert(self, e164: int) -> bool:
        """Put a number on the organisation's list; false if it is there already."""
        number = {"e164": e164, "calling_code": 1, "purpose": None, "evidence": None}
        on = {"campaign_number": 0, "campaign_code": "0", "purpose_is_known": False}
        return bool(
            self._fetch(INSERT, **number, **on, **self._caller("entry:suppressed"))
        )

    def check(self, e164: int) -> bool:
        """Tell whether the number is listed."""
        rows = self._fetch(CHECK, e164s=f"{{{e164}}}")
        assert any(row["flag"] for row in rows)
        return any(row["e164"] == e164 for row in rows)

    def revise(self, e164: int, reason: str) -> None:
        """Give the number's entry another reason."""
        [entry] = [row for row in self._fetch(CHECK, e164s=f"{{{e164}}}") if row["id"]]
        with self.connection.transaction():
            self._enter(local=True)
            operation_id = self._append("entry:revised")
            self._fetch(
                REVISE,
                id=entry["id"],
                e164=e164,
                calling_code=1,
                campaign_id=0,
                purpose=None,
                reason=reason,
                operation_id=operation_id,
            )

    def release(self, e164: int) -> bool:
        """Take a number off the list; false if it is not there."""
        with self.connection.transaction():
            self._enter(local=True)
            self._append("entry:released")
            return bool(self._fetch(RELEASE, e164=e164, campaign_id=0, purpose=None))

    def _append(self, kind: str) -> int:
        caller = {**self._caller(kind), "why": None, "touched": 1, "id": None}
        del caller["reason"]
        operation_id: int = self._fetch(APPEND, **caller)[0]["id"]
        self._fetch(ACT, operation_id=str(operation_id))
        return operation_id

    def _caller(self, kind: str) -> dict[str, object]:
        return {
            "token_id": None,
            "actor": "the release before",
            "dialect": "convoso",
            "address": "192.0.2.1",
            "request_id": "abc",
            "kind": kind,
            "reason": None,
        }

    def _enter(self, *, local: bool) -> None:
        organisation_id = str(self._own["organisation_id"])
        self.connection.execute(
            ENTER,
            {
                "local": local,
                "organisation_id": organisation_id,
                "secret_hash": self._hash.hex(),
            },
        )

    def _fetch(self, statement: str, **parameters: object) -> list[DictRow]:
        cursor = self.connection.execute(statement, {**self._own, **parameters})
        return cursor.fetchall() if cursor.description else []
