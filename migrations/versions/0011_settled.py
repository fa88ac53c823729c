"""A clock that is set back, and a loss that nobody confirmed, rewrite nothing."""

from alembic import op

revision = "0011"
down_revision = "0010"

serves_from = "0004"

# Up to which instant answers were given, or seals made: what is changed from here on is
# dated later, also by a clock that was set back meanwhile. In microseconds, for a
# sequence's value is seen by everybody at once, and stays whatever becomes of the
# transaction. One that is more than a day ahead tells that the clock was wrong before,
# not that it is now, and binds nobody.
SETTLED = """
CREATE SEQUENCE dnc_settled AS bigint MINVALUE 0 START 0;
GRANT SELECT ON dnc_settled TO dncd_app;

-- Whoever will answer about an instant says so first, and then looks who may have read
-- the clock already. Where nothing can be written nobody dates anything.
CREATE FUNCTION dnc_settle(instant timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    told bigint := floor(extract(epoch FROM instant) * 1000000);
    most bigint := extract(epoch FROM clock_timestamp() + interval '1 day') * 1000000;
    known bigint;
BEGIN
    IF instant > clock_timestamp()
        OR current_setting('transaction_read_only')::boolean THEN
        RETURN;
    END IF;
    known := coalesce(pg_sequence_last_value('dnc_settled'), 0);
    IF told <= known AND known <= most THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(725110);
    known := coalesce(pg_sequence_last_value('dnc_settled'), 0);
    IF told > known OR known > most THEN
        PERFORM setval('dnc_settled', told);
    END IF;
END $$;
REVOKE ALL ON FUNCTION dnc_settle(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dnc_settle(timestamptz) TO dncd_app;
"""

# As before, but for two things: a transaction has its number before it reads the clock,
# so that what is dated before a seal and numbered after it was never written by us; and
# it reads no instant that was told of already.
INSTANT = """
CREATE OR REPLACE FUNCTION dnc_instant() RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    own text := coalesce(current_setting('dncd.organisation', true), '');
    known text := coalesce(current_setting('dncd.instant', true), '');
    number xid8;
    settled bigint;
    instant timestamptz;
    earliest timestamptz;
BEGIN
    IF known <> '' AND starts_with(known, own || '@') THEN
        RETURN substr(known, length(own) + 2)::timestamptz;
    END IF;
    IF NOT pg_try_advisory_xact_lock_shared(
        725107, coalesce(nullif(own, '')::bigint, 0)::int
    ) THEN
        RAISE EXCEPTION 'somebody keeps others from taking an instant';
    END IF;
    number := pg_current_xact_id();
    settled := pg_sequence_last_value('dnc_settled');
    instant := clock_timestamp();
    IF settled IS NOT NULL THEN
        earliest := timestamptz 'epoch' + (settled + 1) * interval '1 microsecond';
        IF earliest > instant AND earliest < instant + interval '1 day' THEN
            instant := earliest;
        END IF;
    END IF;
    IF NOT pg_try_advisory_xact_lock_shared(
        725109, floor(date_part('epoch', instant) - 1577836800)::int
    ) THEN
        RAISE EXCEPTION 'somebody keeps others from taking an instant';
    END IF;
    known := set_config('dncd.instant', own || '@' || instant::text, true);
    RETURN instant;
END $$;
"""

# Made with the key, which the database does not hold: whoever can write here can add a
# row, and nobody will take it for a confirmation. Those of before have none.
PROVEN = """
ALTER TABLE recovery ADD COLUMN proof bytea CHECK (length(proof) = 32);
"""


def upgrade() -> None:
    """Add a sequence and a column, and replace a function."""
    for statements in (SETTLED, INSTANT, PROVEN):
        op.execute(statements)
