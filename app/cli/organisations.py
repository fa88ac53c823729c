"""``dncd organisation``: the tenants, and what they ask of whoever releases."""

import json
from dataclasses import replace

import click

from app.cli.session import actor, services, services_for
from app.domain.access import Edition, Organisation
from app.services.guards import LARGEST_CAP, LONGEST_APPROVAL, describe


def _read_editions(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    editions = {}
    for value in values:
        dialect, _, edition = value.partition("=")
        if edition not in tuple(Edition):
            message = f"{value!r} is not DIALECT=EDITION ({' or '.join(Edition)})"
            raise click.BadParameter(message)
        editions[dialect] = edition
    return editions


def _read_cap(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> int | str | None:
    if value is None or value == "none":
        return value
    if not (value.isascii() and value.isdigit() and int(value) <= LARGEST_CAP):
        message = f"{value!r} is neither none nor a number up to {LARGEST_CAP}"
        raise click.BadParameter(message)
    return int(value)


@click.group()
def organisation() -> None:
    """Add organisations, and say what each asks of its users."""


@organisation.command()
@click.argument("name")
@click.option(
    "--time-zone",
    default="UTC",
    show_default=True,
    help="Where its days begin and end, such as America/New_York.",
)
@click.option(
    "--default-phone-code",
    default="1",
    show_default=True,
    help="The calling code of numbers that come without one.",
)
@click.option(
    "--edition",
    "editions",
    multiple=True,
    metavar="DIALECT=EDITION",
    callback=_read_editions,
    help="How a dialect answers this organisation: documented or live.",
)
@click.option(
    "--evidence-required",
    is_flag=True,
    help="Refuse numbers added without evidence, by the dialect that carries it.",
)
def add(
    name: str,
    time_zone: str,
    default_phone_code: str,
    editions: dict[str, str],
    *,
    evidence_required: bool,
) -> None:
    """Add an organisation."""
    wanted = Organisation(
        id=0,
        name=name,
        time_zone=time_zone,
        default_phone_code=default_phone_code,
        editions=editions,
        checking_enabled=True,
        evidence_required=evidence_required,
    )
    with services() as found:
        added = found.organisations.add(actor(), wanted)
    click.echo(f"Added organisation {added.name!r}.")


@organisation.command()
@click.argument("name")
@click.argument("position", type=click.Choice(["on", "off"]))
def checking(name: str, position: str) -> None:
    """
    Switch the pre-dial check of an organisation on or off.

    While it is off every number counts as callable: each answer says so, and is
    recorded.
    """
    with services_for(name) as (found, caller):
        found.organisations.switch_checking(caller, enabled=position == "on")
    click.echo(f"The pre-dial check of {name!r} is {position}.")


@organisation.command()
@click.argument("name")
@click.argument("position", type=click.Choice(["required", "optional"]))
def evidence(name: str, position: str) -> None:
    """
    Say whether an organisation's entries need evidence of the request.

    Where it is required, a number that is added by the dialect that carries evidence
    (type, batchId and requestUUID) and comes without is refused.
    """
    with services_for(name) as (found, caller):
        found.organisations.switch_evidence(caller, required=position == "required")
    click.echo(f"The evidence of {name!r} is {position}.")


@organisation.command("set")
@click.argument("name")
@click.option(
    "--release-reason",
    type=click.Choice(["required", "optional"]),
    help="Whether whoever lets a number be called again must say why.",
)
@click.option(
    "--releases-per-hour",
    metavar="N|none",
    callback=_read_cap,
    help="How many entries may be released within an hour, by all tokens together.",
)
@click.option(
    "--four-eyes",
    type=click.Choice(["on", "off"]),
    help="Whether a second token must ask for the same release before it is done.",
)
@click.option(
    "--approval-hours",
    type=click.IntRange(1, LONGEST_APPROVAL),
    help="How long a release waits for the second token.",
)
def set_(
    name: str,
    release_reason: str | None,
    releases_per_hour: int | str | None,
    four_eyes: str | None,
    approval_hours: int | None,
) -> None:
    """
    Say what a release needs besides the grant; see docs/guards.md.

    What is not named stays. It holds for every release that begins afterwards.
    """
    with services_for(name) as (found, caller):
        rules = found.guards.rules(caller)
        if release_reason:
            rules = replace(rules, reason_required=release_reason == "required")
        if releases_per_hour is not None:
            cap = releases_per_hour if isinstance(releases_per_hour, int) else None
            rules = replace(rules, per_hour=cap)
        if four_eyes:
            rules = replace(rules, four_eyes=four_eyes == "on")
        if approval_hours:
            rules = replace(rules, approval_hours=approval_hours)
        found.guards.set_rules(caller, rules)
    click.echo(f"{name}: {describe(rules)}")


@organisation.command()
@click.argument("name")
def show(name: str) -> None:
    """Show an organisation's settings."""
    with services_for(name) as (found, caller):
        rules = found.guards.rules(caller)
    own = caller.organisation
    editions = ",".join(f"{key}={value}" for key, value in own.editions.items())
    for line in (
        f"name={own.name}",
        f"time-zone={own.time_zone}",
        f"default-phone-code={own.default_phone_code}",
        f"editions={editions or 'default'}",
        f"checking={'on' if own.checking_enabled else 'off'}",
        f"evidence={'required' if own.evidence_required else 'optional'}",
        *describe(rules).split(),
    ):
        click.echo(line)


@organisation.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pending(name: str, *, as_json: bool) -> None:
    """List the releases that wait for a second token, and until when."""
    with services_for(name) as (found, caller):
        waiting = found.guards.list_pending(caller)
    told = [
        {
            "id": one.id,
            "kind": one.kind,
            "entries": "all" if one.entries is None else one.entries,
            "entry_ids": ",".join(map(str, one.entry_ids)),
            "asked_by": one.actor,
            "operation": one.operation_id,
            "asked": one.requested_at.isoformat(timespec="seconds"),
            "expires": one.expires_at.isoformat(timespec="seconds"),
            "reason": one.why,
        }
        for one in waiting
    ]
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for one in told:
        click.echo("  ".join(f"{key}={value}" for key, value in one.items() if value))
