"""What PostgreSQL can do to us; no psycopg exception leaves the store as one."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from app.domain.errors import StoreUnavailable

UNAVAILABLE = (
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
    errors.OperationalError,
    errors.InterfaceError,
    errors.InternalError,
    errors.InsufficientPrivilege,
    errors.ReadOnlySqlTransaction,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
)


@contextmanager
def as_domain_errors() -> Iterator[None]:
    """Raise StoreUnavailable, naming only the kind, for whatever PostgreSQL refuses."""
    try:
        yield
    except UNAVAILABLE as error:
        raise StoreUnavailable(type(error).__name__) from error
