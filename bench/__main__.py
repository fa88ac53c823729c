"""``python -m bench``: choose the benchmarks, run them, tell what they found."""

import os
import platform
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from bench import batches, checks, imports, inserts, scrubs, searches
from bench.environment import Stage, prepared
from bench.report import Report
from bench.servers import NotAvailable

BENCHMARKS: dict[str, Callable[[Stage], None]] = {
    "check": checks.run,
    "insert": inserts.run,
    "batch": batches.run,
    "search": searches.run,
    "scrub": scrubs.run,
    "import": imports.run,
}


def _names(_context: click.Context, _parameter: object, value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if unknown := set(names) - set(BENCHMARKS):
        raise click.BadParameter(f"no benchmark is called {', '.join(unknown)}")
    return names


@click.command()
@click.option("--entries", default=1_000_000, show_default=True, help="On the list.")
@click.option("--only", default="", callback=_names, help="These, by comma.")
@click.option("--without", default="", callback=_names, help="All but these.")
@click.option("--seconds", default=2.0, show_default=True, help="Of each load.")
@click.option("--repeats", default=3, show_default=True, help="Of each measurement.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write it here.")
@click.option("--strict", is_flag=True, help="A missed bar is a failure.")
def main(
    entries: int,
    only: list[str],
    without: list[str],
    seconds: float,
    repeats: int,
    file: Path | None,
    *,
    strict: bool,
) -> None:
    """Measure dncd beside what the same work costs without it."""
    # A shell's background job ignores SIGINT otherwise.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else 110)
    chosen = [n for n in BENCHMARKS if n in (only or BENCHMARKS) and n not in without]
    report = Report(
        {
            "entries": entries,
            "seconds": seconds,
            "repeats": repeats,
            "benchmarks": chosen,
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
    )
    began = time.monotonic()
    console.print(f"{entries:,} entries are put on a list …")
    with prepared(entries, seconds, repeats, report) as stage:
        console.print(f"… in {report.about['fill_seconds']} s.")
        for name in chosen:
            try:
                BENCHMARKS[name](stage)
            except NotAvailable as missing:
                report.faults.append(f"{name}: {missing}")
            report.print_lines(console, name)
    report.about["total_seconds"] = round(time.monotonic() - began)
    report.print_end(console)
    if file is not None:
        report.write_json(file)
    sys.exit(1 if report.faults or (strict and report.missed) else 0)


if __name__ == "__main__":
    main()
