"""``dncd export``: the do-not-call list into a file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime

import click

from app.cli.files import STANDARD, written
from app.cli.progress import Bar, progress_bar
from app.cli.session import as_of_option, default_organisation_option, services_for
from app.domain import scopes


@click.command()
@default_organisation_option
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help='Where to; "-" is standard output, a name in .gz is compressed.',
)
@click.option("--campaign", metavar="ID_OR_CODE", help="One list alone.")
@as_of_option
def export(
    organisation: str, output: str, campaign: str | None, as_of: datetime | None
) -> None:
    """
    Write the do-not-call list as CSV, as of one moment: now, or one that has passed.

    What it writes can be imported elsewhere as it is. A file gets its name when it is
    whole, and only its owner may read it.
    """
    with (
        services_for(organisation) as (services, caller),
        written(output) as write,
        progress_bar(hidden=output == STANDARD and sys.stdout.isatty()) as bar,
    ):
        meant = scopes.read_campaign(campaign) if campaign else None
        total = services.exports.count(caller, meant, as_of) if bar.is_shown else 0
        with closing(services.exports.stream(caller, meant, as_of)) as blocks:
            _write(blocks, write, bar, total)


def _write(
    blocks: Iterator[bytes], write: Callable[[bytes], object], bar: Bar, total: int
) -> None:
    rows = 0
    for block in blocks:
        write(block)
        if bar.is_shown:
            rows += block.count(b"\n")
            bar.show("Exporting", rows, min(rows / total, 1.0) if total else None)
