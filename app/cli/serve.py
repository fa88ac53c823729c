"""``dncd serve``: PostgreSQL, migrations, the first token, then the HTTP server."""

import gc
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import click
import structlog
from flask import Flask
from gunicorn.app.base import BaseApplication

from app import gunicorn_conf
from app.bootstrap import command_services
from app.cli import session
from app.cli.sealer import sealing_beside
from app.cli.session import actor, database_url, owner_url, told_in_one_line
from app.domain.access import Organisation
from app.domain.errors import SettingInvalid
from app.domain.recoveries import describe
from app.http import loop_lane, metrics, request_log
from app.http.loop_lane import LoopLane
from app.settings import Settings
from app.store.migrations import migrate
from app.web import build_app, build_rates

FIRST_ORGANISATION = Organisation(
    id=0,
    name=session.FIRST_ORGANISATION,
    time_zone="UTC",
    default_phone_code="1",
    editions={},
    checking_enabled=True,
)

HOW_TO_USE = """\
dncd made organisation "default" and a token with every grant, kept in {file}.
Put a number on the list:

    curl http://{host}:{port}/v1/dnc/insert -d auth_token=$(cat {file}) \\
         -d phone_number=5551234567 -d phone_code=1 -d campaign_id=0
"""


class Service(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn, configured by our settings alone."""

    def __init__(self, settings: Settings, url: str) -> None:
        """Serve what *settings* say, on the database at *url*."""
        self._settings = settings
        self._url = url
        self._rates = build_rates(settings)
        super().__init__()

    def load_config(self) -> None:
        """Take gunicorn's settings from ours."""
        chosen = self._settings
        wanted = gunicorn_conf.settings(
            chosen.host, chosen.port, chosen.workers, chosen.threads
        )
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application of one worker, made after the fork."""
        return _begin_worker(
            partial(build_app, self._settings, self._url, rates=self._rates)
        )


def _begin_worker(build: Callable[[], Flask]) -> Flask:
    """Return the application of this worker, which *build* makes."""
    request_log.configure()
    metrics.share_between_workers()
    app = build()
    # It stays as long as the worker does, like all that was imported for it.
    gc.freeze()
    return app


_log = structlog.get_logger()

Run = Callable[[Settings, str], None]


def run_gunicorn(settings: Settings, url: str) -> None:
    """Serve with gunicorn; does not return."""
    Service(settings, url).run()


def run_granian(settings: Settings, url: str) -> None:
    """Serve with granian until it is told to stop."""

    def make_app() -> tuple[Flask, LoopLane | None]:
        at_end = granian_server.at_worker_end
        app = _begin_worker(
            partial(build_app, settings, url, at_end=at_end, rates=rates)
        )
        return app, loop_lane.find(app)

    granian_server = _granian_server()
    rates = build_rates(settings)
    granian_server.serve(
        make_app, settings.host, settings.port, settings.workers, settings.threads
    )


@click.command()
@click.option("--host", help="The address to listen on [127.0.0.1].")
@click.option("--port", type=click.IntRange(1, 65535), help="The port [8080].")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes [2].")
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the do-not-call list over HTTP."""
    with told_in_one_line():
        chosen = Settings.from_environment()
        settings = replace(
            chosen,
            host=host or chosen.host,
            port=port or chosen.port,
            workers=workers or chosen.workers,
        )
        run = _choose_server(settings)
        request_log.configure()
        with database_url(settings, serving=True) as url:
            _prepare_metrics(settings)
            migrate(owner_url(settings, url))
            _start_first(settings, url)
            with sealing_beside(settings, url):
                run(settings, url)


def _choose_server(settings: Settings) -> Run:
    """Return the server that is wanted; raises SettingInvalid if it is not there."""
    if settings.server == "gunicorn":
        return run_gunicorn
    _granian_server()
    return run_granian


def _granian_server() -> Any:
    try:
        from app import granian_server  # noqa: PLC0415  # an extra brings it
    except ModuleNotFoundError as error:
        message = "DNCD_SERVER=granian needs granian: install dncd with the extra fast"
        raise SettingInvalid(message) from error
    return granian_server


def _start_first(settings: Settings, url: str) -> None:
    """
    Make the key at the first start, and on an empty database the first organisation.

    Its token is kept in the data directory. Raises KeyRefused for another key.
    """
    with command_services(settings, url) as services:
        services.keys.start()
        if (loss := services.recovery.find_loss()) is not None:
            click.echo(f"dncd does not answer for any number: {describe(loss)}.")
            return
        secret = services.organisations.start(actor(), FIRST_ORGANISATION)
        if leaks := services.readiness.find_leaks():
            _log.warning("numbers_reach_the_log_of_postgresql", settings=leaks)
    if secret is None:
        return
    file = settings.data_dir / "token"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="ascii") as token:  # noqa: PTH123
        os.fchmod(descriptor, 0o600)
        token.write(secret + "\n")
    click.echo(HOW_TO_USE.format(file=file, host=settings.host, port=settings.port))


def _prepare_metrics(settings: Settings) -> None:
    """Give the workers' counters a folder, without those of an earlier run."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = settings.data_dir.resolve() / f"metrics-{settings.port}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
