"""
A statement that is asked before every call, at a third of a cursor's cost.

psycopg's cursors find out anew for each statement what this one always knows: whether
it is prepared, how its parameters are written, what its columns are called. Here it is
sent through psycopg's own libpq layer (``psycopg.pq``); only its rows are converted.
"""

import select
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import Connection, errors, pq
from psycopg.adapt import Transformer

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A statement with parameters ``$1``, ``$2`` …, all texts, prepared as *name*."""

    name: str
    statement: LiteralString


def prepare(connection: Connection[Any], lookup: Lookup) -> None:
    """Prepare *lookup* for as long as the connection lives."""
    connection.execute(f"PREPARE {lookup.name} AS {lookup.statement}", prepare=False)


def send(
    connection: Connection[Any],
    lookup: Lookup,
    parameters: Sequence[str],
    deadline: float,
) -> Rows:
    """
    Return the rows of *lookup*, prepared on this idle connection; one round trip.

    Raises psycopg's errors; OperationalError, with the connection ended, if the server
    does not answer within *deadline* seconds.
    """
    server = connection.pgconn
    begin(connection, lookup, parameters)
    while server.flush():
        _wait(server, select.POLLIN | select.POLLOUT, deadline)
    result = _receive(server, deadline)
    _drain(server, deadline)
    return read(connection, result)


def begin(
    connection: Connection[Any], lookup: Lookup, parameters: Sequence[str]
) -> None:
    """Begin to send *lookup*, prepared on this idle connection; waits for nothing."""
    encoded = [parameter.encode() for parameter in parameters]
    connection.pgconn.send_query_prepared(lookup.name.encode(), encoded)


def read(connection: Connection[Any], result: pq.abc.PGresult | None) -> Rows:
    """Return the rows of a whole *result*; raises psycopg's errors for any other."""
    if result is None or result.status != pq.ExecStatus.TUPLES_OK:
        raise _failure(connection.pgconn, result)
    rows = Transformer(connection)
    rows.set_pgresult(result)
    return rows.load_rows(0, result.ntuples, tuple)


def _receive(server: pq.abc.PGconn, deadline: float) -> pq.abc.PGresult | None:
    while server.is_busy():
        _wait(server, select.POLLIN, deadline)
        server.consume_input()
    return server.get_result()


def _drain(server: pq.abc.PGconn, deadline: float) -> None:
    """Take what follows a result, so that the connection is idle again."""
    while _receive(server, deadline) is not None:
        pass


def _wait(server: pq.abc.PGconn, events: int, deadline: float) -> None:
    waiting = select.poll()
    waiting.register(server.socket, events)
    if not waiting.poll(deadline * 1000):
        server.finish()
        message = "the database did not answer in time"
        raise errors.OperationalError(message)


def _failure(server: pq.abc.PGconn, result: pq.abc.PGresult | None) -> errors.Error:
    if result is None:
        return errors.OperationalError(server.get_error_message())
    return errors.error_from_result(result)
