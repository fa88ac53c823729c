"""What was answered to requests that carried a key, to be answered again."""

from alembic import op

revision = "0007"
down_revision = "0006"

# Neither the key nor the request is kept, only their SHA-256: a key may have been made
# of a phone number. The request's id is that of the operations that it made.
IDEMPOTENT_REQUESTS = """
CREATE TABLE idempotent_request (
    organisation_id bigint NOT NULL,
    key        bytea NOT NULL CHECK (length(key) = 32),
    request    bytea NOT NULL CHECK (length(request) = 32),
    request_id text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    status     smallint NOT NULL CHECK (status BETWEEN 200 AND 499),
    headers    jsonb NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (organisation_id, key)
);
CREATE INDEX idempotent_request_at ON idempotent_request (at);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotent_request TO dncd_app;
"""

# Whoever sweeps says so, and sees of other organisations only what has expired.
ISOLATION = """
CREATE POLICY own ON idempotent_request
    USING (organisation_id = dncd_organisation());
CREATE POLICY expired ON idempotent_request
    USING (
        current_setting('dncd.sweeping', true) = 'on'
        AND at < now() - interval '30 days'
    )
    WITH CHECK (false);
ALTER TABLE idempotent_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotent_request FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(IDEMPOTENT_REQUESTS)
    op.execute(ISOLATION)
