"""Entries of another day, made behind the service's back."""

import psycopg

from tests.wire.service import Api

# An entry changes only within an operation; any of the organisation's will do.
WITHIN = """
    SELECT set_config('dncd.organisation', %(organisation)s, true),
           set_config('dncd.operation', %(operation)s, true)
"""

MOVE = """
    UPDATE dnc_entry
    SET inserted_at = %(instant)s, valid_from = valid_from + interval '1 microsecond'
    WHERE organisation_id = %(organisation)s::bigint AND id = %(id)s
"""


def insert_at(api: Api, url: str, instant: str, phone_number: str) -> str:
    """List a number as if that had been done at *instant*; return the entry's id."""
    entry = api.insert(phone_number)
    organisation = str(api.caller.organisation.id)
    with psycopg.connect(url) as connection:
        connection.execute(WITHIN, {"organisation": organisation, "operation": "1"})
        changed = connection.execute(
            MOVE, {"organisation": organisation, "id": entry, "instant": instant}
        )
        assert changed.rowcount == 1
    return str(entry)
