"""A database as an earlier release left it."""

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from app.store.migrations import FOLDER

ADD = """
    WITH organisation AS (
        INSERT INTO organisation (name) VALUES ('old') RETURNING id
    ),
    token AS (
        INSERT INTO token (organisation_id, name, hash, grants)
        SELECT id, 'old', %(hash)s, '{{check,insert}}' FROM organisation
    ),
    lists AS (
        INSERT INTO campaign (organisation_id, id, uid, name)
        SELECT id, 0, '0', 'Global DNC' FROM organisation
    )
    SELECT id FROM organisation
""".replace("{{", "{").replace("}}", "}")

FILL = """
    INSERT INTO dnc_entry (
        organisation_id, e164, calling_code, campaign_id, operation_id
    )
    SELECT %(organisation_id)s, 15550000000 + n, 1, 0, 1
    FROM generate_series(1, %(entries)s) AS n
"""


def migrate_to(url: str, revision: str) -> None:
    """Bring the database at *url* to *revision*, and no further."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url),
        poolclass=NullPool,
    )
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill(url: str, secret_hash: bytes, entries: int) -> int:
    """Make an organisation with a token and numbers from 15550000001 on its list."""
    with psycopg.connect(url, autocommit=True) as connection:
        [(organisation_id,)] = connection.execute(ADD, {"hash": secret_hash}).fetchall()
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, false)", [str(organisation_id)]
        )
        parameters = {"organisation_id": organisation_id, "entries": entries}
        connection.execute(FILL, parameters)
        connection.execute("VACUUM ANALYZE dnc_entry")
    return int(organisation_id)
