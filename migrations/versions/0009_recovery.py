"""Which code serves which schema, and what became of operations that were lost."""

from alembic import op

revision = "0009"
down_revision = "0008"

# The oldest code that works on this schema. Each migration says so of itself, and
# env.py writes it down; one that does not say is served by its own code alone.
serves_from = "0004"

REVISIONS = """
CREATE TABLE schema_revision (
    revision    text COLLATE "C" PRIMARY KEY,
    serves_from text COLLATE "C" NOT NULL CHECK (serves_from <= revision),
    reached_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON schema_revision TO dncd_app;
"""

# What an operator has confirmed: the anchor that the database did not hold, and what it
# did hold. Of an anchors' file every line in between is of operations that are lost.
RECOVERIES = """
CREATE TABLE recovery (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain            uuid NOT NULL,
    sequence         bigint NOT NULL,
    root             bytea NOT NULL CHECK (length(root) = 32),
    operations       bigint NOT NULL,
    anchored_at      timestamptz NOT NULL,
    found_sequence   bigint NOT NULL CHECK (found_sequence >= 0),
    found_operations bigint NOT NULL,
    found_at         timestamptz,
    confirmed_at     timestamptz NOT NULL DEFAULT now(),
    confirmed_by     text NOT NULL,
    UNIQUE (chain, sequence, root)
);
CREATE TRIGGER recovery_truncated BEFORE TRUNCATE ON recovery
    FOR EACH STATEMENT EXECUTE FUNCTION dnc_refuse_truncate();
GRANT SELECT, INSERT ON recovery TO dncd_app;
"""

# Ids that were given out and lost must mean nothing else later: who kept one would
# change another entry by it. Once for each anchor that was missed, however many
# processes miss it at once.
NOTICES = """
CREATE TABLE recovery_notice (
    chain      uuid NOT NULL,
    sequence   bigint NOT NULL,
    root       bytea NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chain, sequence, root)
);
GRANT SELECT ON recovery_notice TO dncd_app;

CREATE FUNCTION dncd_notice_loss(chain uuid, sequence bigint, root bytea)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    numbered regclass;
BEGIN
    INSERT INTO recovery_notice VALUES (chain, sequence, root) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOREACH numbered IN ARRAY ARRAY[
        'dnc_entry_id_seq', 'operation_id_seq', 'lead_id_seq', 'token_id_seq'
    ]::regclass[] LOOP
        PERFORM setval(numbered, nextval(numbered) + 100000000);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION dncd_notice_loss(uuid, bigint, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dncd_notice_loss(uuid, bigint, bytea) TO dncd_app;
"""

# What must hold before anything is told from here. Asked by whoever connects anew, for
# a database may have been put in the place of another.
REQUIRE = """
CREATE FUNCTION dncd_require(
    code text, anchored_chain uuid, anchored_sequence bigint, anchored_root bytea
) RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    current_revision text := (SELECT max(version_num) FROM alembic_version);
BEGIN
    IF current_revision IS DISTINCT FROM code AND (
        current_revision IS NULL
        OR current_revision COLLATE "C" < code COLLATE "C"
        OR NOT EXISTS (SELECT FROM schema_revision WHERE revision = current_revision)
        OR EXISTS (
            SELECT FROM schema_revision
            WHERE revision > code COLLATE "C"
              AND revision <= current_revision COLLATE "C"
              AND serves_from > code COLLATE "C"
        )
    ) THEN
        RAISE EXCEPTION 'the schema % is not served', current_revision;
    END IF;
    IF anchored_chain IS NOT NULL AND NOT EXISTS (
        SELECT FROM seal JOIN installation ON chain = anchored_chain
        WHERE sequence = anchored_sequence AND root = anchored_root
    ) AND NOT EXISTS (
        SELECT FROM recovery
        WHERE chain = anchored_chain
          AND (
              sequence = anchored_sequence AND root = anchored_root
              OR sequence > anchored_sequence AND found_sequence < anchored_sequence
          )
    ) THEN
        RAISE EXCEPTION 'operations that were anchored are missing';
    END IF;
    RETURN true;
END $$;
"""

# They are of no organisation.
FORCED = """
CREATE POLICY everybody ON {table} USING (true);
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Create the tables."""
    for statements in (REVISIONS, RECOVERIES, NOTICES, REQUIRE):
        op.execute(statements)
    for table in ("schema_revision", "recovery", "recovery_notice"):
        op.execute(FORCED.format(table=table))
