"""``dncd recovery``: what a restore has lost, and that somebody knows."""

import click

from app.cli.session import actor, services
from app.domain.recoveries import Loss

NOTHING = "Nothing that was anchored is missing."

WHAT = """\
Anchored: {loss.operations} operations, up to {loss.anchored_at:%Y-%m-%d %H:%M:%S} UTC \
(seal {loss.sequence}, chain {loss.chain})
In the database: {loss.found_operations} operations, up to {since}
Missing: {loss.missing} operations at least, from {since} to \
{loss.anchored_at:%Y-%m-%d %H:%M:%S} UTC, and whatever was done after that"""

OTHER_CHAIN = """\
The database is another than was anchored: it was made anew, or not the one meant."""

UNTIL = """\
Until somebody confirms, numbers can be added, and nothing is said about any of them."""


@click.group()
def recovery() -> None:
    """See and confirm what a restored database lacks."""


@recovery.command()
def show() -> None:
    """Say which operations were anchored and are missing."""
    with services() as found:
        loss = found.recovery.find_loss()
    if loss is None:
        click.echo(NOTHING)
    else:
        click.echo(f"{_describe(loss)}\n{UNTIL}")


@recovery.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def confirm(*, yes: bool) -> None:
    """
    Record that you know what is missing, and let the service go on.

    Opt-outs that are missing have to be put on the list again first, from wherever
    they came: from here on their numbers count as callable.
    """
    with services() as found:
        loss = found.recovery.find_loss()
        if loss is None:
            click.echo(NOTHING)
            return
        click.echo(_describe(loss))
        if not yes:
            click.confirm("Go on without them?", abort=True)
        found.recovery.confirm(actor())
    click.echo("Confirmed: the service goes on.")


def _describe(loss: Loss) -> str:
    since = f"{loss.found_at:%Y-%m-%d %H:%M:%S} UTC" if loss.found_at else "the start"
    told = WHAT.format(loss=loss, since=since)
    return f"{OTHER_CHAIN}\n{told}" if loss.is_other_chain else told
