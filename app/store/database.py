"""
Connections, transactions and deadlines.

Nothing outside this module opens a connection. Each statement runs under the role
``dncd_app`` and for one organisation, so that row-level security holds whoever wrote
it. A transaction puts them on for itself. A single statement runs on a connection that
has put them on already, or does so with it; behind pgbouncer's transaction pooling,
where no session belongs to us, it is wrapped in a transaction.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass
from enum import Enum
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg import errors, pq
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

from app.domain import patience
from app.domain.errors import OutcomeUnknown, StoreUnavailable
from app.store import joining, lookups, server_log
from app.store.failures import as_domain_errors
from app.store.lookups import Lookup, Rows
from app.store.pulse import Pulse, watched

Parameters = Mapping[str, object]

# For a transaction (*local*), or for the connection until it is told otherwise.
ENTER: LiteralString = """
    SELECT set_config('role', 'dncd_app', %(local)s),
           set_config('dncd.organisation', %(organisation_id)s, %(local)s),
           set_config('dncd.organisation_name', %(organisation_name)s, %(local)s),
           set_config('dncd.secret_hash', %(secret_hash)s, %(local)s),
           set_config('plan_cache_mode', %(plan_cache_mode)s, %(local)s),
           set_config('enable_seqscan', %(scans)s, %(local)s),
           set_config('enable_bitmapscan', %(scans)s, %(local)s),
           set_config('enable_hashjoin', %(joins)s, %(local)s),
           set_config('enable_mergejoin', %(joins)s, %(local)s)
"""

# And only where the database is what this process believes it to be: one that was put
# in its place meanwhile, which takes a new connection, is asked before it answers.
ENTER_TELLING: LiteralString = f"""
    {ENTER},
           dncd_require(
               %(code)s, %(chain)s::uuid, %(sequence)s::bigint, decode(%(root)s, 'hex')
           )
"""

# Instants come as UTC, whatever zone the server is set to, and values stay out of its
# log.
SETTLE: LiteralString = f"SET TimeZone TO 'UTC'; {server_log.QUIETEN}"

# What a worker has given up, or died in the middle of, holds up nobody for long, and
# does not happen after all when nobody expects it any more.
GIVE_UP = """
    SET idle_in_transaction_session_timeout TO '60s';
    SET client_connection_check_interval TO '500ms'
