"""A history to tamper with, and a superuser who does, in eight ways."""

import random
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.domain.access import Caller
from app.domain.entries import Draft, Revision
from app.domain.phone import PhoneNumber
from app.domain.scopes import read_campaign
from app.services import Services

GLOBAL = read_campaign("0")

# How many seals the history has, about; the anchor is of one in its middle.
ROUNDS = 8

Connection = psycopg.Connection[dict[str, Any]]
Tamper = Callable[[Connection, random.Random], None]


def number(index: int) -> PhoneNumber:
    return PhoneNumber("1", f"555{1000000 + index}")


def work(services: Services, callers: list[Caller], turn: int) -> None:
    """Change something in every way that there is."""
    for caller in callers:
        base = turn * 100
        do = services.suppressions
        ids = [
            do.suppress(caller, Draft(number(base + i), GLOBAL, None, f"reason {i}"))
            for i in range(4)
        ]
        do.revise(caller, ids[0], Revision(reason="revised"))
        do.release(caller, number(base + 1), GLOBAL, None, None)
        do.suppress_many(
            caller, [Draft(number(base + 10 + i), GLOBAL) for i in range(5)]
        )
        do.release_many(caller, [number(base + 11), number(base + 13)], GLOBAL)
        services.campaigns.add_purpose(caller, f"PURPOSE {turn}")


def superuser(url: str) -> Connection:
    """Connect as somebody whom no trigger and no right keeps from anything."""
    connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
    connection.execute("SET session_replication_role = replica")
    return connection


def pick(connection: Connection, rng: random.Random, table: str) -> dict[str, Any]:
    """Return one row of those that are sealed, and where it is."""
    rows = connection.execute(
        f"SELECT ctid::text AS place, t.* FROM {table} AS t ORDER BY ctid".encode()
    ).fetchall()
    found: dict[str, Any] = rng.choice(rows)
    return found


def change(connection: Connection, rng: random.Random, table: str, how: list[str]):
    row = pick(connection, rng, table)
    connection.execute(
        f"UPDATE {table} SET {rng.choice(how)} WHERE ctid = '{row['place']}'".encode()
    )


def edit_an_operation(connection: Connection, rng: random.Random) -> None:
    change(
        connection,
        rng,
        "operation",
        [
            "actor = 'somebody else'",
            "at = at - interval '1 day'",
            "why = 'no ' || coalesce(why, '')",
            "kind = 'entry:invented'",
            "touched = touched + 1",
            "address = '192.0.2.77'",
            "dialect = 'other'",
            "token_id = coalesce(token_id, 0) + 1",
            "request_id = 'x' || request_id",
            "transaction_id = '3'",
            "idempotency_key = 'invented'",
            "answer = '{}'",
            "unblocked = coalesce(unblocked, 0) + 1",
            "approves = coalesce(approves, 0) + 1",
        ],
    )


VERSION_EDITS = [
    "e164 = e164 + 1",
    "reason = 'not ' || coalesce(reason, '')",
    'evidence = \'{"source": "invented"}\'',
    "campaign_id = campaign_id + 1",
    "calling_code = calling_code + 1",
    "purpose = 'INVENTED'",
    "inserted_at = inserted_at - interval '1 microsecond'",
    "valid_from = valid_from - interval '1 second'",
    "operation_id = operation_id + 1",
    "id = id + 1000000",
]


def edit_an_entry(connection: Connection, rng: random.Random) -> None:
    change(connection, rng, "dnc_entry", VERSION_EDITS)


def edit_a_past_version(connection: Connection, rng: random.Random) -> None:
    ends = [
        "valid_until = valid_until + interval '1 second'",
        "ended_by_operation = ended_by_operation + 1",
    ]
    change(connection, rng, "dnc_entry_past", VERSION_EDITS + ends)


def delete_an_operation(connection: Connection, rng: random.Random) -> None:
    row = pick(connection, rng, "operation")
    parameters = {"org": row["organisation_id"], "id": row["id"]}
    connection.execute(
        "DELETE FROM operation WHERE organisation_id = %(org)s AND id = %(id)s",
        parameters,
    )
    # With all that it did, or alone.
    for table in rng.choice([(), ("dnc_entry", "dnc_entry_past")]):
        connection.execute(
            f"DELETE FROM {table} WHERE organisation_id = %(org)s "
            "AND operation_id = %(id)s".encode(),
            parameters,
        )


def delete_a_version(connection: Connection, rng: random.Random) -> None:
    table = rng.choice(["dnc_entry", "dnc_entry_past"])
    row = pick(connection, rng, table)
    connection.execute(f"DELETE FROM {table} WHERE ctid = '{row['place']}'".encode())


