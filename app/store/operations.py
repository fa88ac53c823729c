"""The ``operation`` table: one row per changing request, never changed afterwards."""

from app.domain.access import Caller
from app.domain.events import OperationKind
from app.store.database import Tx

APPEND = """
    INSERT INTO operation (
        organisation_id, token_id, actor, dialect, address, request_id,
        kind, why, touched
    )
    VALUES (
        %(organisation_id)s, %(token_id)s, %(actor)s, %(dialect)s, %(address)s::inet,
        %(request_id)s, %(kind)s, %(why)s, %(touched)s
    )
    RETURNING id
"""


def caller_parameters(caller: Caller) -> dict[str, object]:
    """Return who, through which door and from where, as the columns say it."""
    return {
        "token_id": caller.token_id,
        "actor": caller.actor,
        "dialect": caller.dialect,
        "address": caller.address,
        "request_id": caller.request_id,
    }


def append(
    tx: Tx,
    caller: Caller,
    kind: OperationKind,
    *,
    why: str | None = None,
    touched: int = 1,
) -> int:
    """Record that *caller* does *kind* of thing to *touched* rows; return its id."""
    rows = tx.fetch(
        APPEND,
        {
            "organisation_id": tx.organisation_id,
            **caller_parameters(caller),
            "kind": kind,
            "why": why,
            "touched": touched,
        },
    )
    operation_id: int = rows[0]["id"]
    return operation_id
