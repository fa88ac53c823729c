"""What the database holds, looked at behind the service's back."""

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
    found: dict[str, int] = _fetch(url, organisation_id, COUNT)[0]
    return found


def numbers(url: str, organisation_id: int) -> list[str]:
    """Return the organisation's listed numbers, one for each entry."""
    return [str(row["e164"]) for row in _fetch(url, organisation_id, NUMBERS)]


def _fetch(url: str, organisation_id: int, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        # Row-level security holds for an owner who is no superuser.
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, true)", [str(organisation_id)]
        )
        return connection.execute(statement, {"id": organisation_id}).fetchall()
