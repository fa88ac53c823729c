"""A look-up that is on its way: nobody sleeps on it, an event loop waits for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
from psycopg import errors, pq

from app.domain.patience import NotAtOnce
from app.store import lookups
from app.store.lookups import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.store.connections import BoundedConnection
    from app.store.database import Database
    from app.store.lookups import Lookup
    from app.store.roles import Scope

# The pool lends its connections in turn, and not all of them have entered every scope.
PASSED_OVER = 4


class UnderWay:
    """A prepared statement that was sent, and the connection that it came from."""

    def __init__(
        self, database: Database, connection: BoundedConnection, lookup: Lookup
    ) -> None:
        """Receive what *connection* answers, then give it back to *database*."""
        self._database = database
        self._connection = connection
        self._name = lookup.name
        self._result: pq.abc.PGresult | None = None
        self._began = time.monotonic()
        self._sound = True

    def fileno(self) -> int:
        """Return what can be read from when there is more to ``receive``."""
        return self._connection.pgconn.socket

    def receive(self) -> Rows | None:
        """
        Return the rows, or None while they have not all come; waits for nothing.

        Raises NotAtOnce if the connection has ended meanwhile, which on one that was
        idle nobody looks for first, or no longer knows the statement.
        """
        server = self._connection.pgconn
        try:
            server.consume_input()
            while not server.is_busy():
                result = server.get_result()
                if result is None:
                    rows = lookups.read(self._connection, self._result)
                    self._connection.pulse.answered(time.monotonic())
                    return rows
                self._result = self._result or result
        except errors.InvalidSqlStatementName as error:
            # psycopg forgets whatever is prepared when it rolls back; others may have
            # been prepared anew since.
            self._connection.prepared.discard(self._name)
            raise NotAtOnce from error
        except psycopg.Error as error:
            # What it has prepared, or has not, is no longer certain.
            self._sound = False
            raise NotAtOnce from error
        return None

    def give_up(self, seconds: float) -> None:
        """Know that there was no answer for so many *seconds*."""
        self._connection.pulse.missed(self._began, seconds)

    def close(self) -> None:
        """Give the connection back; its descriptor belongs to others from here on."""
        status = self._connection.pgconn.transaction_status
        if not self._sound or status != pq.TransactionStatus.IDLE:
            self._connection.close()
        self._database.take_back(self._connection)


def begin(
    database: Database, scope: Scope, lookup: Lookup, parameters: Sequence[str]
) -> UnderWay | None:
    """Send *lookup* on an idle connection that has entered *scope*, if there is one."""
    passed_over: list[BoundedConnection] = []
    found = None
    while found is None and len(passed_over) < PASSED_OVER:
        connection = database.lend_at_once()
        if connection is None:
            break
        if connection.entered_as == scope and lookup.name in connection.prepared:
            found = _send(database, connection, lookup, parameters)
        if found is None:
            passed_over.append(connection)
    for connection in passed_over:
        database.take_back(connection)
    return found


def _send(
    database: Database,
    connection: BoundedConnection,
    lookup: Lookup,
    parameters: Sequence[str],
) -> UnderWay | None:
    try:
        lookups.begin(connection, lookup, parameters)
        if not connection.pgconn.flush():
            return UnderWay(database, connection, lookup)
    except psycopg.Error:
        pass
    # Half a question is on its way.
    connection.close()
    return None
