"""
Where statements run: in an open transaction, or each as a transaction of its own.

An open one puts its role and organisation on for itself. A single statement runs on a
connection that has put them on already, or does so with it; behind pgbouncer's
transaction pooling, where no session belongs to us, it is wrapped in a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, LiteralString, Protocol

import psycopg
from psycopg import errors
from psycopg.rows import DictRow, tuple_row

from app.domain.errors import OutcomeUnknown, StoreUnavailable
from app.store import joining, lookups, underway
from app.store.connections import BoundedConnection
from app.store.lookups import Lookup, Rows
from app.store.roles import Scope

if TYPE_CHECKING:
    from app.store.database import Database

Parameters = Mapping[str, object]

BEGIN = "BEGIN"

# Every statement of the transaction sees what the first one saw.
BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# The same, and it may write: what it has not seen, it will see the next time.
BEGIN_REPEATABLE = "BEGIN ISOLATION LEVEL REPEATABLE READ"

LIMIT = "SELECT set_config('statement_timeout', %(milliseconds)s, true)"

TURN = "SELECT set_config('dncd.organisation', %(organisation_id)s, true)"

ACT = "SELECT set_config('dncd.operation', %(operation_id)s, true)"


class Tx(Protocol):
    """What a store function needs: somewhere to run its one statement."""

    @property
    def organisation_id(self) -> int:
        """The organisation whose rows are seen."""
        ...

    def fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """Run one statement and return its rows; raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Open:
    """An open transaction, for what needs several statements."""

    connection: BoundedConnection
    scope: Scope

    @property
    def organisation_id(self) -> int:
        """The organisation whose rows are seen."""
        return _required(self.scope)

    def fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """Run one statement inside the transaction."""
        cursor = self.connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    def fetch_rows(self, statement: LiteralString, parameters: Parameters) -> Rows:
        """Run one statement of very many rows, which come as tuples; plan it anew."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(statement, parameters, prepare=False).fetchall()

    def fetch_each(
        self, statement: LiteralString, many: Iterable[Parameters]
    ) -> Iterator[Rows]:
        """Run one statement with each of *many*; one is read while the next is run."""
        with self.connection.pipeline(), ExitStack() as open_cursors:
            cursors = []
            for parameters in many:
                cursor = self.connection.cursor(row_factory=tuple_row)
                cursors.append(open_cursors.enter_context(cursor))
                cursor.execute(statement, parameters, prepare=False)
            for cursor in cursors:
                yield cursor.fetchall()

    def limit(self, seconds: float) -> None:
        """Let the server end each statement from here on that takes longer."""
        self.connection.execute(LIMIT, {"milliseconds": str(round(seconds * 1000))})

    def turn_to(self, organisation_id: int) -> Open:
        """Go on as that organisation, in the same transaction."""
        self.fetch(TURN, {"organisation_id": str(organisation_id)})
        return replace(self, scope=Scope(organisation_id))

    def act_for(self, operation_id: int) -> None:
        """Let entries that end from here on end by that operation."""
        self.connection.execute(ACT, {"operation_id": str(operation_id)})


@dataclass(frozen=True, slots=True)
class Once:
    """One statement that is a transaction of its own, in one round trip."""

    database: Database
    scope: Scope

    @property
    def organisation_id(self) -> int:
        """The organisation whose rows are seen."""
        return _required(self.scope)

    def fetch(self, statement: LiteralString, parameters: Parameters) -> list[DictRow]:
        """
        Run *statement* as a transaction of its own.

        When this returns the transaction is committed. Raises OutcomeUnknown when
        the answer was lost, StoreUnavailable when nothing was sent. Where it joins
        another transaction, it is committed with that one.
        """
        shared = joining.find(self.database, self.scope)
        if shared is not None:
            enter = self.database.entering(self.scope, local=True)
            return joining.fetch(shared, self.scope, enter, statement, parameters)
        with self.database.connection() as connection:
            try:
                cursor = self._execute(connection, statement, parameters)
            except errors.OperationalError as error:
                raise OutcomeUnknown(type(error).__name__) from error
        return cursor.fetchall() if cursor.description else []

    def look_up(self, lookup: Lookup, parameters: Sequence[str]) -> Rows:
        """
        Run a statement that changes nothing, as a transaction of its own.

        One round trip. Raises OutcomeUnknown and StoreUnavailable as ``fetch`` does.
        """
        with self.database.connection() as connection:
            try:
                if (
                    connection.entered_as != self.scope
                    or lookup.name not in connection.prepared
                ):
                    return self._look_up_first(connection, lookup, parameters)
                try:
                    began, seconds = connection.begin_waiting()
                    try:
                        return lookups.send(connection, lookup, parameters, seconds)
                    finally:
                        connection.end_waiting(began, seconds)
                except errors.InvalidSqlStatementName:
                    # psycopg forgets whatever is prepared when it rolls back.
                    connection.prepared.discard(lookup.name)
                    return self._look_up_first(connection, lookup, parameters)
            except psycopg.Error as error:
                # What it has prepared, or has not, is no longer certain.
                connection.close()
                if isinstance(error, errors.OperationalError):
                    raise OutcomeUnknown(type(error).__name__) from error
                raise

    def begin(
        self, lookup: Lookup, parameters: Sequence[str]
    ) -> underway.UnderWay | None:
        """
        Begin what ``look_up`` does, or return None where that would have to wait.

        Without an idle connection that has entered the scope, for example.
        """
        return underway.begin(self.database, self.scope, lookup, parameters)

    def _look_up_first(
        self, connection: BoundedConnection, lookup: Lookup, parameters: Sequence[str]
    ) -> Rows:
        """Enter the scope, prepare and look up, in one round trip."""
        cursor = psycopg.RawCursor(connection, row_factory=tuple_row)
        lasting = self.database.keeps_sessions
        connection.entered_as = None
        with connection.pipeline():
            if not lasting:
                connection.execute(BEGIN)
            connection.execute(*self.database.entering(self.scope, local=not lasting))
            if lasting and lookup.name not in connection.prepared:
                lookups.prepare(connection, lookup)
            cursor.execute(lookup.statement, parameters, prepare=False)
            if not lasting:
                connection.execute("COMMIT")
        if lasting:
            connection.prepared.add(lookup.name)
            connection.entered_as = self.scope
        return cursor.fetchall()

    def _execute(
        self,
        connection: BoundedConnection,
        statement: LiteralString,
        parameters: Parameters,
    ) -> psycopg.Cursor[DictRow]:
        if not self.database.keeps_sessions:
            with connection.pipeline():
                connection.execute(BEGIN)
                connection.execute(*self.database.entering(self.scope, local=True))
                cursor = connection.execute(statement, parameters)
                connection.execute("COMMIT")
            return cursor
        if connection.entered_as == self.scope:
            return connection.execute(statement, parameters)
        connection.entered_as = None
        with connection.pipeline():
            connection.execute(*self.database.entering(self.scope, local=False))
            cursor = connection.execute(statement, parameters)
        connection.entered_as = self.scope
        return cursor


def _required(scope: Scope) -> int:
    if scope.organisation_id is None:
        message = "this transaction was opened for no organisation"
        raise StoreUnavailable(message)
    return scope.organisation_id
