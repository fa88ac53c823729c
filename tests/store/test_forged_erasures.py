"""What is only a digest was erased by an operation that says so, or by a forger."""

import json
from pathlib import Path

import psycopg
import pytest

from app.audit import verify
from app.audit.verify import Anchor, Finding
from app.domain.access import Caller
from app.domain.entries import Draft
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.files import key_file
from app.services import Services, leaves
from tests.store import tampering

GLOBAL = read_campaign("0")
NUMBER = PhoneNumber("1", "9175550148")
OTHER = PhoneNumber("1", "9175550149")
REASON = "told me"


@pytest.fixture
def services(keyed: Services) -> Services:
    return keyed


@pytest.fixture
def anchor(services: Services, caller: Caller) -> Anchor:
    """A history of one erased number, whose last version has ended, and of another."""
    for number in (NUMBER, OTHER):
        services.suppressions.suppress(caller, Draft(number, GLOBAL, None, REASON))
    services.erasures.erase(caller, NUMBER)
    services.sealing.run()
    found = services.sealing.newest()
    assert found is not None
    return found


def findings(services: Services, anchor: Anchor) -> list[Finding]:
    return services.audit.verify([anchor]).findings


def tamper(url: str, *statements: str) -> None:
    with tampering.superuser(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def forge_digest(url: str, key: Path, entry_of: PhoneNumber) -> int:
    """Let a digest stand for an entry, as who has the key or an export can."""
    found = key_file.find(key)
    assert found is not None
    with psycopg.connect(url) as connection:
        [(organisation, entry, operation)] = connection.execute(
            "SELECT organisation_id, id, operation_id FROM dnc_entry WHERE e164 = %s",
            (entry_of.e164,),
        ).fetchall()
        salt = leaves.salt_of(found, organisation, entry, operation)
        digest = verify.personal_digest(salt, [entry_of.e164, REASON, None])
        connection.execute(
            "INSERT INTO erased_part VALUES (%s, %s, %s, %s)",
            (organisation, entry, operation, digest),
        )
    tamper(url, f"UPDATE dnc_entry SET e164 = -77, reason = NULL WHERE id = {entry}")
    return int(operation)


def test_an_erasure_verifies(services: Services, anchor: Anchor) -> None:
    assert findings(services, anchor) == []


def test_an_entry_that_a_superuser_hid_behind_its_digest_is_found(
    services: Services,
    caller: Caller,
    anchor: Anchor,
    database_url: str,
    tmp_path: Path,
) -> None:
    operation = forge_digest(database_url, tmp_path / "key", OTHER)
    assert services.checks.check(caller, Question(OTHER)).callable

    found = findings(services, anchor)

    assert [(f.kind, f.place) for f in found] == [
        ("edited", f"operation {operation} of organisation {caller.organisation.id}")
    ]
    assert "no operation erased it" in found[0].words


def test_also_where_an_erasure_is_forged_that_speaks_for_it(
    services: Services,
    caller: Caller,
    anchor: Anchor,
    database_url: str,
    tmp_path: Path,
) -> None:
    operation = forge_digest(database_url, tmp_path / "key", OTHER)
    # With every trigger, so that it is sealed like any other operation.
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO operation"
            " (organisation_id, actor, dialect, request_id, kind, touched, answer)"
            " VALUES (%s, 'forger', 'cli', '', 'entry:erased', 1, %s)",
            (
                caller.organisation.id,
                json.dumps({"erased": [[2, operation, -77]]}),
            ),
        )

    found = findings(services, anchor)

    assert [f.kind for f in found] == ["edited"]
    assert "though it has not ended" in found[0].words


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        pytest.param(
            "UPDATE dnc_entry_past SET e164 = -77 WHERE e164 < 0",
            "says something else than then",
            id="another stand-in",
        ),
        pytest.param(
            "UPDATE dnc_entry_past SET reason = 'never asked' WHERE e164 < 0",
            "says something else than then",
            id="another reason",
        ),
        pytest.param(
            "UPDATE operation SET why = 'never asked' WHERE id IN"
            " (SELECT operation_id FROM erased_part WHERE entry_id = 0)",
            "says something else than then",
            id="another why",
        ),
        pytest.param(
            "UPDATE operation SET answer = '{\"erased\": 1}'"
            " WHERE kind = 'entry:erased'",
            "no operation erased it",
            id="the operation that erased",
        ),
        pytest.param(
            "UPDATE dnc_entry SET e164 = -77 WHERE e164 < 0",
            "one or more of the 1 versions that it made",
            id="the number that still blocks",
        ),
    ],
)
def test_what_was_erased_cannot_be_changed_afterwards_unseen(
    services: Services, anchor: Anchor, database_url: str, statement: str, words: str
) -> None:
    tamper(database_url, statement)

    found = findings(services, anchor)

    assert [f for f in found if f.kind == "edited" and words in f.words], found
