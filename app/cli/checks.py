"""``dncd check`` and ``dncd scrub``: may these numbers be called?"""

import json
import sys
from contextlib import ExitStack, closing
from dataclasses import asdict
from datetime import datetime
from functools import partial

import click

from app.cli.files import STANDARD, opened, written
from app.cli.progress import progress_bar
from app.cli.session import (
    as_of_option,
    default_organisation_option,
    services_for,
)
from app.domain import phone, scopes
from app.domain.rules import Question, Verdict
from app.files.compression import Counted, unpacked
from app.files.lead_lists import Columns, LeadList
from app.services.scrubs import Counts, Status

PART_BYTES = 256 * 1024

# Whatever is not 0 means: do not call. An error is 1 as well.
MAY_NOT_BE_CALLED = 1

campaign_option = click.option(
    "--campaign", default="", metavar="ID_OR_CODE", help="What the calls are for."
)
phone_code_option = click.option(
    "--phone-code", metavar="C", help="The calling code [the organisation's]."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@default_organisation_option
@campaign_option
@phone_code_option
@as_of_option
@json_option
@click.argument("number")
@click.pass_context
def check(  # noqa: PLR0913, PLR0917  one parameter an option
    context: click.Context,
    organisation: str,
    campaign: str,
    phone_code: str | None,
    as_of: datetime | None,
    number: str,
    *,
    as_json: bool,
) -> None:
    """
    Tell whether NUMBER may be called, and what stands against it.

    With --as-of what the list said then, whether or not checking is switched off. The
    exit status is 0 if it may be called and 1 if not.
    """
    with services_for(organisation) as (services, caller):
        question = Question(
            number=phone.read(number, phone.read_calling_code(phone_code))
            if phone_code
            else phone.read_for_certain(number, caller.organisation.default_phone_code),
            campaign=scopes.read_called_campaign(campaign),
        )
        checks = services.checks
        verdict = (
            checks.check(caller, question)
            if as_of is None
            else checks.check_as_of(caller, question, as_of)
        )
    click.echo(_as_json(verdict) if as_json else _in_words(verdict))
    if not verdict.callable:
        context.exit(MAY_NOT_BE_CALLED)


@click.command()
@default_organisation_option
@campaign_option
@phone_code_option
@click.option("--phone-column", metavar="NAME", help="Its column [found by its name].")
@click.option("--phone-code-column", metavar="NAME", help="Likewise, if there is one.")
@click.option(
    "--only",
    type=click.Choice(["all", *map(str, Status)]),
    default="all",
    help="Which rows to write.",
)
@json_option
@click.option("-o", "--output", default="-", metavar="FILE", help="[standard output]")
@click.argument("file")
def scrub(  # noqa: PLR0913, PLR0917  one parameter an option
    organisation: str,
    campaign: str,
    phone_code: str | None,
    phone_column: str | None,
    phone_code_column: str | None,
    only: str,
    output: str,
    file: str,
    *,
    as_json: bool,
) -> None:
    """
    Mark every row of FILE, a CSV list of leads, as callable, listed or invalid.

    FILE may be compressed (gzip, or alone in a zip); "-" is standard input. Every
    column is kept, and four are added: dnc_status, dnc_rule, dnc_entry_id and
    dnc_since. The output appears when it is whole.
    """
    counts = Counts()
    with ExitStack() as stack:
        services, caller = stack.enter_context(services_for(organisation))
        source = stack.enter_context(opened(file))
        counted = Counted(source.stream)
        read = stack.enter_context(unpacked(counted))
        columns = Columns(
            phone_number=phone_column,
            phone_code=phone_code_column,
            default_phone_code=phone_code or caller.organisation.default_phone_code,
        )
        scrubbing = services.scrubs.scrub(
            caller,
            LeadList(iter(partial(read, PART_BYTES), b""), columns),
            scopes.read_called_campaign(campaign),
            None if only == "all" else Status(only),
            counts,
        )
        marked = stack.enter_context(closing(scrubbing))
        write = stack.enter_context(written(output))
        hidden = output == STANDARD and sys.stdout.isatty()
        bar = stack.enter_context(progress_bar(hidden=hidden))
        for part in marked:
            write(part)
            done = counted.consumed / source.size if source.size else None
            bar.show("Scrubbing", counts.rows, done)
    summary = asdict(counts)
    words = ", ".join(f"{summary[status]:,} {status}" for status in Status)
    if not counts.checked:
        words += "; the organisation's checking is switched off"
    click.echo(json.dumps(summary) if as_json else f"{words}.", err=True)


def _in_words(verdict: Verdict) -> str:
    lines = ["may be called" if verdict.callable else "may not be called"]
    if not verdict.checked:
        lines[0] += ": checking is switched off"
    for match in verdict.matches:
        entry = match.entry
        purpose = f", purpose {entry.purpose}" if entry.purpose else ""
        reason = f", reason {entry.reason}" if entry.reason else ""
        lines.append(
            f"  {match.rule}: on {entry.campaign_name!r} since {entry.since}"
            f"{purpose}{reason} (entry {entry.id})"
        )
    return "\n".join(lines)


def _as_json(verdict: Verdict) -> str:
    matches = [
        {"entry": match.entry._asdict(), "rule": match.rule}
        for match in verdict.matches
    ]
    return json.dumps({**verdict._asdict(), "matches": matches}, default=str)
