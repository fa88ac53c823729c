"""Seals: a chain over every operation, which nobody can rewrite unseen."""

from alembic import op

revision = "0006"
down_revision = "0005"

# One row. The key itself is never here: its fingerprint tells a wrong one.
INSTALLATION = """
CREATE TABLE installation (
    single          boolean PRIMARY KEY DEFAULT true CHECK (single),
    chain           uuid NOT NULL DEFAULT gen_random_uuid(),
    key_fingerprint text NOT NULL CHECK (key_fingerprint ~ '^[0-9a-f]{32}$')
);
GRANT SELECT, INSERT ON installation TO dncd_app;
CREATE POLICY everybody ON installation USING (true);
"""

# Which entries an operation made or ended, by the range of their ids (or the ids, where
# they lie far apart): where to look for them, no more. One row a statement; a row
# without ids is an operation that is to be sealed, whatever else it did.
REACH = """
CREATE TABLE operation_reach (
    organisation_id bigint NOT NULL,
    operation_id    bigint NOT NULL,
    transaction_id  xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ended           boolean NOT NULL,
    first_id        bigint,
    last_id         bigint,
    entries         bigint NOT NULL,
    ids             bigint[]
);
CREATE INDEX operation_reach_transaction ON operation_reach (transaction_id);
"""

# snapshot is what the sealer saw: every operation visible in it is sealed by then. None
# where there was too much for one seal; the next goes on. cluster tells whose
# transactions it speaks of: a backup may be loaded elsewhere. hints prove nothing.
SEALS = """
CREATE TABLE seal (
    sequence      bigint PRIMARY KEY CHECK (sequence > 0),
    previous_root bytea NOT NULL CHECK (length(previous_root) = 32),
    root          bytea NOT NULL CHECK (length(root) = 32),
    leaves_root   bytea NOT NULL CHECK (length(leaves_root) = 32),
    leaves        bigint NOT NULL CHECK (leaves >= 0),
    operations    bigint NOT NULL CHECK (operations >= leaves),
    cluster       text NOT NULL,
    snapshot      text,
    sealed_at     timestamptz NOT NULL
);
CREATE INDEX seal_snapshot ON seal (sequence) WHERE snapshot IS NOT NULL;

CREATE TABLE seal_leaf (
    sequence        bigint NOT NULL,
    position        int NOT NULL CHECK (position >= 0),
    organisation_id bigint NOT NULL,
    operation_id    bigint NOT NULL,
    hash            bytea NOT NULL CHECK (length(hash) = 32),
    made            bigint NOT NULL CHECK (made >= 0),
    ended           bigint NOT NULL CHECK (ended >= 0),
    hints           bytea NOT NULL,
    PRIMARY KEY (sequence, position),
    UNIQUE (organisation_id, operation_id)
);
"""

# What stands for a version's personal part (of an operation's, with entry 0) once it
# was erased, so that its seal still holds.
ERASED = """
CREATE TABLE erased_part (
    organisation_id bigint NOT NULL,
    entry_id        bigint NOT NULL,
    operation_id    bigint NOT NULL,
    personal        bytea NOT NULL CHECK (length(personal) = 32),
    PRIMARY KEY (organisation_id, entry_id, operation_id)
);
"""

# Nobody writes while the triggers come: an operation is recorded from its first
# statement on, or not at all (and then looked for when it is sealed).
STILL = "LOCK TABLE operation, dnc_entry IN SHARE ROW EXCLUSIVE MODE"