"""

BEGIN = "BEGIN"

# Every statement of the transaction sees what the first one saw.
BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# The same, and it may write: what it has not seen, it will see the next time.
BEGIN_REPEATABLE = "BEGIN ISOLATION LEVEL REPEATABLE READ"

LIMIT = "SELECT set_config('statement_timeout', %(milliseconds)s, true)"

# How long a request waits for a connection, and an operator's command.
POOL_SECONDS = 1.0
COMMAND_POOL_SECONDS = 30.0

# How long a command takes silence for work.
COMMAND_SILENCE_SECONDS = 10.0

ACT = "SELECT set_config('dncd.operation', %(operation_id)s, true)"


class Plans(Enum):
    """
    How PostgreSQL plans the statements of a transaction.

    AUTO as it does by itself. BY_INDEX once a connection, whatever the parameters, and
    by an index alone: for pages of a long list, of which PostgreSQL knows too little to
    see that it need not read it whole. BY_NUMBER so, and one number after another: its
    plan must still be good when a list that was short has grown by millions, and when
    one organisation's is a thousand times as long as the others'.
    """

    AUTO = ("auto", "on", "on")
    BY_INDEX = ("force_generic_plan", "off", "on")
    BY_NUMBER = ("force_generic_plan", "off", "off")


@dataclass(frozen=True, slots=True)
class Scope:
    """
    As whom a transaction sees the database: one organisation, or a proof of one.

    *plans* tells whether its statements are best answered always in the same way, which
    is then planned once a connection. *tells*: what they say of numbers is believed.
    """

    organisation_id: int | None = None
    organisation_name: str = ""
    secret_hash: bytes = b""
    plans: Plans = Plans.AUTO
    tells: bool = False

    def as_parameters(self, *, local: bool) -> Parameters:
        """Return what ENTER wants."""
        return {
            "local": local,
            "organisation_id": str(self.organisation_id or ""),
            "organisation_name": self.organisation_name,
            "secret_hash": self.secret_hash.hex(),
            "plan_cache_mode": self.plans.value[0],
            "scans": self.plans.value[1],
            "joins": self.plans.value[2],
        }


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

    def limit(self, seconds: float) -> None:
        """Let the server end each statement from here on that takes longer."""
        self.connection.execute(LIMIT, {"milliseconds": str(round(seconds * 1000))})

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


class BoundedConnection(psycopg.Connection[DictRow]):
    """A connection that no hung server can hold for longer than the deadline."""

    # For one answer; a request has less for all of its answers together.
    deadline: float = 1.4

    # Whether whoever waits for this is served, and may not wait any longer than that.
    hurried = True

    # As whom its session sees the database outside transactions.
    entered_as: Scope | None = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """Take psycopg's own arguments."""
        super().__init__(*arguments, **settings)
        self.prepared: set[str] = set()
        self.pulse = Pulse()

    def wait(
        self, gen: Any, interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """Wait for the server; a deadline that passes ends the connection."""
        began, seconds = self.begin_waiting()
        try:
            return super().wait(gen, interval, timeout or seconds)
        except errors._WaitTimeout as error:  # noqa: SLF001  psycopg has no public name
            self.pgconn.finish()
            message = "the database did not answer in time"
            raise errors.OperationalError(message) from error
        finally:
            self.end_waiting(began, seconds)

    def begin_waiting(self) -> tuple[float, float]:
        """
        Return the instant, and how long the server has for its next answer.

        Ends the connection and raises OperationalError where no time is left.
        """
        seconds = patience.left(self.deadline) if self.hurried else self.deadline
        if seconds <= 0:
            self.pgconn.finish()
            message = "the database did not answer in time"
            raise errors.OperationalError(message)
        return time.monotonic(), seconds

    def end_waiting(self, began: float, seconds: float) -> None:
        """Know whether the server has answered what it was asked at *began*."""
        if not self.hurried:
            return
        now = time.monotonic()
        patience.spend(now - began)
        if not self.closed:
            # In a pipeline this may only have been sent.
            if self._pipeline is None:
                self.pulse.answered(now)
        elif now >= began + seconds:
            self.pulse.missed(began, seconds)

    @contextmanager
    def allowed(self, seconds: float | None) -> Iterator[None]:
        """Let each answer take that long until the block ends; None changes nothing."""
        usual = self.deadline, self.hurried
        if seconds is not None:
            self.deadline, self.hurried = seconds, False
        try:
            yield
        finally:
            self.deadline, self.hurried = usual


class UnboundedConnection(BoundedConnection):
    """For an operator's command, which may take as long as it takes."""

    deadline = 24 * 3600.0
    hurried = False


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        prepare_statements: bool = True,
        bounded: bool = True,
    ) -> None:
        """
        Make a pool that opens its connections when they are first wanted.

        A request waits at most a second for a connection, and with that no longer than
        ``patience`` allows it; an operator's command (*bounded* false) is not hurried.
        """
        self._url = url
        self._bounded = bounded
        self._pulse = Pulse()
        self._pool = ConnectionPool(
            url,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "prepare_threshold": 5 if prepare_statements else None,
                "connect_timeout": 2,
                # Bulk work waits long for answers, but not for a dead host's.
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "application_name": "dncd",
            },
            configure=self._prepare,
            connection_class=BoundedConnection if bounded else UnboundedConnection,
            min_size=0,
            max_size=connections,
            max_idle=300,
            reconnect_timeout=0.5,
            open=False,
        )
        # What is prepared belongs to a session, and so does what is put on.
        self.keeps_sessions = prepare_statements
        # What ENTER_TELLING wants, once somebody has said what to expect.
        self.expect: Callable[[], Parameters] | None = None
        self._opened_by: int | None = None

    @contextmanager
    def connection(self) -> Iterator[BoundedConnection]:
        """
        Lend a connection, outside any transaction; raises StoreUnavailable.

        At once, where nobody has had an answer of late. A connection found broken by a
        restart of the server is tried once more with another, before anything was sent
        on it.
        """
        if self._opened_by != os.getpid():
            self._pool.open()
            self._opened_by = os.getpid()
        if self._bounded and (seconds := self._pulse.admit()) is not None:
            patience.limit(seconds)
        with as_domain_errors():
            connection = self._living()
            try:
                yield connection
            except BaseException as failure:
                # Whatever it was in the middle of, the server rolls it back. One that
                # takes no changes may have been replaced by one that does.
                if (
                    connection.info.transaction_status != pq.TransactionStatus.IDLE
                    or isinstance(failure, errors.ReadOnlySqlTransaction)
                ):
                    connection.close()
                raise
            else:
                self._pulse.answered(time.monotonic())
            finally:
                self._pool.putconn(connection)

    def _living(self) -> BoundedConnection:
        while True:
            connection = self._get()
            if not _is_hung_up(connection):
                return connection
            connection.close()
            self._pool.putconn(connection)

    def _get(self) -> BoundedConnection:
        """Wait for a connection as long as one may."""
        if not self._bounded:
            return self._pool.getconn(COMMAND_POOL_SECONDS)
        began, seconds = time.monotonic(), patience.left(POOL_SECONDS)
        try:
            connection = self._pool.getconn(seconds)
        except PoolTimeout:
            patience.spend(time.monotonic() - began)
            self._pulse.missed(began, seconds)
            raise
        patience.spend(time.monotonic() - began)
        return connection

    def _prepare(self, connection: BoundedConnection) -> None:
        """Make a new connection one of these."""
        connection.pulse = self._pulse
        connection.execute(SETTLE)
        if self.keeps_sessions and self._bounded:
            # Not every platform's server can look whether its client is there.
            with suppress(errors.InvalidParameterValue):
                connection.execute(GIVE_UP)

    def transaction(
        self, scope: Scope, *, deadline: float | None = None
    ) -> AbstractContextManager[Open]:
        """
        Open a transaction for several statements; it commits when the block ends.

        Bulk work may set another *deadline*, in seconds for each answer. Raises
        OutcomeUnknown when the answer to COMMIT was lost. Inside the block of
        ``shared`` it is a part of that transaction, and committed with it.
        """
        shared = joining.find(self, scope)
        if shared is not None:
            entering = self.entering(scope, local=True)
            return joining.nested(shared, scope, entering, deadline)
        return self._open(scope, BEGIN, deadline)

    @contextmanager
    def shared(self, scope: Scope) -> Iterator[Open]:
        """
        Open a transaction which this thread's others of the same organisation join.

        Those of ``transaction``, and single statements; a snapshot and a look-up read
        what is committed, as ever.
        """
        with self._open(scope, BEGIN, None) as tx, joining.sharing(self, tx):
            yield tx

    def snapshot(
        self, scope: Scope, *, deadline: float | None = None
    ) -> AbstractContextManager[Open]:
        """Open a transaction whose statements all read at one instant, and no more."""
        return self._open(scope, BEGIN_SNAPSHOT, deadline)

    def repeatable(
        self, scope: Scope, *, deadline: float | None = None
    ) -> AbstractContextManager[Open]:
        """Open a transaction that reads at one instant, and may write."""
        return self._open(scope, BEGIN_REPEATABLE, deadline)

    @contextmanager
    def _open(
        self, scope: Scope, begin: LiteralString, deadline: float | None
    ) -> Iterator[Open]:
        with self.connection() as connection:
            with connection.pipeline():
                connection.execute(begin)
                connection.execute(*self.entering(scope, local=True))
            with connection.allowed(deadline), self._watching(connection, deadline):
                try:
                    yield Open(connection, scope)
                except BaseException:
                    if not connection.closed:
                        connection.execute("ROLLBACK")
                    raise
                try:
                    connection.execute("COMMIT", prepare=False)
                except errors.OperationalError as error:
                    raise OutcomeUnknown(type(error).__name__) from error

    def entering(
        self, scope: Scope, *, local: bool
    ) -> tuple[LiteralString, Parameters]:
        """Return the statement that puts *scope* on, with its parameters."""
        parameters = scope.as_parameters(local=local)
        if not scope.tells or self.expect is None:
            return ENTER, parameters
        return ENTER_TELLING, {**parameters, **self.expect()}

    def _watching(
        self, connection: BoundedConnection, deadline: float | None
    ) -> AbstractContextManager[None]:
        """Whatever may take long is watched, so that silence is noticed at once."""
        if not self._bounded:
            return watched(connection, self._url, COMMAND_SILENCE_SECONDS)
        return nullcontext() if deadline is None else watched(connection, self._url)

    def of(self, organisation_id: int) -> Once:
        """Return where single statements run for that organisation."""
        return Once(self, Scope(organisation_id))

    def telling(self, organisation_id: int) -> Once:
        """Return where those run that tell what is listed, and are believed."""
        return Once(self, Scope(organisation_id, tells=True))

    def within(self, scope: Scope) -> Once:
        """Return where single statements run for whoever proves to be of *scope*."""
        return Once(self, scope)

    def close(self) -> None:
        """End every connection."""
        self._pool.close()


def _required(scope: Scope) -> int:
    if scope.organisation_id is None:
        message = "this transaction was opened for no organisation"
        raise StoreUnavailable(message)
    return scope.organisation_id


def _is_hung_up(connection: psycopg.Connection[DictRow]) -> bool:
    """
    Whether the server has ended an idle connection; costs one poll, no trip.

    It has nothing to say on an idle connection but farewell. Where it was only a
    notice, a new connection does no harm.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
