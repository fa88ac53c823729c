"""``dncd organisation``: what an operator settles for a tenant, and is recorded."""

import psycopg
import pytest

from tests.wire.command import Command

RECORDED = """
    SELECT kind, why FROM operation
    JOIN organisation ON organisation.id = operation.organisation_id
    WHERE organisation.name = %s ORDER BY operation.id
"""
REQUIRED = "SELECT evidence_required FROM organisation WHERE name = %s"


def ask(command: Command, statement: str, name: str) -> list[tuple[object, ...]]:
    with psycopg.connect(command.url) as connection:
        return connection.execute(statement.encode(), [name]).fetchall()


@pytest.mark.parametrize(
    ("options", "required"), [([], False), (["--evidence-required"], True)]
)
def test_evidence_is_required_from_the_start_if_it_is_said(options, required, command):
    added = command.run("organisation", "add", "Strict", *options)

    assert added.returncode == 0, added.stderr
    assert ask(command, REQUIRED, "Strict") == [(required,)]


def test_evidence_is_switched_and_that_is_recorded(command):
    for position in ("required", "optional"):
        switched = command.run("organisation", "evidence", "default", position)

        assert switched.stdout.decode() == f"The evidence of 'default' is {position}.\n"
        assert ask(command, REQUIRED, "default") == [(position == "required",)]
    assert ask(command, RECORDED, "default")[1:] == [
        ("evidence:switched", "required"),
        ("evidence:switched", "optional"),
    ]


def test_no_other_organisation_is_switched(command):
    command.run("organisation", "add", "Other")
    command.run("organisation", "evidence", "default", "required")
    unknown = command.run("organisation", "evidence", "nobody", "required")

    assert ask(command, REQUIRED, "Other") == [(False,)]
    assert unknown.returncode == 1


@pytest.mark.parametrize("uid", ["SYSTEM_INTERNAL", "system_internal"])
def test_no_campaign_is_called_as_dialers_call_the_organisation_s_list(uid, command):
    command.run("organisation", "add", "Strict")

    added = command.run(
        *("campaign", "add", "--organisation", "Strict", "--name", "x", "--uid", uid)
    )

    assert added.returncode != 0
