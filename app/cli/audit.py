"""``dncd audit``: seal, export and verify the history."""

import json
import sys
from pathlib import Path

import click

from app.audit import verify
from app.audit.couriers import Courier
from app.audit.verify import Anchor, Report
from app.cli.files import written
from app.cli.sealer import anchoring_of, couriers
from app.cli.session import services, told_in_one_line
from app.files.anchors import every
from app.settings import Settings


@click.group()
def audit() -> None:
    """Prove that nobody has rewritten the history."""


@audit.command()
def seal() -> None:
    """
    Seal what is not sealed, and anchor it.

    `dncd serve` does so every second; this is for whoever serves in another way.
    """
    with services() as found:
        settings = Settings.from_environment()
        count = found.sealing.run()
        anchoring = anchoring_of(settings, found)
        anchor = anchoring.keep(at_once=True)
        click.echo(f"{count} operations sealed")
        newest = anchor or found.sealing.newest()
        if newest is not None:
            click.echo(f"seal {newest.sequence}, root {newest.root}")
        if anchor is not None:
            _carry(couriers(settings), anchor)


def _carry(found: list[Courier], anchor: Anchor) -> None:
    for courier in found:
        try:
            courier.carry(anchor)
        except OSError as error:
            kind = type(error).__name__
            click.echo(f"not anchored by {courier.name}: {kind}", err=True)


@audit.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def export_(file: str) -> None:
    """
    Write the whole history, of all organisations, with its seals, as lines of JSON.

    It holds the numbers, and the salts without which nobody could verify: keep it as
    safe as the database. A name in .gz is compressed.
    """
    with services() as found, written(file) as write:
        for record in found.audit.records():
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
            write(line.encode() + b"\n")


@audit.command("verify")
@click.option(
    "--export",
    "export_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Verify this export, and not the database.",
)
@click.option(
    "--anchors",
    "anchors_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Anchors that were kept elsewhere [the service's own file].",
)
def verify_(export_file: Path | None, anchors_file: Path | None) -> None:
    """
    Find whatever of the history is not as it was sealed; exit status 1 if anything.

    Without anchors that nobody could change, a chain made anew from end to end looks
    as good as the old one.
    """
    with told_in_one_line():
        file = anchors_file or Settings.from_environment().anchor_file
        try:
            read = verify.require_anchors if anchors_file else every
            anchors = read(file)
            report = _verify_file(export_file, anchors) if export_file else None
        except (ValueError, KeyError, TypeError) as error:
            message = f"cannot be verified: {error}"
            raise click.ClickException(message) from error
    if report is None:
        with services() as found:
            report = found.audit.verify(anchors)
    for line in report.lines():
        click.echo(line)
    if not anchors:
        click.echo(f"no anchors in {file}: compare the root with one kept elsewhere")
    sys.exit(0 if report.clean else 1)


def _verify_file(file: Path, anchors: list[verify.Anchor]) -> Report:
    return verify.verify(verify.read_export(file), anchors)
