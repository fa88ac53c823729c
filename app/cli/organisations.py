"""``dncd organisation``: the tenants."""

import click

from app.cli.session import actor, services, services_for
from app.domain.access import Edition, Organisation


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


@click.group()
def organisation() -> None:
    """Add organisations."""


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
