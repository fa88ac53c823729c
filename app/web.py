"""Where services and dialects meet: the web application of one worker."""

import atexit
from collections.abc import Callable

from flask import Flask

from app.bootstrap import build_services
from app.dialects import DIALECTS
from app.domain import patience
from app.http.application import create_app
from app.http.rates import Rates
from app.services.scrubs import ASKING
from app.settings import Settings
from app.store.database import Database


def build_rates(settings: Settings) -> Rates:
    """Return the rates of this host, to be shared by workers forked after this."""
    return Rates(
        settings.rate_per_token, settings.rate_per_source, settings.guesses_per_source
    )


def build_app(
    settings: Settings,
    database_url: str,
    at_end: Callable[[Callable[[], None]], object] = atexit.register,
    rates: Rates | None = None,
) -> Flask:
    """
    Return the web application of one worker, with a pool of its own.

    What must be closed when the worker ends is told to *at_end*. *rates* are what all
    workers keep together; without, this one keeps its own.
    """
    patience.promise(settings.answer_seconds)
    database = Database(
        database_url,
        # A thread that scrubs a list asks about two parts of it at a time.
        connections=settings.threads * ASKING,
        prepare_statements=settings.prepare_statements,
    )
    # A pool that is left to the interpreter's end holds it up for seconds a thread.
    at_end(database.close)
    return create_app(
        build_services(database, settings.key_file, settings.anchor_file),
        DIALECTS,
        editions=settings.editions,
        trusted_proxies=settings.trusted_proxies,
        bounds=rates or build_rates(settings),
        threads=settings.threads,
    )
