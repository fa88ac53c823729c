"""``dncd token``: who may ask, and for what."""

import json
from datetime import UTC, datetime

import click

from app.cli.session import organisation_option, services_for
from app.domain.access import Grant, Token


def _read_grants(
    _context: click.Context, _parameter: click.Parameter, value: str
) -> frozenset[Grant]:
    try:
        return frozenset(Grant(word.strip()) for word in value.split(","))
    except ValueError as error:
        message = f"{error}; choose from {', '.join(Grant)}"
        raise click.BadParameter(message) from error


def _read_expiry(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        message = f"{value!r} is no ISO 8601 date or time"
        raise click.BadParameter(message) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@click.group()
def token() -> None:
    """Issue, list and revoke tokens."""


@token.command()
@organisation_option
@click.option("--name", required=True, metavar="LABEL", help="What the token is for.")
@click.option(
    "--grants",
    required=True,
    metavar="A,B,C",
    callback=_read_grants,
    help=f"What it may do: {', '.join(Grant)}.",
)
@click.option("--user", metavar="U", help="The user name that goes with it.")
@click.option(
    "--expires",
    metavar="DATE",
    callback=_read_expiry,
    help="The instant it ends, ISO 8601; UTC unless it says.",
)
def add(
    organisation: str,
    name: str,
    grants: frozenset[Grant],
    user: str | None,
    expires: datetime | None,
) -> None:
    """Issue a token and print its secret, which is shown this once."""
    with services_for(organisation) as (services, caller):
        secret = services.access.issue(caller, name, grants, user=user, expires=expires)
    click.echo(secret)


@token.command("list")
@organisation_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(organisation: str, *, as_json: bool) -> None:
    """List the organisation's tokens, never their secrets."""
    with services_for(organisation) as (services, caller):
        found = services.access.list_tokens(caller)
    if as_json:
        click.echo(json.dumps([_describe(one) for one in found], indent=2))
        return
    for one in found:
        words = _describe(one)
        click.echo("  ".join(f"{key}={value}" for key, value in words.items() if value))


@token.command()
@organisation_option
@click.argument("reference", metavar="ID_OR_NAME")
def revoke(organisation: str, reference: str) -> None:
    """Revoke a token; it stops working within a second."""
    with services_for(organisation) as (services, caller):
        ended = services.access.revoke(caller, reference)
    click.echo(f"Revoked {ended} token{'s' if ended > 1 else ''}.")


def _describe(one: Token) -> dict[str, str | int | None]:
    def instant(value: datetime | None) -> str | None:
        return None if value is None else value.isoformat(timespec="seconds")

    return {
        "id": one.id,
        "name": one.name,
        "grants": ",".join(sorted(one.grants)),
        "user": one.user,
        "created": instant(one.created_at),
        "expires": instant(one.expires_at),
        "revoked": instant(one.revoked_at),
        "last_used": instant(one.last_used_at),
    }
