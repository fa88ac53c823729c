"""Kept totals: how many entries match, without counting them."""

from alembic import op

revision = "0002"
down_revision = "0001"

# A facet is what searches tell entries apart by: the list, the calling code, whether
# there is a purpose and a reason; in detail also which. It is a hash of 64 bits.
FACETS = """
CREATE FUNCTION dnc_facet(
    campaign_id bigint, calling_code smallint, purpose text, reason text
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashint8extended(
    campaign_id,
    calling_code * 4 + (purpose IS NOT NULL)::int * 2 + (reason IS NOT NULL)::int
);

CREATE FUNCTION dnc_detail_facet(
    campaign_id bigint, calling_code smallint, purpose text, reason text
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended(
    coalesce(reason, ''),
    hashtextextended(
        coalesce(purpose, ''), dnc_facet(campaign_id, calling_code, purpose, reason)
    )
);

ALTER TABLE dnc_entry
    ADD COLUMN facet bigint NOT NULL GENERATED ALWAYS AS (
        dnc_facet(campaign_id, calling_code, purpose, reason)
    ) STORED,
    ADD COLUMN detail_facet bigint NOT NULL GENERATED ALWAYS AS (
        dnc_detail_facet(campaign_id, calling_code, purpose, reason)
    ) STORED;
-- So that ids in their order can be told apart by facet without looking at the entries.
ALTER TABLE dnc_entry DROP CONSTRAINT dnc_entry_pkey;
ALTER TABLE dnc_entry
    ADD PRIMARY KEY (organisation_id, id) INCLUDE (facet, detail_facet);
CREATE INDEX dnc_entry_facet_id ON dnc_entry (organisation_id, facet, id);
CREATE INDEX dnc_entry_detail_facet_id ON dnc_entry (organisation_id, detail_facet, id);

CREATE TABLE dnc_entry_facet (
    organisation_id bigint NOT NULL,
    detailed        boolean NOT NULL,
    facet           bigint NOT NULL,
    campaign_id     bigint NOT NULL,
    calling_code    smallint NOT NULL,
    has_purpose     boolean NOT NULL,
    has_reason      boolean NOT NULL,
    purpose         text,
    reason          text,
    PRIMARY KEY (organisation_id, detailed, facet)
);
CREATE INDEX dnc_entry_facet_reason ON dnc_entry_facet (organisation_id, reason)
    WHERE detailed;
CREATE INDEX dnc_entry_facet_purpose ON dnc_entry_facet (organisation_id, purpose)
    WHERE detailed;
"""

# Totals of all time, of each quarter of an hour (whole quarters make up the days of
# every time zone) and of each second. The ids bound those of the entries counted; they
# are never narrowed. And totals of each block of ids, by which a page that begins far
# behind is found.
TALLIES = """
CREATE TABLE dnc_entry_tally (
    organisation_id bigint NOT NULL,
    grain           text NOT NULL CHECK (grain IN ('all', 'quarter', 'second')),
    detailed        boolean NOT NULL,
    period          timestamptz NOT NULL,
    facet           bigint NOT NULL,
    n               bigint NOT NULL,
    first_id        bigint,
    last_id         bigint,
    PRIMARY KEY (organisation_id, grain, detailed, period, facet)
) WITH (fillfactor = 80);

CREATE FUNCTION dnc_entry_block_of(id bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN id / 16384;

CREATE TABLE dnc_entry_block (
    organisation_id bigint NOT NULL,
    detailed        boolean NOT NULL,
    block           bigint NOT NULL,
    facet           bigint NOT NULL,
    n               bigint NOT NULL,
    PRIMARY KEY (organisation_id, detailed, block, facet) INCLUDE (n)
) WITH (fillfactor = 80);

CREATE TABLE dnc_entry_tally_delta (
    organisation_id bigint NOT NULL,
    second          timestamptz NOT NULL,
    block           bigint NOT NULL,
    campaign_id     bigint NOT NULL,
    calling_code    smallint NOT NULL,
    purpose         text,
    reason          text,
    n               bigint NOT NULL,
    first_id        bigint,
    last_id         bigint
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 2000
);
CREATE INDEX dnc_entry_tally_delta_own ON dnc_entry_tally_delta (organisation_id);
"""

