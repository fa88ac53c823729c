"""``dncd history`` and ``dncd restore-entry``: a number's past, and out of it again."""

import json
from collections.abc import Iterator, Sequence

import click

from app.cli.session import default_organisation_option, services_for
from app.domain import phone
from app.domain.access import Caller
from app.domain.entries import Page
from app.domain.errors import AlreadySuppressed, EntryRepeated
from app.domain.history import Operation, Subject, Version
from app.services import Services

PAGE = 1000

HEADINGS = ("FROM", "UNTIL", "NUMBER", "LIST", "REASON", "ENTRY", "MADE BY", "ENDED BY")

phone_code_option = click.option(
    "--phone-code", metavar="C", help="The calling code [the organisation's]."
)


@click.command()
@default_organisation_option
@phone_code_option
@click.option("--entry", type=int, metavar="ID", help="One entry, not a number's all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("number", required=False)
def history(
    organisation: str,
    phone_code: str | None,
    entry: int | None,
    number: str | None,
    *,
    as_json: bool,
) -> None:
    """
    Tell everything that was ever listed of NUMBER, and who did it.

    Every version of every entry that has or had the number, deleted ones too, oldest
    first, in UTC.
    """
    if (number is None) == (entry is None):
        raise click.UsageError("name a number, or an entry by --entry")
    with services_for(organisation) as (services, caller):
        code = phone_code or caller.organisation.default_phone_code
        subject = (
            Subject(entry_id=entry)
            if number is None
            else Subject((phone.read(number, phone.read_calling_code(code)),))
        )
        versions = list(_read(services, caller, subject))
    if as_json:
        told = [_members(version) for version in versions]
        click.echo(json.dumps({"versions": told}, ensure_ascii=False, indent=2))
    elif versions:
        click.echo(_table([HEADINGS, *map(_row, versions)]))
    else:
        click.echo("never listed")


@click.command("restore-entry")
@default_organisation_option
@click.argument("entry", type=int, metavar="ID")
def restore_entry(organisation: str, entry: int) -> None:
    """
    Put the deleted entry with that ID back on its list.

    It keeps its id, its details and its history. `dncd history` tells the ids.
    """
    with services_for(organisation) as (services, caller):
        try:
            services.histories.restore(caller, entry)
        except EntryRepeated:
            raise click.ClickException(f"entry {entry} is listed") from None
        except AlreadySuppressed as refused:
            message = f"its list holds the number again, by entry {refused.entry_id}"
            raise click.ClickException(message) from None
    click.echo(f"Restored entry {entry}.")


def _read(services: Services, caller: Caller, subject: Subject) -> Iterator[Version]:
    start, total = 0, 1
    while start < total:
        page = Page(start, PAGE)
        found, total = services.histories.find(caller, subject, page)
        yield from found
        start += PAGE


def _members(version: Version) -> dict[str, object]:
    made, ended = version.made_by, version.ended_by
    return {
        **version.as_members(),
        "made_by": made and made.as_members(),
        "ended_by": ended and ended.as_members(),
    }


def _row(version: Version) -> tuple[str, ...]:
    entry, ends = version.entry, version.valid_until
    place = entry.campaign.name + (f" ({entry.purpose})" if entry.purpose else "")
    return (
        entry.valid_from.strftime("%Y-%m-%d %H:%M:%S"),
        ends.strftime("%Y-%m-%d %H:%M:%S") if ends else "now",
        str(entry.number),
        place,
        entry.reason or "",
        str(entry.id),
        _by(version.made_by),
        _by(version.ended_by),
    )


def _by(operation: Operation | None) -> str:
    if operation is None:
        return ""
    way = operation.dialect
    if operation.address:
        way += f" from {operation.address}"
    return f"{operation.actor}: {operation.kind} ({way})"


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )
