"""Seals: a chain over every operation, which nobody can rewrite unseen."""

from alembic import op

revision = "0006"
down_revision = "0004"

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

FORCED = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Create the tables."""
    op.execute(INSTALLATION)
    op.execute(FORCED.format(table="installation"))
