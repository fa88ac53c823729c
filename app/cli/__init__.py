"""The ``dncd`` command: one file a group of commands; the only place that prints."""

import click

from app import __version__
from app.cli import (
    audit,
    backups,
    campaigns,
    checks,
    evidence,
    exports,
    history,
    imports,
    leads,
    migrate,
    openapi,
    organisations,
    privacy,
    recovery,
    serve,
    tokens,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """One do-not-call list for every dialer."""


for command in (
    serve.serve,
    migrate.migrate,
    backups.backup,
    backups.restore,
    recovery.recovery,
    organisations.organisation,
    tokens.token,
    campaigns.campaign,
    campaigns.purpose,
    checks.check,
    checks.scrub,
    imports.import_,
    exports.export,
    history.history,
    history.restore_entry,
    evidence.evidence,
    leads.lead,
    leads.status,
    privacy.erase,
    privacy.retention,
    openapi.openapi,
    audit.audit,
):
    main.add_command(command)
