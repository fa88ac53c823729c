"""
The ``operation`` table: one row per changing request.

It is never changed afterwards; only why it was done may be forgotten (``erasures``).
"""

from collections.abc import Mapping

from psycopg.types.json import Jsonb

from app.domain.access import Caller
from app.domain.events import OperationKind
from app.store.transactions import Tx

APPEND = """
    INSERT INTO operation (
        organisation_id, id, token_id, actor, dialect, address, request_id,
        kind, why, touched, unblocked, approves, answer
    )
    VALUES (
        %(organisation_id)s, coalesce(%(id)s, nextval('operation_id_seq')),
        %(token_id)s, %(actor)s, %(dialect)s, %(address)s::inet, %(request_id)s,
        %(kind)s, %(why)s, %(touched)s, %(unblocked)s, %(approves)s,
        %(answer)s
    )
    RETURNING id
"""

NEXT_ID = "SELECT nextval('operation_id_seq') AS id"


def caller_parameters(caller: Caller) -> dict[str, object]:
    """Return who, through which door and from where, as the columns say it."""
    return {
        "token_id": caller.token_id,
        "actor": caller.actor,
        "dialect": caller.dialect,
        "address": caller.address,
        "request_id": caller.request_id,
    }


def append(  # noqa: PLR0913  one parameter a column
    tx: Tx,
    caller: Caller,
    kind: OperationKind,
    *,
    why: str | None = None,
    touched: int = 1,
    operation_id: int | None = None,
    unblocked: int | None = None,
    approves: int | None = None,
    answer: Mapping[str, object] | None = None,
) -> int:
    """
    Record that *caller* does *kind* of thing to *touched* rows; return its id.

    What takes long takes its id first (``next_id``), and is recorded when it is known
    how many rows it touched. *unblocked* is how many entries no longer block, where
    that is what was done; *approves* the operation in which it was asked for;
    *answer* what else is to be sealed of what was done.
    """
    rows = tx.fetch(
        APPEND,
        {
            "organisation_id": tx.organisation_id,
            "id": operation_id,
            **caller_parameters(caller),
            "kind": kind,
            "why": why,
            "touched": touched,
            "unblocked": unblocked,
            "approves": approves,
            "answer": None if answer is None else Jsonb(answer),
        },
    )
    recorded: int = rows[0]["id"]
    return recorded


def next_id(tx: Tx) -> int:
    """Return the id of an operation that is about to be recorded."""
    operation_id: int = tx.fetch(NEXT_ID, {})[0]["id"]
    return operation_id