# Deltas go into the tallies some thousand at a time. One transaction does so at once
# for an organisation, the others leave it to that one and never wait.
FOLD = """
CREATE FUNCTION dnc_entry_fold(folded bigint, most int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(725103, folded::int) THEN
        RETURN;
    END IF;
    WITH taken AS (
        DELETE FROM dnc_entry_tally_delta
        WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM dnc_entry_tally_delta
            WHERE organisation_id = folded LIMIT most
        ))
        RETURNING *,
            dnc_facet(campaign_id, calling_code, purpose, reason) AS coarse,
            dnc_detail_facet(campaign_id, calling_code, purpose, reason) AS detail
    ),
    coarse AS (
        INSERT INTO dnc_entry_facet
        SELECT DISTINCT folded, false, coarse, campaign_id, calling_code,
               purpose IS NOT NULL, reason IS NOT NULL, NULL::text, NULL::text
        FROM taken
        ON CONFLICT DO NOTHING
    ),
    detailed AS (
        INSERT INTO dnc_entry_facet
        SELECT DISTINCT folded, true, detail, campaign_id, calling_code,
               purpose IS NOT NULL, reason IS NOT NULL, purpose, reason
        FROM taken
        ON CONFLICT DO NOTHING
    ),
    blocks AS (
        INSERT INTO dnc_entry_block AS kept
        SELECT folded, detailed, block, facet, sum(n)
        FROM (
            SELECT false AS detailed, block, coarse AS facet, n FROM taken
            UNION ALL
            SELECT true, block, detail, n FROM taken
        ) AS told
        GROUP BY detailed, block, facet
        ORDER BY detailed, block, facet
        ON CONFLICT (organisation_id, detailed, block, facet) DO UPDATE
        SET n = kept.n + excluded.n
    ),
    counted AS (
        SELECT 'all' AS grain, false AS detailed, '-infinity'::timestamptz AS period,
               coarse AS facet, n, first_id, last_id
        FROM taken
        UNION ALL
        SELECT 'all', true, '-infinity', detail, n, first_id, last_id FROM taken
        UNION ALL
        SELECT 'quarter', true, date_bin('15 minutes', second, 'epoch'), detail, n,
               first_id, last_id
        FROM taken
        UNION ALL
        SELECT 'second', true, second, detail, n, first_id, last_id FROM taken
    )
    INSERT INTO dnc_entry_tally AS kept
    SELECT folded, grain, detailed, period, facet, sum(n), min(first_id), max(last_id)
    FROM counted
    GROUP BY grain, detailed, period, facet
    ORDER BY grain, detailed, period, facet
    ON CONFLICT (organisation_id, grain, detailed, period, facet) DO UPDATE
    SET n = kept.n + excluded.n,
        first_id = least(kept.first_id, excluded.first_id),
        last_id = greatest(kept.last_id, excluded.last_id);
END $$;
"""

# Each fold takes what some hundred statements have told; a statement that tells more
# than that, such as an import of opt-outs of many days, folds it itself.
TELL = """
CREATE FUNCTION dnc_entry_tell_tally() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own bigint := nullif(current_setting('dncd.organisation', true), '')::bigint;
    told int := 0;
BEGIN
    IF tg_op <> 'DELETE' THEN
        INSERT INTO dnc_entry_tally_delta
        SELECT organisation_id, date_trunc('second', inserted_at),
               dnc_entry_block_of(id), campaign_id, calling_code, purpose, reason,
               count(*), min(id), max(id)
        FROM added GROUP BY 1, 2, 3, 4, 5, 6, 7;
        GET DIAGNOSTICS told = ROW_COUNT;
    END IF;
    IF tg_op <> 'INSERT' THEN
        INSERT INTO dnc_entry_tally_delta
        SELECT organisation_id, date_trunc('second', inserted_at),
               dnc_entry_block_of(id), campaign_id, calling_code, purpose, reason,
               -count(*), NULL, NULL
        FROM ended GROUP BY 1, 2, 3, 4, 5, 6, 7;
    END IF;
    IF own IS NOT NULL AND (told > 1000 OR random() < 0.002) THEN
        PERFORM dnc_entry_fold(own, greatest(5000, 2 * told));
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION dnc_entry_tell_tally() FROM PUBLIC;
REVOKE ALL ON FUNCTION dnc_entry_fold(bigint, int) FROM PUBLIC;

CREATE TRIGGER dnc_entry_told_insert AFTER INSERT ON dnc_entry
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION dnc_entry_tell_tally();
CREATE TRIGGER dnc_entry_told_update AFTER UPDATE ON dnc_entry
    REFERENCING NEW TABLE AS added OLD TABLE AS ended
    FOR EACH STATEMENT EXECUTE FUNCTION dnc_entry_tell_tally();
CREATE TRIGGER dnc_entry_told_delete AFTER DELETE ON dnc_entry
    REFERENCING OLD TABLE AS ended
    FOR EACH STATEMENT EXECUTE FUNCTION dnc_entry_tell_tally();
"""

# An owner who is no superuser sees every organisation's entries only while it is not
# forced to look as one of them.
FILL = """
ALTER TABLE dnc_entry NO FORCE ROW LEVEL SECURITY;
INSERT INTO dnc_entry_tally_delta
SELECT organisation_id, date_trunc('second', inserted_at), dnc_entry_block_of(id),
       campaign_id, calling_code, purpose, reason, count(*), min(id), max(id)
FROM dnc_entry GROUP BY 1, 2, 3, 4, 5, 6, 7;
ALTER TABLE dnc_entry FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
    own bigint;
BEGIN
    FOR own IN SELECT DISTINCT organisation_id FROM dnc_entry_tally_delta LOOP
        PERFORM dnc_entry_fold(own, 2147483647);
    END LOOP;
END $$;
"""

OWN_ROWS = """
GRANT SELECT ON {table} TO dncd_app;
CREATE POLICY own ON {table} USING (organisation_id = dncd_organisation());
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Add facets and totals, and count what is there."""
    for statements in (FACETS, TALLIES, FOLD, TELL, FILL):
        op.execute(statements)
    for table in (
        "dnc_entry_facet",
        "dnc_entry_tally",
        "dnc_entry_block",
        "dnc_entry_tally_delta",
    ):
        op.execute(OWN_ROWS.format(table=table))
