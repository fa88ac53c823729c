"""``dncd backup`` and ``dncd restore``."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from app.cli.session import database_url, owner_url, told_in_one_line
from app.files import anchors, key_file
from app.settings import Settings
from app.store import backup_reading, backups, restores
from app.store.backup_archive import Manifest
from app.store.backups import Known


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE|DIRECTORY")
def backup(target: Path) -> None:
    """
    Write everything in the database to a file, as of one moment.

    The service goes on meanwhile. In a DIRECTORY the file is named after the time. It
    has its name once it is whole, has been read again and is on disk; only its owner
    may read it. The key file is not in it: keep that, too, and elsewhere.
    """
    with told_in_one_line():
        settings = Settings.from_environment()
        path = target
        if target.is_dir():
            path = target / f"dncd-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup"
        with database_url(settings) as url:
            made = backups.make(owner_url(settings, url), path, _known(settings))
    click.echo(f"{path} holds {_describe(made)}.")


@click.command()
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE"
)
@click.option(
    "--check",
    is_flag=True,
    help="Only read the backup to its end and say what it holds; needs no database.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Also where the database is not empty: it is kept under another name.",
)
def restore(file: Path, *, check: bool, force: bool) -> None:
    """
    Restore a backup: all of it, or nothing.

    The database must be empty. What was acknowledged after the backup was made is not
    in it: the service refuses to answer for any number until somebody has looked
    (`dncd recovery show`) and has confirmed it.
    """
    with told_in_one_line():
        if check:
            click.echo(f"{file} holds {_describe(backup_reading.verify(file))}.")
            return
        settings = Settings.from_environment()
        with database_url(settings) as url:
            done = restores.restore(file, owner_url(settings, url), force=force)
    click.echo(f"Restored {_describe(done.manifest)}.")
    if done.kept_as:
        click.echo(f"The former database is kept as {done.kept_as!r}.")


def _known(settings: Settings) -> Known:
    """Return what a backup should tell of the files beside the database."""
    anchor, key = anchors.newest(settings.anchor_file), key_file.find(settings.key_file)
    return Known(asdict(anchor) if anchor else None, key.fingerprint if key else None)


def _describe(manifest: Manifest) -> str:
    entries = manifest.rows.get("dnc_entry", 0)
    return (
        f"{entries} entries and {manifest.operations} operations as of "
        f"{manifest.made_at}, at migration {manifest.revision}"
    )
