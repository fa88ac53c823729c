"""
The ``dncd`` command: one file a group of commands; the only place that prints.

A command's file is imported when the command is used: each starts without what only
the others need.
"""

import gc
from importlib import import_module

import click

from app import __version__

# Where each command is, in the order in which they are told.
COMMANDS = {
    "serve": "serve:serve",
    "migrate": "migrate:migrate",
    "backup": "backups:backup",
    "restore": "backups:restore",
    "recovery": "recovery:recovery",
    "organisation": "organisations:organisation",
    "token": "tokens:token",
    "campaign": "campaigns:campaign",
    "purpose": "campaigns:purpose",
    "check": "checks:check",
    "scrub": "checks:scrub",
    "import": "imports:import_",
    "export": "exports:export",
    "history": "history:history",
    "restore-entry": "history:restore_entry",
    "evidence": "evidence:evidence",
    "lead": "leads:lead",
    "status": "leads:status",
    "erase": "privacy:erase",
    "retention": "privacy:retention",
    "openapi": "openapi:openapi",
    "audit": "audit:audit",
}


class Commands(click.Group):
    """A group whose commands are found by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, if there is one."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        file, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"app.cli.{file}"), name)
        # What is imported stays: a collector that looks through it, as at every end of
        # a process, takes longer than many a command.
        gc.freeze()
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """One do-not-call list for every dialer."""
