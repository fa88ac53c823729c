"""
A transaction that a request's other transactions join.

It is open for as long as one request is carried out with an idempotency key. Whatever
the services open for the same organisation meanwhile becomes a savepoint in it, so that
all of it is committed with the answer, or none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, LiteralString

from app.store.failures import as_domain_errors

if TYPE_CHECKING:
    from psycopg.rows import DictRow

    from app.store.roles import Scope
    from app.store.transactions import Open, Parameters

SAVEPOINT = "SAVEPOINT joined"

RELEASE = "RELEASE joined"

UNDO = "ROLLBACK TO joined; RELEASE joined"

# What a part sets for itself is as it was before when the part ends.
SETTINGS = [
    "dncd.operation",
    "statement_timeout",
    "plan_cache_mode",
    "enable_seqscan",
    "enable_bitmapscan",
    "enable_hashjoin",
    "enable_mergejoin",
    "enable_sort",
    "max_parallel_workers_per_gather",
]

REMEMBER = """
    SELECT array_agg(coalesce(current_setting(name, true), '') ORDER BY place) AS known
    FROM unnest(%(names)s::text[]) WITH ORDINALITY AS setting (name, place)
"""

RESTORE = """
    SELECT set_config(name, value, true)
    FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value)
"""


@dataclass(frozen=True, slots=True)
class _Shared:
    database: object
    transaction: Open


_shared: ContextVar[_Shared | None] = ContextVar("shared_transaction", default=None)


def find(database: object, scope: Scope) -> Open | None:
    """
    Return the transaction that one of *scope* joins, or None if it stands alone.

    A proof of who asks is looked up alone: what is joined is one organisation's.
    """
    shared = _shared.get()
    if shared is None or shared.database is not database:
        return None
    own = shared.transaction.scope
    # Each has its own plans, and may be asked whether it is believed.
    if replace(scope, plans=own.plans, tells=own.tells) != own:
        return None
    return shared.transaction


@contextmanager
def sharing(database: object, transaction: Open) -> Iterator[None]:
    """Let what this thread opens of *database* join *transaction* until the end."""
    token = _shared.set(_Shared(database, transaction))
    try:
        yield
    finally:
        _shared.reset(token)


def fetch(
    outer: Open,
    scope: Scope,
    enter: tuple[LiteralString, Parameters],
    statement: LiteralString,
    parameters: Parameters,
) -> list[DictRow]:
    """Run one statement as a part of *outer*, in one round trip where it may."""
    if scope != outer.scope:
        with nested(outer, scope, enter) as part:
            return part.fetch(statement, parameters)
    connection = outer.connection
    with as_domain_errors():
        try:
            with connection.pipeline():
                connection.execute(SAVEPOINT)
                cursor = connection.execute(statement, parameters)
                connection.execute(RELEASE)
        except BaseException:
            if not connection.closed:
                connection.execute(UNDO, prepare=False)
            raise
        return cursor.fetchall() if cursor.description else []


@contextmanager
def nested(
    outer: Open,
    scope: Scope,
    enter: tuple[LiteralString, Parameters],
) -> Iterator[Open]:
    """
    Open a part of *outer*: when it fails it is undone alone, and *outer* goes on.

    *enter* puts *scope* on, where it is another than that of *outer*.
    """
    connection = outer.connection
    with as_domain_errors():
        with connection.pipeline():
            connection.execute(SAVEPOINT)
            asked = connection.execute(REMEMBER, {"names": SETTINGS})
            if scope != outer.scope:
                connection.execute(*enter)
        known = asked.fetchall()[0]["known"]
        try:
            yield replace(outer, scope=scope)
        except BaseException:
            if not connection.closed:
                connection.execute(UNDO, prepare=False)
            raise
        with connection.pipeline():
            connection.execute(RELEASE)
            connection.execute(RESTORE, {"names": SETTINGS, "values": known})
