"""Failures to log in, counted by user and source address for all workers."""

from alembic import op

revision = "0004"
down_revision = "0003"

# The key is a hash of the user and the address: no row tells a name, an address or
# what somebody typed in a name's place.
LOGIN_FAILURES = """
CREATE TABLE login_failure (
    key      bytea PRIMARY KEY CHECK (length(key) = 32),
    failures int NOT NULL CHECK (failures > 0),
    last_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_failure_last_at ON login_failure (last_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON login_failure TO dncd_app;
"""

# Whoever presents the key sees its row. What has expired is there to be purged.
ISOLATION = """
CREATE POLICY presented ON login_failure USING (key = dncd_secret_hash());
CREATE POLICY expired ON login_failure
    USING (last_at < now() - interval '15 minutes') WITH CHECK (false);
ALTER TABLE login_failure ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_failure FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(LOGIN_FAILURES)
    op.execute(ISOLATION)
