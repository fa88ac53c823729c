"""One instant a transaction, by which what was listed at any time can be told."""

from alembic import op

revision = "0005"
down_revision = "0004"

# An answer about an instant must never change afterwards, also not by a transaction
# that took its clock reading before that instant and commits after the answer. So a
# transaction says that it is about to read the clock before it does (class 725107, by
# organisation; 0 where none is set), and then which second it has read (725109, counted
# from 2020). Whoever asks about an instant waits for those that may have read an
# earlier one, and for nobody else. The locks end when the transaction's changes are
# seen, not before.
INSTANT = """
-- Nobody ever takes these locks alone, so to try is to have them; and what is assigned
-- or asked costs plpgsql a third of what is performed.
CREATE FUNCTION dnc_instant() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    own text := coalesce(current_setting('dncd.organisation', true), '');
    known text := coalesce(current_setting('dncd.instant', true), '');
    instant timestamptz;
BEGIN
    IF known <> '' AND starts_with(known, own || '@') THEN
        RETURN substr(known, length(own) + 2)::timestamptz;
    END IF;
    IF NOT pg_try_advisory_xact_lock_shared(
        725107, coalesce(nullif(own, '')::bigint, 0)::int
    ) THEN
        RAISE EXCEPTION 'somebody keeps others from taking an instant';
    END IF;
    instant := clock_timestamp();
    IF NOT pg_try_advisory_xact_lock_shared(
        725109, floor(date_part('epoch', instant) - 1577836800)::int
    ) THEN
        RAISE EXCEPTION 'somebody keeps others from taking an instant';
    END IF;
    known := set_config('dncd.instant', own || '@' || instant::text, true);
    RETURN instant;
END $$;

ALTER TABLE operation ALTER COLUMN at SET DEFAULT dnc_instant();
ALTER TABLE dnc_entry ALTER COLUMN inserted_at SET DEFAULT dnc_instant(),
                      ALTER COLUMN valid_from SET DEFAULT dnc_instant();
"""

# A version begins where the one before it ended, whoever wrote the statement: later
# than that one began, even when this transaction took its clock reading earlier.
VERSIONS = """
CREATE FUNCTION dnc_entry_date() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.valid_from := greatest(
        dnc_instant(), OLD.valid_from + interval '1 microsecond'
    );
    RETURN NEW;
END $$;
CREATE TRIGGER dnc_entry_dated BEFORE UPDATE ON dnc_entry
    FOR EACH ROW EXECUTE FUNCTION dnc_entry_date();

CREATE OR REPLACE FUNCTION dnc_entry_keep_past() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    ending bigint := nullif(current_setting('dncd.operation', true), '')::bigint;
    instant timestamptz;
BEGIN
    IF ending IS NULL THEN
        IF EXISTS (SELECT FROM ended) THEN
            RAISE EXCEPTION 'an entry ends only within an operation';
        END IF;
        RETURN NULL;
    END IF;
    instant := dnc_instant();
    INSERT INTO dnc_entry_past
    SELECT organisation_id, id, e164, calling_code, campaign_id, purpose, reason,
           evidence, inserted_at, valid_from, operation_id,
           greatest(instant, valid_from + interval '1 microsecond'), ending
    FROM ended;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Date what changes by one instant a transaction, which others can wait for."""
    for statements in (INSTANT, VERSIONS):
        op.execute(statements)