# Every statement that changes entries is of one operation. What was counted for the
# tallies tells the range as well, so that an insert pays for one row more and no look
# at its entries.
TELL = """
CREATE OR REPLACE FUNCTION dnc_entry_tell_tally() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own bigint := nullif(current_setting('dncd.organisation', true), '')::bigint;
    ending bigint := nullif(current_setting('dncd.operation', true), '')::bigint;
    told int := 0;
    lowest bigint;
    highest bigint;
    entries bigint;
BEGIN
    IF tg_op <> 'DELETE' THEN
        WITH counted AS (
            INSERT INTO dnc_entry_tally_delta
            SELECT organisation_id, date_trunc('second', inserted_at),
                   dnc_entry_block_of(id), campaign_id, calling_code, purpose, reason,
                   count(*), min(id), max(id)
            FROM added GROUP BY 1, 2, 3, 4, 5, 6, 7
            RETURNING dnc_entry_tally_delta.n, dnc_entry_tally_delta.first_id,
                      dnc_entry_tally_delta.last_id
        )
        SELECT count(*), min(counted.first_id), max(counted.last_id), sum(counted.n)
        INTO told, lowest, highest, entries FROM counted;
        IF entries > 0 THEN
            INSERT INTO operation_reach (
                organisation_id, operation_id, ended, first_id, last_id, entries, ids
            )
            SELECT organisation_id, operation_id, false, lowest, highest, entries,
                   CASE WHEN entries <= 10000 AND highest - lowest > 4 * entries
                        THEN ARRAY(SELECT id FROM added) END
            FROM added LIMIT 1;
        END IF;
    END IF;
    IF tg_op <> 'INSERT' THEN
        INSERT INTO dnc_entry_tally_delta
        SELECT organisation_id, date_trunc('second', inserted_at),
               dnc_entry_block_of(id), campaign_id, calling_code, purpose, reason,
               -count(*), NULL, NULL
        FROM ended GROUP BY 1, 2, 3, 4, 5, 6, 7;
        SELECT min(id), max(id), count(*) INTO lowest, highest, entries FROM ended;
        -- Without an operation nothing ends: the other trigger refuses.
        IF entries > 0 AND ending IS NOT NULL THEN
            INSERT INTO operation_reach (
                organisation_id, operation_id, ended, first_id, last_id, entries, ids
            )
            SELECT organisation_id, ending, true, lowest, highest, entries,
                   CASE WHEN entries <= 10000 AND highest - lowest > 4 * entries
                        THEN ARRAY(SELECT id FROM ended) END
            FROM ended LIMIT 1;
        END IF;
    END IF;
    IF own IS NOT NULL AND (told > 1000 OR random() < 0.002) THEN
        PERFORM dnc_entry_fold(own, greatest(5000, 2 * told));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION operation_tell_reach() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO operation_reach (organisation_id, operation_id, ended, entries)
    VALUES (NEW.organisation_id, NEW.id, false, 0);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION operation_tell_reach() FROM PUBLIC;

-- The operation that suppresses one number made one entry, which has told already.
CREATE TRIGGER operation_told AFTER INSERT ON operation
    FOR EACH ROW WHEN (NOT (NEW.kind = 'entry:suppressed' AND NEW.touched = 1))
    EXECUTE FUNCTION operation_tell_reach();
"""

# Who seals says so in its transaction, and then sees every organisation's leaves and
# reaches, which hold ids alone. Operations and entries are read as their organisation.
RIGHTS = """
CREATE FUNCTION dncd_seals() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN current_setting('dncd.seals', true) = 'on';

GRANT SELECT, INSERT ON operation_reach, seal, seal_leaf, erased_part TO dncd_app;
CREATE POLICY everybody ON seal USING (true);
CREATE POLICY own ON operation_reach USING (organisation_id = dncd_organisation());
CREATE POLICY sealer ON operation_reach USING (dncd_seals());
CREATE POLICY own ON seal_leaf USING (organisation_id = dncd_organisation());
CREATE POLICY sealer ON seal_leaf USING (dncd_seals());
CREATE POLICY own ON erased_part USING (organisation_id = dncd_organisation());
"""

APPEND_ONLY = """
CREATE TRIGGER {table}_truncated BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION dnc_refuse_truncate();
"""

FORCED = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Create the tables, then let operations be told."""
    for statements in (INSTALLATION, REACH, SEALS, ERASED, STILL, TELL, RIGHTS):
        op.execute(statements)
    for table in ("operation_reach", "seal", "seal_leaf", "erased_part"):
        op.execute(APPEND_ONLY.format(table=table))
        op.execute(FORCED.format(table=table))
    op.execute(FORCED.format(table="installation"))
