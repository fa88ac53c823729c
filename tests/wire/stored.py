"""What the database holds, looked at behind the service's back."""

import atexit
from threading import Lock
from typing import Any

import psycopg
from psycopg.rows import dict_row

COUNT = """
    SELECT (SELECT count(*) FROM dnc_entry WHERE organisation_id = %(id)s) AS entries,
           (SELECT count(*) FROM dnc_entry_past WHERE organisation_id = %(id)s) AS past,
           (SELECT count(*) FROM lead WHERE organisation_id = %(id)s) AS leads,
           (SELECT count(*) FROM operation WHERE organisation_id = %(id)s)
           AS operations
"""

NUMBERS = """
    SELECT e164 FROM dnc_entry WHERE organisation_id = %(id)s ORDER BY e164
"""


def count(url: str, organisation_id: int) -> dict[str, int]:
    """Return how many rows the organisation has, of each kind."""
    found: dict[str, int] = fetch(url, organisation_id, COUNT)[0]
    return found


def numbers(url: str, organisation_id: int) -> list[str]:
    """Return the organisation's listed numbers, one for each entry."""
    return [str(row["e164"]) for row in fetch(url, organisation_id, NUMBERS)]


def fetch(url: str, organisation_id: int, statement: str) -> list[dict[str, Any]]:
    """Return the rows of *statement*, which may know the organisation as ``id``."""
    with _LOOKING:
        try:
            return _fetch_by(_connected(url), organisation_id, statement)
        except psycopg.OperationalError:
            # A server or a database that tests stop takes the connection with it.
            _close()
            return _fetch_by(_connected(url), organisation_id, statement)


def _fetch_by(
    connection: psycopg.Connection[dict[str, Any]], organisation_id: int, statement: str
) -> list[dict[str, Any]]:
    with connection.transaction():
        # Row-level security holds for an owner who is no superuser.
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, true)", [str(organisation_id)]
        )
        return connection.execute(statement, {"id": organisation_id}).fetchall()


# To connect costs more than to look, and most look at one database.
_LOOKING = Lock()
_connections: dict[str, psycopg.Connection[dict[str, Any]]] = {}


def _connected(url: str) -> psycopg.Connection[dict[str, Any]]:
    if url not in _connections:
        _close()
        _connections[url] = psycopg.connect(url, autocommit=True, row_factory=dict_row)
    return _connections[url]


@atexit.register
def _close() -> None:
    while _connections:
        _connections.popitem()[1].close()
