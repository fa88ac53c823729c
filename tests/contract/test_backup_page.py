"""The runbook names commands and options that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest

from app.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backup.md"
COMMANDS = sorted(
    {
        re.sub(r"^.*\bdncd (?=[a-z])", "", line)
        for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
        if re.search(r"(^| )dncd [a-z]", line)
    }
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_can_be_called_so(line: str) -> None:
    words = shlex.split(line)
    command: click.Command = main
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, line
        command = found

    options = {name for one in command.params for name in one.opts}
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    assert {word for word in words if word.startswith("--")} <= options
    assert bool(arguments) is any(word.startswith("/") for word in words)


def test_the_page_shows_every_command_that_it_is_about() -> None:
    shown = {tuple(line.split()[:2]) for line in COMMANDS}

    assert {("recovery", "show"), ("recovery", "confirm")} <= shown
    assert {"backup", "restore"} <= {first for first, *_ in shown}
