"""``dncd evidence``: a number's proof pack, for a machine or as a page to print."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from app import __version__
from app.audit.verify import Anchor
from app.cli.files import written
from app.cli.history import phone_code_option
from app.cli.session import as_of_option, default_organisation_option, services_for
from app.domain import phone, scopes
from app.domain.history import Proof, Version
from app.files.anchors import every, read_anchors
from app.settings import Settings

FORMAT = "dncd evidence 1"
TEMPLATES = Path(__file__).with_name("templates")


@click.command()
@default_organisation_option
@phone_code_option
@as_of_option
@click.option("--html", "as_html", is_flag=True, help="A page to print, not JSON.")
@click.option(
    "--anchors",
    "anchor_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The anchors of the seals [DNCD_ANCHOR_FILE].",
)
@click.option("-o", "--output", default="-", metavar="FILE", help="[standard output]")
@click.argument("number")
def evidence(  # noqa: PLR0913, PLR0917  one parameter an option
    organisation: str,
    phone_code: str | None,
    as_of: datetime | None,
    anchor_file: Path | None,
    output: str,
    number: str,
    *,
    as_html: bool,
) -> None:
    """
    Write down all that can be shown about NUMBER, for an auditor.

    Whether it is listed and was at --as-of, every version of its entries, every
    operation that made or ended one, how each is sealed, and how to read it.
    """
    anchors = _read_anchors(anchor_file)
    with services_for(organisation) as (services, caller):
        code = phone_code or caller.organisation.default_phone_code
        read = phone.read(number, phone.read_calling_code(code))
        proof = services.proofs.prove(caller, read, as_of, anchors)
    pack = write_pack(proof)
    text = write_page(pack) if as_html else _dump(pack)
    with written(output) as write:
        write(text.encode())


def write_pack(proof: Proof) -> dict[str, Any]:
    """Return the pack as JSON has it."""
    return {
        "format": FORMAT,
        "how_to_read": _read("how_to_read.txt").strip().split("\n\n"),
        "made": {
            "at": proof.read_at.isoformat(),
            "by": proof.made_by,
            "with": f"dncd {__version__}",
        },
        "organisation": proof.organisation,
        "number": {
            "e164": str(proof.number),
            "phone_code": proof.number.calling_code,
            "phone_number": proof.number.national,
        },
        "now": {
            "at": proof.read_at.isoformat(),
            **_state(proof.listed_at(None)),
        },
        "then": proof.as_of
        and {
            "at": proof.as_of.isoformat(),
            **_state(proof.listed_at(proof.as_of)),
        },
        "versions": [_version(version) for version in proof.versions],
        "operations": [
            {
                **operation.as_members(),
                "seal": sealed.as_members()
                if (sealed := proof.seals.get(operation.id))
                else None,
            }
            for operation in proof.operations()
        ],
        "seals": [dict(seal) for seal in proof.chain],
        "anchors": [dict(anchor) for anchor in proof.anchors],
    }


def write_page(pack: dict[str, Any]) -> str:
    """Return the pack as one page of HTML that asks nothing of any other place."""
    # Imported here: no other command needs it.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.from_string(_read("evidence.html"))
    return page.render(pack=pack)


def _read_anchors(file: Path | None) -> list[Anchor]:
    own = Settings.from_environment().anchor_file
    try:
        return read_anchors(file) if file else every(own)
    except (OSError, ValueError) as error:
        message = f"{file or own}: {error}"
        raise click.ClickException(message) from error


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _dump(pack: dict[str, Any]) -> str:
    return json.dumps(pack, ensure_ascii=False, indent=2) + "\n"


def _state(versions: list[Version]) -> dict[str, object]:
    return {
        "listed": bool(versions),
        "by": [
            {
                "entry_id": str(version.entry.id),
                "blocks": _blocked(version),
                "since": version.entry.inserted_at.isoformat(),
                "reason": version.entry.reason or "",
            }
            for version in versions
        ],
    }


def _blocked(version: Version) -> str:
    campaign = version.entry.campaign
    if campaign.id == scopes.ORGANISATION_LIST:
        return "every call"
    if campaign.id == scopes.PURPOSE_LIST:
        return f"calls for the purpose {version.entry.purpose}"
    return f"calls of the campaign {campaign.name}"


def _version(version: Version) -> dict[str, object]:
    made, ended = version.made_by, version.ended_by
    return {
        **version.as_members(),
        "made_by_operation": made and str(made.id),
        "ended_by_operation": ended and str(ended.id),
    }
