"""Releases that two tokens must ask for: what counts as the second pair of eyes."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.errors import (
    ApprovalPending,
)
from app.services import Services
from tests.store.guarding import GLOBAL, People, attempt, number, release, release_many


@pytest.fixture
def people(services: Services, caller: Caller, database_url: str) -> People:
    return People(services, caller, database_url)


def test_two_approvals_at_once_carry_it_out_once(people: People) -> None:
    for n in range(8):
        people.list_numbers(n)
        people.set(four_eyes=True)
        tokens = [people.token(f"{name}{n}") for name in ("ada", "grace", "mary")]

        def ask(by: Caller, n: int = n) -> str:
            return attempt(
                lambda: people.services.suppressions.release(
                    by, number(n), GLOBAL, None, None
                )
            )

        assert ask(tokens[0]) == "ApprovalPending"
        with ThreadPoolExecutor(2) as pool:
            outcomes = sorted(pool.map(ask, tokens[1:]))
        assert outcomes == ["NotSuppressed", "done"]
    assert len(people.operations("entry:released")) == 8


def test_neither_the_same_token_nor_one_of_the_same_name_approves(
    people: People,
) -> None:
    people.list_numbers(1)
    people.set(four_eyes=True)
    for by in (people.token("ada"), people.token("ada")):
        with pytest.raises(ApprovalPending):
            release(people, by, None)
    assert people.listed() == 1


def test_a_token_that_was_revoked_has_approved_nothing(people: People) -> None:
    people.list_numbers(1)
    people.set(four_eyes=True)
    ada, grace, mary = (people.token(name) for name in ("ada", "grace", "mary"))
    with pytest.raises(ApprovalPending):
        release(people, ada, None)
    people.services.access.revoke(people.operator, "ada")

    with pytest.raises(ApprovalPending):
        release(people, grace, None)
    release(people, mary, None)

    assert people.listed() == 0


def test_a_request_expires(people: People) -> None:
    people.list_numbers(1)
    people.set(four_eyes=True, approval_hours=2)
    ada, grace = people.token("ada"), people.token("grace")
    with pytest.raises(ApprovalPending):
        release(people, ada, None)
    with psycopg.connect(people.url) as connection:
        connection.execute(
            "UPDATE release_request SET requested_at = requested_at - interval '2 h'"
        )

    assert people.services.guards.list_pending(people.operator) == []
    with pytest.raises(ApprovalPending):
        release(people, grace, None)
    release(people, ada, None)

    assert people.listed() == 0


def test_an_approval_is_of_that_entry_as_it_was(people: People) -> None:
    """Not of a newer opt-out of the same number, of other numbers, or of more."""
    (entry_id,) = people.list_numbers(1)
    people.list_numbers(2)
    people.set(four_eyes=True)
    ada, grace = people.token("ada"), people.token("grace")
    suppressions = people.services.suppressions
    with pytest.raises(ApprovalPending):
        release(people, ada, None)

    with pytest.raises(ApprovalPending):
        suppressions.release(grace, number(2), GLOBAL, None, None)
    with pytest.raises(ApprovalPending):
        suppressions.release(grace, number(1), GLOBAL, None, "NEW")
    with pytest.raises(ApprovalPending):
        suppressions.release_many(grace, [number(1), number(2)], GLOBAL)
    people.set()
    suppressions.release_entry(grace, entry_id)
    people.list_numbers(1)
    people.set(four_eyes=True)
    with pytest.raises(ApprovalPending):
        release(people, grace, None)

    assert people.listed() == 2


def test_what_is_asked_in_one_way_may_be_approved_in_another(people: People) -> None:
    entry_id, _ = people.list_numbers(1, 2)
    people.set(four_eyes=True)
    ada, grace = people.token("ada"), people.token("grace")
    with pytest.raises(ApprovalPending):
        release(people, ada, None)
    (pending,) = people.services.guards.list_pending(people.operator)

    release_many(people, grace, None)

    assert pending.entry_ids == [entry_id]
    assert people.listed() == 1
