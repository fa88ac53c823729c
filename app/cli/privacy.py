"""``dncd erase`` and ``dncd retention``: what is forgotten, and when."""

import json
import sys
from dataclasses import asdict

import click

from app.cli.files import STANDARD
from app.cli.progress import progress_bar
from app.cli.session import default_organisation_option, services_for
from app.domain import phone, texts
from app.domain.retention import RULE, Forgotten


@click.command()
@default_organisation_option
@click.option(
    "--phone-code", metavar="C", help="The calling code [the organisation's]."
)
@click.option(
    "--reason", default="", help="Why, such as a ticket's number; it is kept."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("number")
def erase(
    organisation: str,
    phone_code: str | None,
    reason: str,
    number: str,
    *,
    as_json: bool,
) -> None:
    """
    Forget NUMBER for good, and go on blocking it.

    Its entries, past versions and leads lose everything personal; each list that held
    it blocks it still. "-" reads the number from standard input, so that it is in no
    list of processes and no shell's history.
    """
    text = sys.stdin.readline().strip() if number == STANDARD else number
    with services_for(organisation) as (services, caller):
        code = phone_code or caller.organisation.default_phone_code
        meant = phone.read(text, phone.read_calling_code(code))
        erased = services.erasures.erase(caller, meant, texts.read_reason(reason))
    if as_json:
        click.echo(json.dumps(asdict(erased)))
        return
    click.echo(
        f"Forgotten: {erased.entries:,} entries, which block it still, "
        f"{erased.versions:,} versions and {erased.leads:,} leads "
        f"(operation {erased.operation_id})."
    )


@click.group()
def retention() -> None:
    """Keep the past as long as the law wants, and no longer than you want."""


@retention.command("set")
@default_organisation_option
@click.argument("months", metavar="MONTHS|forever")
def set_(organisation: str, months: str) -> None:
    """Keep past versions for so many months after they ended, or forever."""
    wanted = None
    if months != "forever":
        if not (months.isascii() and months.isdecimal()):
            message = f"{months!r} is neither a number of months nor forever"
            raise click.BadParameter(message)
        wanted = int(months)
    with services_for(organisation) as (services, caller):
        services.retention.set(caller, wanted)
    kept = "forever" if wanted is None else f"for {wanted} months"
    click.echo(f"The past of {organisation!r} is kept {kept}.")


@retention.command()
@default_organisation_option
def show(organisation: str) -> None:
    """Tell how long the past is kept."""
    with services_for(organisation) as (services, caller):
        months = services.retention.find(caller)
    click.echo("forever" if months is None else f"{months} months")


@retention.command()
@default_organisation_option
@click.option("--dry-run", is_flag=True, help="Only tell how much it would be.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def apply(organisation: str, *, dry_run: bool, as_json: bool) -> None:
    """
    Forget what is personal of versions that ended before the retention.

    What blocks now is never touched. For cron: nothing is printed where there was
    nothing to forget, unless JSON is wanted.
    """
    with services_for(organisation) as (services, caller), progress_bar() as bar:

        def show_progress(so_far: Forgotten) -> None:
            bar.show("Forgetting", so_far.versions, None)

        forgotten = services.retention.apply(
            caller, dry_run=dry_run, progress=show_progress
        )
    if as_json:
        click.echo(json.dumps({**asdict(forgotten), "dry_run": dry_run}))
    elif forgotten != Forgotten():
        would = "Would forget" if dry_run else "Forgot"
        click.echo(
            f"{would} what is personal of {forgotten.versions:,} versions "
            f"and {forgotten.operations:,} operations."
        )


set_.help = f"{set_.help}\n\nAt least 60 months: {RULE}."
