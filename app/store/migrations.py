"""Running the migrations from the program, as the owner of the schema."""

from pathlib import Path

import psycopg
from psycopg import errors

import app
from app.domain.errors import StoreUnavailable
from app.store.pulse import watched

FIND_REVISION = "SELECT version_num FROM alembic_version"

# How long a command takes silence for work.
SILENCE_SECONDS = 10.0

FOLDER = Path(app.__file__).resolve().parents[1] / "migrations"


def newest_revision() -> str:
    """Return the revision that this code needs: the last file's number."""
    newest = max((FOLDER / "versions").glob("[0-9]*_*.py"))
    return newest.name.partition("_")[0]


def migrate(owner_url: str) -> None:
    """
    Bring the database to the newest revision; any number of processes may try at once.

    Raises StoreUnavailable, with the cause, if the database refuses.
    """
    try:
        current = _find_revision(owner_url)
    except psycopg.Error as error:
        raise _refused(error) from error
    if current != newest_revision():
        _upgrade(owner_url)


def _find_revision(owner_url: str) -> str | None:
    with (
        psycopg.connect(owner_url, connect_timeout=10) as connection,
        watched(connection, owner_url, SILENCE_SECONDS),
    ):
        try:
            row = connection.execute(FIND_REVISION).fetchone()
        except errors.UndefinedTable:
            return None
    return row[0] if row else None


def _upgrade(owner_url: str) -> None:
    # Half of what a command's start would cost, for what is needed once a release.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(owner_url, connect_timeout=10),
        poolclass=NullPool,
    )
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (DBAPIError, psycopg.Error) as error:
        raise _refused(error.__cause__ or error) from error


def _refused(error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(str(error).strip().partition("\n")[0])