def insert_something(connection: Connection, rng: random.Random) -> None:
    copy = {
        # A number more in what an old operation did.
        "dnc_entry": "id = id + 500000, e164 = e164 + 500000000",
        # A past that there never was.
        "dnc_entry_past": "id = id + 500000",
        # An operation that claims to have been there.
        "operation": "id = id + 500000",
        "seal_leaf": "operation_id = operation_id + 500000, position = 999",
        "seal": "sequence = sequence + 500000",
    }
    table = rng.choice(list(copy))
    row = pick(connection, rng, table)
    connection.execute(
        f"CREATE TEMPORARY TABLE forged AS "
        f"SELECT * FROM {table} WHERE ctid = '{row['place']}'".encode()
    )
    connection.execute(f"UPDATE forged SET {copy[table]}".encode())
    columns = ", ".join(c for c in row if c not in {"place", "facet", "detail_facet"})
    connection.execute(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM forged".encode()
    )


def swap(connection: Connection, table: str, key: str, one: Any, other: Any) -> None:
    """Let two rows change their values of *key*, past every unique index."""
    for before, after in ((one, -7), (other, one), (-7, other)):
        connection.execute(
            f"UPDATE {table} SET {key} = %s WHERE {key} = %s".encode(), (after, before)
        )


def reorder_something(connection: Connection, rng: random.Random) -> None:
    connection.execute(
        "ALTER TABLE seal DROP CONSTRAINT IF EXISTS seal_sequence_check,"
        " DROP CONSTRAINT IF EXISTS seal_pkey"
    )
    kind = rng.choice(["operations", "leaves", "seals", "versions"])
    if kind == "operations":
        one, other = (pick(connection, rng, "operation") for _ in range(2))
        while other["id"] == one["id"]:
            other = pick(connection, rng, "operation")
        swap(connection, "operation", "id", one["id"], other["id"])
    elif kind == "seals":
        one, other = (pick(connection, rng, "seal") for _ in range(2))
        while other["sequence"] == one["sequence"]:
            other = pick(connection, rng, "seal")
        swap(connection, "seal", "sequence", one["sequence"], other["sequence"])
    elif kind == "leaves":
        connection.execute(
            "ALTER TABLE seal_leaf DROP CONSTRAINT seal_leaf_pkey,"
            " DROP CONSTRAINT seal_leaf_position_check"
        )
        one = pick(connection, rng, "seal_leaf")
        [most] = connection.execute(
            "SELECT max(position) AS n FROM seal_leaf WHERE sequence = %s",
            (one["sequence"],),
        ).fetchall()
        other_position = (one["position"] + 1) % (most["n"] + 1)
        if other_position == one["position"]:
            reorder_something(connection, rng)
            return
        connection.execute(
            "UPDATE seal_leaf SET position = %(a)s + %(b)s - position "
            "WHERE sequence = %(sequence)s AND position IN (%(a)s, %(b)s)",
            {
                "a": one["position"],
                "b": other_position,
                "sequence": one["sequence"],
            },
        )
    else:
        one = pick(connection, rng, "dnc_entry")
        other = pick(connection, rng, "dnc_entry")
        while other["operation_id"] == one["operation_id"]:
            other = pick(connection, rng, "dnc_entry")
        for mine, theirs in ((one, other), (other, one)):
            connection.execute(
                "UPDATE dnc_entry SET operation_id = %s WHERE id = %s",
                (theirs["operation_id"], mine["id"]),
            )


def cut_the_tail(connection: Connection, rng: random.Random) -> None:
    """Take away the newest seals, so that what is left is whole in itself."""
    [anchored] = connection.execute("SELECT max(sequence) AS n FROM seal").fetchall()
    first = rng.randrange(anchored["n"] // 2, anchored["n"] // 2 + 3)
    operations = "SELECT operation_id FROM seal_leaf WHERE sequence >= %(first)s"
    columns = (
        "organisation_id, id, e164, calling_code, campaign_id, purpose, reason,"
        " evidence, inserted_at, valid_from, operation_id"
    )
    revived = (
        f"INSERT INTO dnc_entry ({columns}) SELECT {columns} FROM dnc_entry_past"
        f" WHERE ended_by_operation IN ({operations})"
        f" AND operation_id NOT IN ({operations})"
    )
    for statement in (
        revived,
        f"DELETE FROM dnc_entry_past WHERE ended_by_operation IN ({operations})",
        f"DELETE FROM dnc_entry WHERE operation_id IN ({operations})",
        f"DELETE FROM operation_reach WHERE operation_id IN ({operations})",
        f"DELETE FROM operation WHERE id IN ({operations})",
        "DELETE FROM seal_leaf WHERE sequence >= %(first)s",
        "DELETE FROM seal WHERE sequence >= %(first)s",
    ):
        connection.execute(statement.encode(), {"first": first})


KINDS: dict[str, Tamper] = {
    "an operation edited": edit_an_operation,
    "an entry edited": edit_an_entry,
    "a past version edited": edit_a_past_version,
    "an operation deleted": delete_an_operation,
    "a version deleted": delete_a_version,
    "something inserted": insert_something,
    "something reordered": reorder_something,
    "the tail cut off": cut_the_tail,
}
