"""``dncd openapi``: the OpenAPI document, as openapi.yaml holds it."""

import click

from app.http import openapi as document
from app.settings import Settings
from app.web import build_app


@click.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    app = build_app(Settings.from_environment({}), "")
    click.echo(document.read(app), nl=False)
