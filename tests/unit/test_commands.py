"""How ``dncd`` finds its commands."""

import gc

import click
import pytest

from app.cli import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_it_is_said_to_be(name):
    assert isinstance(main.get_command(click.Context(main), name), click.Command)


def test_a_command_is_nothing_for_the_collector_to_look_through():
    """At the end of each process it would, for longer than many a command takes."""
    gc.unfreeze()

    main.get_command(click.Context(main), "export")

    try:
        assert gc.get_freeze_count() > len(gc.get_objects())
    finally:
        gc.unfreeze()
