"""``dncd import``: a file of numbers onto the do-not-call list."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from app.cli.files import STANDARD, opened
from app.cli.progress import progress_bar
from app.cli.session import default_organisation_option, services_for, told_in_one_line
from app.domain import phone, scopes, texts
from app.files.rejects import RejectsFile
from app.services.imports import (
    ImportOptions,
    ImportReport,
    Outcome,
    Progress,
    Stage,
)

INTERRUPTED = 130


@click.command("import")
@default_organisation_option
@click.option(
    "--campaign",
    default="0",
    show_default=True,
    metavar="ID_OR_CODE",
    help="The list of rows that name none; 0 is the whole organisation's.",
)
@click.option("--purpose", default="", metavar="P", help="Of rows that name none.")
@click.option("--reason", default="", metavar="TEXT", help="Of rows that give none.")
@click.option(
    "--phone-code",
    default="",
    metavar="N",
    help="The calling code of numbers without one [the organisation's].",
)
@click.option("--skip-invalid", is_flag=True, help="Import the rest of the rows.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, change nothing.")
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write the rows that were rejected, each with its line and cause.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.pass_context
def import_(  # noqa: PLR0913, PLR0917  one parameter an option
    context: click.Context,
    file: str,
    organisation: str,
    campaign: str,
    purpose: str,
    reason: str,
    phone_code: str,
    rejects: Path | None,
    *,
    skip_invalid: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Put every number in FILE on the do-not-call list, all or none.

    FILE is CSV with a header, one number a line, or the registry's flat file, as such
    or in gzip or zip; "-" reads standard input. Numbers that are listed already stay as
    they are, so importing a file again changes nothing.
    """
    with told_in_one_line():
        options = ImportOptions(
            campaign=scopes.read_campaign(campaign),
            purpose=texts.read_purpose(purpose),
            reason=texts.read_reason(reason),
            calling_code=phone.read_calling_code(phone_code) if phone_code else None,
            skip_invalid=skip_invalid,
            dry_run=dry_run,
        )
        stage = Stage.READING
        try:
            with ExitStack() as stack:
                source = stack.enter_context(opened(file))
                sink = stack.enter_context(_rejects_file(rejects, file))
                services, caller = stack.enter_context(
                    services_for(organisation, only_inserts=True)
                )
                bar = stack.enter_context(progress_bar())

                def show(progress: Progress) -> None:
                    nonlocal stage
                    stage = progress.stage
                    bar.show(stage.capitalize(), progress.rows, progress.fraction)

                report = services.imports.run(
                    caller, source, options, rejects=sink, progress=show
                )
        except KeyboardInterrupt:
            if stage is Stage.COMMITTING:
                click.echo("Interrupted while committing: import it again.", err=True)
            else:
                click.echo("Interrupted: nothing was stored.", err=True)
            context.exit(INTERRUPTED)
    _tell(report, file, rejects, as_json=as_json)
    if report.rejected and not skip_invalid:
        context.exit(1)


@contextmanager
def _rejects_file(path: Path | None, file: str) -> Iterator[RejectsFile | None]:
    """Yield where rejects go; it holds numbers, so it is for our eyes only."""
    if path is None:
        yield None
        return
    if file != STANDARD and path.exists() and path.samefile(file):
        message = "the rejects would overwrite the file that is imported"
        raise click.UsageError(message)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as sink:  # noqa: PTH123
        yield RejectsFile(sink)


def _tell(
    report: ImportReport, file: str, rejects: Path | None, *, as_json: bool
) -> None:
    if rejects is None:
        for reject in report.first_rejects:
            click.echo(f"{file}:{reject.line}: {reject.cause}", err=True)
        if report.rejected > len(report.first_rejects):
            click.echo("More rows were rejected; see --rejects FILE.", err=True)
    if as_json:
        click.echo(json.dumps(report.as_summary()))
        return
    for cause, rows in report.causes.items():
        click.echo(f"Rejected {rows:,}: {cause}.")
    click.echo(_sentence(report))


def _sentence(report: ImportReport) -> str:
    if report.outcome is Outcome.REFUSED:
        return (
            f"Stored nothing: {report.rejected:,} of {report.read:,} rows were "
            "rejected; --skip-invalid imports the rest."
        )
    verb = "Would import" if report.outcome is Outcome.DRY_RUN else "Imported"
    return (
        f"{verb} {report.inserted:,} of {report.read:,} rows: "
        f"{report.already_listed:,} listed already, {report.repeated:,} repeated, "
        f"{report.rejected:,} rejected."
    )
