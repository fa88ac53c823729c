"""What PostgreSQL can do to us; no psycopg exception leaves the store as one."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from app.domain.errors import StoreUnavailable


@contextmanager
def as_domain_errors() -> Iterator[None]:
    """
    Raise StoreUnavailable for whatever PostgreSQL refuses and no statement expects.

    Only the kind is named: PostgreSQL's own words can hold a phone number.
    """
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise StoreUnavailable(type(error).__name__) from error


def first_line(error: BaseException) -> str:
    """Return what PostgreSQL says of *error*, for whoever is at the command line."""
    return str(error).strip().partition("\n")[0]
