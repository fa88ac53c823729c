"""What every command needs: a database, services, and errors told in one line."""

import getpass
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

import click

from app.bootstrap import command_services
from app.domain.access import Caller
from app.domain.errors import (
    DncError,
    InstantInvalid,
    InstantUnsettled,
    StoreUnavailable,
)
from app.domain.instants import read_instant
from app.services import Services
from app.services.organisations import operator
from app.settings import Settings
from app.store import embedded
from app.store.migrations import migrate

organisation_option = click.option(
    "--organisation",
    required=True,
    metavar="NAME",
    help="The organisation to work on.",
)


# The organisation that the first start makes.
FIRST_ORGANISATION = "default"

default_organisation_option = click.option(
    "--organisation",
    default=FIRST_ORGANISATION,
    show_default=True,
    metavar="NAME",
    help="The organisation to work on.",
)


def _read_instant(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    try:
        return None if value is None else read_instant(value)
    except InstantInvalid as error:
        raise click.BadParameter(str(error)) from error


as_of_option = click.option(
    "--as-of",
    metavar="INSTANT",
    callback=_read_instant,
    help="As it was then: ISO 8601 with a zone, such as 2026-11-21T10:00:00Z.",
)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn what dncd refuses into a message and exit status 1."""
    try:
        yield
    except InstantUnsettled as error:
        message = f"not settled yet, ask again later: {error}"
        raise click.ClickException(message) from error
    except StoreUnavailable as error:
        why = str(error) or (type(error).__doc__ or "").strip().partition("\n")[0]
        message = f"the database cannot be used: {why}"
        raise click.ClickException(message) from error
    except OSError as error:
        raise click.ClickException(str(error)) from error
    except (DncError, embedded.EmbeddedPostgresFailed) as error:
        raise click.ClickException(str(error) or type(error).__doc__ or "") from error


@contextmanager
def database_url(settings: Settings, *, serving: bool = False) -> Iterator[str]:
    """
    Yield where the database is, starting the embedded one if none is configured.

    While it is yielded the database runs. A server (*serving*) owns the embedded
    database; a command joins the one that runs.
    """
    if settings.database_url:
        yield settings.database_url
        return
    start = embedded.owned if serving else embedded.borrowed
    running: AbstractContextManager[embedded.Server] = start(settings.data_dir)
    with running as server:
        yield server.url


def owner_url(settings: Settings, url: str) -> str:
    """Return the login that migrates: the owner of the schema."""
    return settings.owner_database_url or url


def actor() -> str:
    """Return who works at this command line, as history will name them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


@contextmanager
def services() -> Iterator[Services]:
    """Yield the services, on a database that runs and is migrated."""
    # What it has to say of a connection that broke, the one line says.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    with told_in_one_line():
        settings = Settings.from_environment()
        with database_url(settings) as url:
            migrate(owner_url(settings, url))
            with command_services(settings, url) as found:
                yield found


@contextmanager
def services_for(
    organisation: str, *, only_inserts: bool = False
) -> Iterator[tuple[Services, Caller]]:
    """
    Yield the services, and the operator of that organisation as their caller.

    While operations are missing and nobody has confirmed it, only a command that adds
    to the list (*only_inserts*) goes on.
    """
    with services() as found:
        if not only_inserts:
            found.recovery.require_confirmed()
        caller = operator(found.organisations.require(organisation), actor())
        yield found, caller
