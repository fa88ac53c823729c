"""No column that says something can be edited unseen, also none that is added later."""

import random
from typing import Any

import pytest

from tests.store.tampering import Connection
from tests.store.test_tampering import History, history

__all__ = ["history"]

# Aids to searching, which say nothing that other columns do not.
UNSEALED = {"revised", "facet", "detail_facet"}

OTHER_VALUES = {
    "bigint": "coalesce({0}, 0) + 1000000",
    "smallint": "{0} + 1",
    "text": "coalesce({0}, '') || 'x'",
    "jsonb": "jsonb_build_array({0})",
    "inet": "'192.0.2.77'",
    "xid8": "'3'",
    "timestamp with time zone": "{0} - interval '1 microsecond'",
}

COLUMNS = """
    SELECT column_name AS name, data_type AS type FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %s
"""


def edit(connection: Connection, table: str, column: str, value: str) -> None:
    rows = connection.execute(
        f"SELECT ctid::text AS place FROM {table} ORDER BY ctid".encode()
    ).fetchall()
    place = random.Random(f"{table} {column}").choice(rows)["place"]
    connection.execute(
        f"UPDATE {table} SET {column} = {value} WHERE ctid = '{place}'".encode()
    )


@pytest.mark.parametrize("table", ["operation", "dnc_entry", "dnc_entry_past"])
def test_every_column_that_says_something_is_sealed(
    history: History, table: str
) -> None:
    columns: dict[str, str] = {}

    def look(connection: Connection, _: random.Random) -> None:
        found: list[dict[str, Any]] = connection.execute(COLUMNS, [table]).fetchall()
        columns.update({each["name"]: each["type"] for each in found})

    assert history.verify(look).clean

    unseen = [
        column
        for column, kind in columns.items()
        if column not in UNSEALED
        and history.verify(
            lambda connection, _, column=column, kind=kind: edit(  # type: ignore[misc]
                connection, table, column, OTHER_VALUES[kind].format(column)
            )
        ).clean
    ]

    assert len(columns) > 10
    assert unseen == []


@pytest.mark.parametrize(
    "edited",
    [
        "operation SET at = 'infinity'",
        "operation SET at = '20000-01-01'",
        "operation SET transaction_id = '18446744073709551615'",
        "dnc_entry SET inserted_at = '-infinity'",
        "dnc_entry SET valid_from = '0100-01-01 BC'",
        "dnc_entry_past SET valid_until = 'infinity'",
        "seal SET sealed_at = 'infinity'",
        "seal SET snapshot = 'nonsense'",
        "seal SET snapshot = '1:2:x'",
        "seal SET snapshot = NULL",
        "seal SET cluster = 'x'",
        "seal_leaf SET hints = ''",
        "seal_leaf SET hash = decode(repeat('00', 32), 'hex')",
        "seal_leaf SET made = made + 1",
    ],
)
def test_nonsense_is_found_and_does_not_keep_anything_else_from_being_told(
    history: History, edited: str
) -> None:
    table = edited.split(maxsplit=1)[0]

    def nonsense(connection: Connection, _: random.Random) -> None:
        rows = connection.execute(
            f"SELECT ctid::text AS place FROM {table} ORDER BY ctid".encode()
        ).fetchall()
        place = rows[len(rows) // 2]["place"]
        connection.execute(f"UPDATE {edited} WHERE ctid = '{place}'".encode())

    report = history.verify(nonsense)

    assert not report.clean
    assert report.seals > 1
