"""``dncd campaign`` and ``dncd purpose``: what is called for, and why."""

import click

from app.cli.session import organisation_option, services_for
from app.domain import texts
from app.domain.errors import SettingInvalid
from app.domain.scopes import Campaign


@click.group()
def campaign() -> None:
    """Add campaigns."""


@campaign.command()
@organisation_option
@click.option("--id", "campaign_id", type=click.IntRange(1, 10**18 - 1), metavar="N")
@click.option("--uid", required=True, metavar="CODE", help="2 to 30 characters.")
@click.option("--name", required=True, metavar="TEXT")
@click.option("--type", "type_", default="", metavar="TEXT")
@click.option("--purpose", metavar="P", help="What its calls are for.")
def add(  # noqa: PLR0913, PLR0917  one parameter an option
    organisation: str,
    campaign_id: int | None,
    uid: str,
    name: str,
    type_: str,
    purpose: str | None,
) -> None:
    """Add a campaign and print its id."""
    wanted = Campaign(
        id=0,
        uid=uid,
        name=name,
        type=type_,
        purpose=purpose,
    )
    with services_for(organisation) as (services, caller):
        added = services.campaigns.add(caller, campaign_id, wanted)
    click.echo(added)


@click.group()
def purpose() -> None:
    """Add purposes besides the known ones."""


@purpose.command("add")
@organisation_option
@click.argument("code")
def add_purpose(organisation: str, code: str) -> None:
    """Let the organisation have do-not-call lists for a purpose of its own."""
    with services_for(organisation) as (services, caller):
        if not texts.read_purpose(code):
            message = "a purpose has 1 to 64 printable characters"
            raise SettingInvalid(message)
        added = services.campaigns.add_purpose(caller, code)
    click.echo(f"Added purpose {code}." if added else f"{code} is known already.")
