"""Running the migrations from the program, as the owner of the schema."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

import app
from app.domain.errors import StoreUnavailable

FOLDER = Path(app.__file__).resolve().parents[1] / "migrations"


def newest_revision() -> str:
    """Return the revision that this code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def migrate(owner_url: str) -> None:
    """
    Bring the database to the newest revision; any number of processes may try at once.

    Raises StoreUnavailable, with the cause, if the database refuses.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(owner_url, connect_timeout=10),
        poolclass=NullPool,
    )
    config = _config()
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (DBAPIError, psycopg.Error) as error:
        message = str(error.__cause__ or error).strip().partition("\n")[0]
        raise StoreUnavailable(message) from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    return config
