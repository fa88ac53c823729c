"""``dncd lead`` and ``dncd status``: people to call, and how they stand."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from app.cli.session import organisation_option, services_for
from app.domain import leads, phone, scopes, texts
from app.domain.errors import CampaignUnknown, DncError
from app.domain.leads import LeadDraft, LeadStatus

COLUMNS = (
    "phone_number",
    "phone_code",
    "campaign_id",
    "status",
    "first_name",
    "last_name",
)


@click.group()
def status() -> None:
    """Define the statuses of leads."""


@status.command()
@organisation_option
@click.argument("code")
@click.argument("name")
def add(organisation: str, code: str, name: str) -> None:
    """Add a lead status, or give the one of that code another name."""
    with services_for(organisation) as (services, caller):
        wanted = LeadStatus(leads.read_status(code), texts.read_name(name) or code)
        services.leads.define_status(caller, wanted)
    click.echo(f"Defined lead status {code}.")


@click.group()
def lead() -> None:
    """Import leads."""


@lead.command("import")
@organisation_option
@click.option(
    "--campaign",
    metavar="ID_OR_CODE",
    help="The campaign of rows that name none.",
)
@click.option(
    "--skip-invalid", is_flag=True, help="Import the rest when rows are rejected."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON summary.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def import_(  # noqa: PLR0913  one parameter an option
    context: click.Context,
    organisation: str,
    campaign: str | None,
    file: Path,
    *,
    skip_invalid: bool,
    as_json: bool,
) -> None:
    """
    Import leads from a CSV FILE, in one transaction.

    Its header names the columns: phone_number, and where wanted phone_code,
    campaign_id, status, first_name and last_name.
    """
    with services_for(organisation) as (services, caller):
        drafts: list[LeadDraft] = []
        rejected = 0
        default_code = caller.organisation.default_phone_code
        for line, row in _read_rows(file):
            try:
                drafts.append(_read_lead(row, campaign or "", default_code))
            except DncError as error:
                rejected += 1
                cause = str(error) or (type(error).__doc__ or "").strip()
                click.echo(f"{file}:{line}: {type(error).__name__}: {cause}", err=True)
        imported = 0
        if drafts and (skip_invalid or not rejected):
            console = Console(stderr=True)
            with Progress(console=console, disable=not console.is_terminal) as bar:
                task = bar.add_task("Importing leads", total=len(drafts))
                for imported in services.leads.insert_many(caller, drafts, file.name):
                    bar.update(task, completed=imported)
    if as_json:
        click.echo(json.dumps({"imported": imported, "rejected": rejected}))
    else:
        click.echo(f"Imported {imported} leads, rejected {rejected} rows.")
    if rejected and not skip_invalid:
        context.exit(1)


def _read_rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with the number of its line; raises ClickException."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.DictReader(text, restkey="", restval="")
            if "phone_number" not in (rows.fieldnames or ()):
                message = f"{file} has no column phone_number"
                raise click.ClickException(message)
            for row in rows:
                yield rows.line_num, {name: row.get(name, "") for name in COLUMNS}
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{file} is not CSV in UTF-8: {error}"
        raise click.ClickException(message) from error


def _read_lead(row: dict[str, str], campaign: str, default_code: str) -> LeadDraft:
    calling_code = phone.read_calling_code(row["phone_code"] or default_code)
    meant = row["campaign_id"] or campaign
    if not meant:
        raise CampaignUnknown
    return LeadDraft(
        number=phone.read(row["phone_number"], calling_code),
        campaign=scopes.read_campaign(meant),
        status=leads.read_status(row["status"] or leads.NEW),
        first_name=texts.read_name(row["first_name"]),
        last_name=texts.read_name(row["last_name"]),
    )
