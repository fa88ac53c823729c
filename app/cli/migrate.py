"""``dncd migrate``: bring the database up to date, apart from serving."""

import click

from app.cli.session import database_url, owner_url, told_in_one_line
from app.settings import Settings
from app.store import migrations


@click.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    with told_in_one_line():
        settings = Settings.from_environment()
        with database_url(settings) as url:
            migrations.migrate(owner_url(settings, url))
    click.echo(f"The database is at migration {migrations.newest_revision()}.")
