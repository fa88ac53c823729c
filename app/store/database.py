"""
A pool of connections to the database, and the transactions that run on them.

Nothing outside this module takes a connection of the service's.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import partial
from typing import LiteralString

from psycopg import errors, pq
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from app.domain import patience
from app.domain.errors import OutcomeUnknown
from app.store import joining, roles, server_log, transactions
from app.store.connections import BoundedConnection, UnboundedConnection
from app.store.failures import as_domain_errors
from app.store.pulse import Pulse, connect_seconds, watched
from app.store.roles import Scope
from app.store.transactions import Once, Open, Parameters

# Instants come as UTC, whatever zone the server is set to, and values stay out of its
# log.
SETTLE: LiteralString = f"SET TimeZone TO 'UTC'; {server_log.QUIETEN}"

# What a worker has given up, or died in the middle of, holds up nobody for long, and
# does not happen after all when nobody expects it any more.
GIVE_UP = """
    SET idle_in_transaction_session_timeout TO '60s';
    SET client_connection_check_interval TO '500ms'
"""

# How long an operator's command waits for a connection.
COMMAND_POOL_SECONDS = 30.0
AT_ONCE_SECONDS = 0.001

# How long a command takes silence for work.
COMMAND_SILENCE_SECONDS = 10.0


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

        A request waits for a connection as ``patience`` allows it; an operator's
        command (*bounded* false) is not hurried.
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
                "connect_timeout": connect_seconds(patience.turn_seconds()),
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
            # Whoever still waits then is not tried for any more.
            reconnect_timeout=patience.turn_seconds() / 2,
            open=False,
        )
        # What is prepared belongs to a session, and so does what is put on.
        self.keeps_sessions = prepare_statements
        # What roles.ENTER_TELLING wants, once somebody has said what to expect.
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

    def lend_at_once(self) -> BoundedConnection | None:
        """
        Lend a connection that is idle, or has ended, or None; waits for nothing.

        Whoever gets one gives it to ``take_back``.
        """
        if (
            self._opened_by != os.getpid()
            or self._pulse.is_weak
            or not self._pool.get_stats()["pool_available"]
        ):
            return None
        try:
            # A thread might be quicker; without any time the pool gives nothing.
            return self._pool.getconn(AT_ONCE_SECONDS)
        except (PoolTimeout, PoolClosed, TooManyRequests):
            return None

    def take_back(self, connection: BoundedConnection) -> None:
        """Take a connection that was lent at once, and is idle or closed."""
        self._pool.putconn(connection)

    def _living(self) -> BoundedConnection:
        while True:
            connection = self._get()
            if not connection.is_hung_up():
                return connection
            connection.close()
            self._pool.putconn(connection)

    def _get(self) -> BoundedConnection:
        """Wait for a connection as long as one may."""
        if not self._bounded:
            return self._pool.getconn(COMMAND_POOL_SECONDS)
        return patience.take_turn(self._get_within)

    def _get_within(self, seconds: float) -> BoundedConnection:
        began = time.monotonic()
        try:
            return self._pool.getconn(seconds)
        except PoolTimeout:
            self._pulse.missed(began, seconds)
            raise

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
            if deadline is not None:
                watching = partial(self._watching, shared.connection, deadline)
                shared.connection.allow_more(deadline, watching)
            return joining.nested(shared, scope, entering)
        return self._open(scope, transactions.BEGIN, deadline)

    @contextmanager
    def shared(self, scope: Scope) -> Iterator[Open]:
        """
        Open a transaction which this thread's others of the same organisation join.

        Those of ``transaction``, and single statements; a snapshot and a look-up read
        what is committed, as ever.
        """
        with (
            self._open(scope, transactions.BEGIN, None) as tx,
            joining.sharing(self, tx),
        ):
            yield tx

    def snapshot(
        self, scope: Scope, *, deadline: float | None = None
    ) -> AbstractContextManager[Open]:
        """Open a transaction whose statements all read at one instant, and no more."""
        return self._open(scope, transactions.BEGIN_SNAPSHOT, deadline)

    def repeatable(
        self, scope: Scope, *, deadline: float | None = None
    ) -> AbstractContextManager[Open]:
        """Open a transaction that reads at one instant, and may write."""
        return self._open(scope, transactions.BEGIN_REPEATABLE, deadline)

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
            return roles.ENTER, parameters
        return roles.ENTER_TELLING, {**parameters, **self.expect()}

    def _watching(
        self, connection: BoundedConnection, deadline: float | None
    ) -> AbstractContextManager[None]:
        """Whatever may take long is watched, so that silence is noticed at once."""
        if not self._bounded:
            return watched(connection, self._url, COMMAND_SILENCE_SECONDS)
        if deadline is None:
            return nullcontext()
        # A client that waits for an answer over HTTP is told in time.
        return watched(connection, self._url, patience.silence_seconds())

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
