"""Running the migrations from the program, as the owner of the schema."""

import random
import time
from pathlib import Path

import psycopg
from psycopg import errors

import app
from app.domain.conditions import Standing, require_schema
from app.domain.errors import StoreUnavailable
from app.store import conditions
from app.store.failures import first_line
from app.store.pulse import watched

FIND_REVISION = "SELECT version_num FROM alembic_version"

# How long a command takes silence for work.
SILENCE_SECONDS = 10.0

FOLDER = Path(app.__file__).resolve().parents[1] / "migrations"

# How long locks are asked for again and again, and the pause in between.
PATIENCE = 60.0
PAUSE = 0.5, 1.5


class _InTheWay(Exception):
    """Somebody else's work was in the way of a migration, and will be done."""


def newest_revision() -> str:
    """Return the revision that this code needs: the last file's number."""
    newest = max((FOLDER / "versions").glob("[0-9]*_*.py"))
    return newest.name.partition("_")[0]


def migrate(owner_url: str) -> None:
    """
    Bring the database to the newest revision; any number of processes may try at once.

    Whoever uses the database goes on: where a lock cannot be had at once, it is tried
    again for a minute. One that is at a newer revision is left there. Raises
    StoreUnavailable, with the cause, if the database refuses, and SchemaNotServed if it
    is newer than this code can serve.
    """
    try:
        with (
            psycopg.connect(owner_url, connect_timeout=10) as connection,
            watched(connection, owner_url, SILENCE_SECONDS),
        ):
            current = _find_revision(connection)
            if current is not None and current > newest_revision():
                _require_served(connection)
                return
    except psycopg.Error as error:
        raise _refused(error) from error
    deadline = time.monotonic() + PATIENCE
    while current != newest_revision():
        try:
            _upgrade(owner_url)
        except _InTheWay as error:
            if time.monotonic() > deadline:
                raise _refused(error.__cause__ or error) from error
            # Whoever was held up behind it gets on first.
            time.sleep(random.uniform(*PAUSE))  # noqa: S311
        else:
            return


def _find_revision(connection: psycopg.Connection) -> str | None:
    try:
        row = connection.execute(FIND_REVISION).fetchone()
    except errors.UndefinedTable:
        return None
    return row[0] if row else None


def _require_served(connection: psycopg.Connection) -> None:
    """Raise SchemaNotServed unless the newer schema says that this code may go on."""
    code = newest_revision()
    parameters = conditions.parameters(code, None)
    for revision, serves in connection.execute(conditions.SCHEMA, parameters):
        require_schema(Standing(revision, bool(serves)), code)


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
        cause = error.__cause__ or error
        if isinstance(cause, errors.LockNotAvailable | errors.DeadlockDetected):
            raise _InTheWay from cause
        raise _refused(cause) from error


def _refused(error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(first_line(error))
