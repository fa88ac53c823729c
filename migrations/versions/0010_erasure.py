"""Persons who are forgotten while they stay suppressed, and what is kept how long."""

from alembic import op

revision = "0010"
down_revision = "0009"

# As far as its tables go; who has erased a number goes back to none that knows of no
# stand-ins (docs/privacy.md).
serves_from = "0004"

# A forgotten number is kept as a keyed hash of it, which is negative, so that it is no
# number, and unique where the number was. Whether an organisation has any of them is
# told where every question looks already: by a digest of the key that made them. What
# is there already fits either constraint: it need not be looked at.
STAND_INS = """
ALTER TABLE organisation ADD COLUMN erasure_key text,
    ADD COLUMN retention_months int CHECK (retention_months >= 60);
ALTER TABLE dnc_entry DROP CONSTRAINT dnc_entry_e164_check,
    ADD CONSTRAINT dnc_entry_e164_check
        CHECK (e164 < 0 OR e164 BETWEEN 10 AND 999999999999999) NOT VALID;
"""

# The role of the application cannot change the past. What these functions let it do is
# to forget what is personal of it, and nothing else. What is forgotten is sealed by the
# digest that is kept in its place; one that is there stays.
FORGET = """
CREATE FUNCTION dnc_forget_versions(
    ids bigint[], begins timestamptz[], stand_ins bigint[], digests bytea[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
    own bigint := dncd_organisation();
    forgotten bigint;
BEGIN
    IF EXISTS (SELECT FROM unnest(stand_ins) AS stand_in WHERE stand_in >= 0) THEN
        RAISE EXCEPTION 'what stands for a number is none';
    END IF;
    WITH gone AS (
        UPDATE dnc_entry_past AS past
        SET e164 = wanted.stand_in, reason = NULL, evidence = NULL
        FROM unnest(ids, begins, stand_ins, digests)
            AS wanted (id, valid_from, stand_in, digest)
        WHERE past.organisation_id = own AND past.id = wanted.id
          AND past.valid_from = wanted.valid_from
        RETURNING past.id, past.operation_id, wanted.digest
    ),
    kept AS (
        INSERT INTO erased_part (organisation_id, entry_id, operation_id, personal)
        SELECT own, id, operation_id, digest FROM gone
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) INTO forgotten FROM gone;
    RETURN forgotten;
END $$;

CREATE FUNCTION dnc_forget_why(ids bigint[], digests bytea[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own bigint := dncd_organisation();
    forgotten bigint;
BEGIN
    WITH gone AS (
        UPDATE operation AS done SET why = NULL, answer = NULL
        FROM unnest(ids, digests) AS wanted (id, digest)
        WHERE done.organisation_id = own AND done.id = wanted.id
        RETURNING done.id, wanted.digest
    ),
    kept AS (
        INSERT INTO erased_part (organisation_id, entry_id, operation_id, personal)
        SELECT own, 0, id, digest FROM gone
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) INTO forgotten FROM gone;
    RETURN forgotten;
END $$;

-- Kept totals name the reasons that they are of, also those that nothing has any more.
CREATE FUNCTION dnc_forget_reasons(reasons text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own bigint := dncd_organisation();
    empty bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock(725103, own::int);
    PERFORM dnc_entry_fold(own, 2147483647);
    SELECT array_agg(found.facet) INTO empty
    FROM (
        SELECT kept.facet FROM dnc_entry_facet AS kept
        WHERE kept.organisation_id = own AND kept.detailed
          AND kept.reason = ANY(reasons)
          AND NOT EXISTS (
              SELECT FROM dnc_entry_tally AS tally
              WHERE tally.organisation_id = own AND tally.grain = 'all'
                AND tally.detailed AND tally.facet = kept.facet AND tally.n <> 0
          )
    ) AS found;
    DELETE FROM dnc_entry_tally WHERE organisation_id = own AND detailed
        AND facet = ANY(empty);
    DELETE FROM dnc_entry_block WHERE organisation_id = own AND detailed
        AND facet = ANY(empty);
    DELETE FROM dnc_entry_facet WHERE organisation_id = own AND detailed
        AND facet = ANY(empty);
END $$;

CREATE FUNCTION dnc_forget_leads(number bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    DELETE FROM lead WHERE organisation_id = dncd_organisation() AND e164 = number;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END $$;

REVOKE ALL ON FUNCTION
    dnc_forget_versions(bigint[], timestamptz[], bigint[], bytea[]),
    dnc_forget_why(bigint[], bytea[]), dnc_forget_reasons(text[]),
    dnc_forget_leads(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dnc_forget_versions(bigint[], timestamptz[], bigint[], bytea[]),
    dnc_forget_why(bigint[], bytea[]), dnc_forget_reasons(text[]),
    dnc_forget_leads(bigint) TO dncd_app;
"""


def upgrade() -> None:
    """Add columns and functions; no row is looked at."""
    for statements in (STAND_INS, FORGET):
        op.execute(statements)
