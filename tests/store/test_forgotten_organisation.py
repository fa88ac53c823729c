"""
The statements of the store with their organisation taken out.

Row-level security must then say the same: the answer is that of the whole statement,
and what is another organisation's stays as it was. And each statement with another's
organisation in place of its own: nothing of the other's is seen, written or changed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TestServer
from tests.store.forgotten import bench as benches
from tests.store.forgotten.bench import CHANGING, STEPS, Bench, Change
from tests.store.forgotten.statements import (
    EXEMPT,
    NAMES_IT,
    OF_NOBODY,
    exempt,
    forget_all,
    forget_each,
    is_proven,
    pieces,
    statements,
)
from tests.store.forgotten.world import FOREIGN, THEIRS

# Who seals does so for all organisations, in numbers and hashes.
SEALED = {"seal_leaf", "operation_reach"}

# The one would find for ever that seals have overtaken it; the other's statements leave
# it to the functions that they call which organisation it is.
NOT_WITHOUT = {"prove", "forget_theirs"}


@pytest.fixture(scope="module")
def bench(
    server: TestServer, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("forgotten")
    with benches.opened(server, template, folder) as found:
        yield found


def forgetting(statement: str, parameters: Any) -> tuple[str, Any]:
    return forget_all(statement), parameters


def instead_of(statement: str, other: str) -> Change:
    return lambda sent, values: (other if sent == statement else sent, values)


def as_theirs(statement: str, theirs: int) -> Change:
    def change(sent: str, values: Any) -> tuple[str, Any]:
        if sent != statement:
            return sent, values
        if isinstance(values, dict):
            return sent, {**values, "organisation_id": theirs}
        return sent, [str(theirs), *values[1:]]

    return change


@pytest.mark.parametrize("name", STEPS)
def test_a_step_whose_statements_forget_says_the_same_and_changes_nothing_of_theirs(
    name: str, bench: Bench
) -> None:
    """Which of its statements does not, the one below tells."""
    whole, before = bench.whole(name), bench.untouched()
    assert THEIRS not in whole.said
    assert whole.said
    changed = {table for table in before if whole.theirs[table] != before[table]}
    assert changed <= (SEALED if name == "prove" else set())

    told, left = bench.run(name, forgetting)

    assert told == whole.said
    assert left == whole.theirs


# Some hundred copies of a database.
@pytest.mark.timeout(1800)
@pytest.mark.soak
def test_each_condition_that_is_forgotten_shows_and_changes_nothing_of_theirs(
    bench: Bench,
) -> None:
    shown: set[str] = set()
    for name in STEPS:
        whole = bench.whole(name)
        for statement in whole.statements:
            # What was shown in one step need not be in another.
            for instead in sorted(set(forget_each(statement)) - shown):
                told, left = bench.run(name, instead_of(statement, instead))
                assert told == whole.said, instead
                assert left == whole.theirs, instead
                shown.add(instead)


@pytest.mark.timeout(1800)
@pytest.mark.soak
def test_another_s_organisation_in_place_of_the_own_shows_and_changes_nothing(
    bench: Bench,
) -> None:
    shown: set[str] = set()
    for name in STEPS:
        whole = bench.whole(name)
        naming = set(filter(NAMES_IT.search, whole.statements))
        for statement in sorted(naming - shown):
            change = as_theirs(statement, bench.known["theirs"])
            said, left = bench.run(name, change)
            assert THEIRS not in said, statement
            without = said.replace(repr(FOREIGN), "")
            assert str(FOREIGN.national) not in without, statement
            assert left == whole.theirs, statement
            shown.add(statement)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.soak if name in CHANGING else ())
        for name in STEPS
        if name not in NOT_WITHOUT
    ],
)
def test_without_row_level_security_forgetting_would_show_or_change(
    name: str, bench: Bench
) -> None:
    """Or these tests would prove nothing."""
    whole = bench.whole(name)

    told, left = bench.run(name, forgetting, unguarded=True)

    assert (told, left) != (whole.said, whole.theirs)


def test_every_statement_of_the_store_is_among_them(bench: Bench) -> None:
    """A new one is to be put into a step, or named with why it needs none."""
    seen = {text for name in STEPS for text in bench.whole(name).statements}
    unproven = {
        name
        for name, text in statements().items()
        if not any(pieces(text).search(one) and is_proven(one) for one in seen)
    }

    assert not unproven - exempt(), " ".join(sorted(unproven - exempt()))
    # What is exempt and needs not be, or is not there any more.
    named = {name for names in EXEMPT.values() for name in names}
    assert not named - unproven, " ".join(sorted(named - unproven))
    assert not set(OF_NOBODY) - {name.partition(".")[0] for name in unproven}
