"""When a list changed, whose an entry is, and whether it must be proven."""

from alembic import op

revision = "0003"
down_revision = "0002"

# The last release, or revision, of what was on a list. An entry that a revision moved
# to another list ended on the old one; the new one has an older id with a newer
# version, which only the few that were ever revised can be. Null costs no room.
CHANGES = """
CREATE INDEX dnc_entry_past_list
    ON dnc_entry_past (organisation_id, campaign_id, valid_until);
ALTER TABLE dnc_entry ADD COLUMN revised boolean CHECK (revised);
CREATE INDEX dnc_entry_revised ON dnc_entry (organisation_id, campaign_id, valid_from)
    WHERE revised;
"""

# Row-level security hides other organisations' entries, and holds for an owner who is
# no superuser: the function looks as each organisation in turn, by its primary key,
# and tells nothing but yes or no.
FOREIGN = """
CREATE FUNCTION dnc_entry_is_foreign(wanted bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own bigint := nullif(current_setting('dncd.organisation', true), '')::bigint;
    newest bigint;
    is_foreign boolean := false;
BEGIN
    SELECT last_value INTO newest FROM organisation_id_seq;
    FOR other IN 1..newest LOOP
        CONTINUE WHEN other = own;
        PERFORM set_config('dncd.organisation', other::text, true);
        IF EXISTS (
            SELECT FROM dnc_entry WHERE organisation_id = other AND id = wanted
        ) THEN
            is_foreign := true;
            EXIT;
        END IF;
    END LOOP;
    PERFORM set_config('dncd.organisation', coalesce(own::text, ''), true);
    RETURN is_foreign;
END $$;
REVOKE ALL ON FUNCTION dnc_entry_is_foreign(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dnc_entry_is_foreign(bigint) TO dncd_app;
"""

# PostgreSQL must not take an organisation for as small as most are, nor a number for
# one that many have: it would read a long list whole to find a number on it.
STATISTICS = """
ALTER TABLE dnc_entry ALTER COLUMN organisation_id SET (n_distinct = 1),
                      ALTER COLUMN e164 SET (n_distinct = -1);
"""

EVIDENCE = """
ALTER TABLE organisation ADD COLUMN evidence_required boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    """Add an index, two columns and a question."""
    for statements in (CHANGES, FOREIGN, STATISTICS, EVIDENCE):
        op.execute(statements)
