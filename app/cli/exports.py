"""``dncd export``: the do-not-call list into a file."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import click

from app.cli.progress import Bar, progress_bar
from app.cli.session import default_organisation_option, services_for
from app.domain import scopes
from app.files.compression import packing


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
def export(organisation: str, output: str, campaign: str | None) -> None:
    """
    Write the do-not-call list as CSV, as of one moment.

    What it writes can be imported elsewhere as it is. A file gets its name when it is
    whole, and only its owner may read it.
    """
    with (
        services_for(organisation) as (services, caller),
        _written(output) as write,
        progress_bar(hidden=output == "-" and sys.stdout.isatty()) as bar,
    ):
        meant = scopes.read_campaign(campaign) if campaign else None
        total = services.exports.count(caller, meant) if bar.is_shown else 0
        with closing(services.exports.stream(caller, meant)) as blocks:
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


@contextmanager
def _written(output: str) -> Iterator[Callable[[bytes], object]]:
    """Yield what writes to *output*, which is there only when all is written."""
    if output == "-":
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    # What is named is replaced, not the link to it; and a device or pipe never.
    path = Path(output).resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file, packing(file, path.name) as write:
            yield write
        return
    descriptor, forming = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with packing(file, path.name) as write:
                yield write
            file.flush()
            os.fsync(file.fileno())
        Path(forming).rename(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(forming).unlink()
        raise
