"""Releases that need more than the grant: a reason, a cap, a second pair of eyes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import structlog

from app.domain.access import Caller, Grant
from app.domain.entries import Revision
from app.domain.errors import (
    ApprovalPending,
    Forbidden,
    NotSuppressed,
    ReleaseReasonMissing,
    ReleasesCapped,
    SettingInvalid,
)
from app.services import Services
from app.services.organisations import EVERY_GRANT
from tests.store.guarding import (
    GLOBAL,
    TELEMKT,
    People,
    attempt,
    number,
    release,
    release_many,
)


@pytest.fixture
def people(services: Services, caller: Caller, database_url: str) -> People:
    return People(services, caller, database_url)


Release = Callable[[People, Caller, str | None], object]


def release_purpose(people: People, by: Caller, reason: str | None) -> None:
    people.services.suppressions.release(
        by, number(1), TELEMKT, "TELEMKT", "NEW", reason=reason
    )


def release_entry(people: People, by: Caller, reason: str | None) -> None:
    people.services.suppressions.release_entry(by, entry_of(people, "0"), reason)


def move(people: People, by: Caller, reason: str | None) -> None:
    revision = Revision(campaign=TELEMKT, purpose="NOTIFY", reason=reason)
    people.services.suppressions.revise(by, entry_of(people, "0"), revision)


def renumber(people: People, by: Caller, reason: str | None) -> None:
    revision = Revision(phone_number=number(7).national, reason=reason)
    people.services.suppressions.revise(by, entry_of(people, "0"), revision)


def change_purpose(people: People, by: Caller, reason: str | None) -> None:
    revision = Revision(purpose="NOTIFY", reason=reason)
    people.services.suppressions.revise(by, entry_of(people, "-1"), revision)


def switch_off(people: People, by: Caller, reason: str | None) -> None:
    people.services.organisations.switch_checking(by, enabled=False, reason=reason)


PATHS: tuple[Release, ...] = (
    release,
    release_purpose,
    release_many,
    release_entry,
    move,
    renumber,
    change_purpose,
    switch_off,
)
every_path = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)


def entry_of(people: People, campaign: str) -> int:
    with psycopg.connect(people.url) as connection:
        rows = connection.execute(
            "SELECT min(id) FROM dnc_entry WHERE campaign_id = %s", [int(campaign)]
        ).fetchall()
    return int(rows[0][0])


def state(people: People) -> list[tuple[object, ...]]:
    """Return everything by which a number may or may not be called."""
    with psycopg.connect(people.url) as connection:
        listed = connection.execute(
            "SELECT id, e164, campaign_id, purpose, reason FROM dnc_entry ORDER BY id"
        ).fetchall()
    return [*listed, (people.checking(),)]


def fill(people: People) -> None:
    people.list_numbers(1, 2)
    people.list_numbers(1, campaign=TELEMKT)


@every_path
def test_every_path_needs_the_grant(path: Release, people: People) -> None:
    fill(people)
    before = state(people)
    by = people.token("narrow", *(EVERY_GRANT - {Grant.DELETE}))

    with pytest.raises(Forbidden):
        path(people, by, "because")

    assert state(people) == before


@every_path
def test_every_path_needs_the_reason_that_is_required(
    path: Release, people: People
) -> None:
    fill(people)
    people.set(reason_required=True)
    before, by = state(people), people.token("ada")

    with pytest.raises(ReleaseReasonMissing):
        path(people, by, None)
    assert state(people) == before

    path(people, by, "asked in writing")

    assert state(people) != before
    kinds = ("entry:released", "entry:revised", "checking:switched")
    (done,) = [row for kind in kinds for row in people.operations(kind)]
    assert "asked in writing" in str(done[2])


@every_path
def test_every_path_is_capped_and_the_attempt_is_recorded(
    path: Release, people: People
) -> None:
    fill(people)
    people.set(per_hour=0)
    before, by = state(people), people.token("ada")

    with (
        structlog.testing.capture_logs() as logs,
        pytest.raises(ReleasesCapped),
    ):
        path(people, by, None)

    assert state(people) == before
    ((_, actor, why, touched, *_),) = people.operations("release:capped")
    assert (actor, touched) == ("ada", 0)
    assert "more where 0 an hour are allowed" in str(why)
    (alarm,) = [line for line in logs if line["event"] == "releases_capped"]
    assert alarm["log_level"] == "error"
    assert alarm["token"] == by.token_id
    assert number(1).national not in str(logs)


@every_path
def test_every_path_waits_for_another_token_and_then_names_both(
    path: Release, people: People
) -> None:
    fill(people)
    people.set(four_eyes=True)
    before = state(people)
    ada, grace = people.token("ada"), people.token("grace")

    with pytest.raises(ApprovalPending):
        path(people, ada, "asked in writing")
    with pytest.raises(ApprovalPending):
        path(people, ada, "asked in writing")
    assert state(people) == before
    (pending,) = people.services.guards.list_pending(people.operator)
    ((asked, by, why, *_),) = people.operations("release:requested")
    assert (by, why) == ("ada", "asked in writing")
    assert (pending.actor, pending.operation_id) == ("ada", asked)

    path(people, grace, "asked in writing")

    assert state(people) != before
    assert people.services.guards.list_pending(people.operator) == []
    kinds = ("entry:released", "entry:revised", "checking:switched")
    (done,) = [row for kind in kinds for row in people.operations(kind)]
    _, actor, why, _, _, approves = done
    assert (actor, approves) == ("grace", asked)
    assert f"asked for by ada in operation {asked}" in str(why)


@every_path
def test_by_default_the_grant_is_enough_and_the_operation_counts(
    path: Release, people: People
) -> None:
    fill(people)
    before = state(people)

    path(people, people.token("ada"), None)

    assert state(people) != before
    kinds = ("entry:released", "entry:revised", "checking:switched")
    (done,) = [row for kind in kinds for row in people.operations(kind)]
    assert done[4] == (0 if path is switch_off else 1)


def test_an_operator_at_the_command_line_is_held_up_by_no_rule(people: People) -> None:
    people.list_numbers(1)
    people.set(reason_required=True, per_hour=0, four_eyes=True)

    switch_off(people, people.operator, None)

    assert not people.checking()


@pytest.mark.parametrize(
    "revision",
    [Revision(reason="another"), Revision(campaign=GLOBAL), Revision(purpose="a note")],
)
def test_a_revision_that_still_blocks_needs_none_of_it(
    revision: Revision, people: People
) -> None:
    entry_id, other = people.list_numbers(1, 2)
    people.set(reason_required=True, per_hour=0, four_eyes=True)
    by = people.token("ada")

    people.services.suppressions.revise(by, entry_id, revision)

    assert people.operations("release:capped") == []
    assert other


def test_the_cap_counts_the_entries_of_every_path_and_nothing_else(
    people: People,
) -> None:
    ids = people.list_numbers(*range(10))
    people.set(per_hour=5)
    by, suppressions = people.token("ada"), people.services.suppressions

    suppressions.release_many(by, [number(0), number(1), number(99)], GLOBAL)
    suppressions.release_entry(by, ids[2])
    renumbered = Revision(phone_number=number(50).national)
    suppressions.revise(by, ids[3], renumbered)
    suppressions.revise(by, ids[4], Revision(reason="no release"))
    with pytest.raises(NotSuppressed):
        suppressions.release(by, number(98), GLOBAL, None, None)
    with pytest.raises(ReleasesCapped):
        suppressions.release_many(by, [number(4), number(5)], GLOBAL)
    suppressions.release(by, number(4), GLOBAL, None, None)
    with pytest.raises(ReleasesCapped):
        suppressions.release(by, number(5), GLOBAL, None, None)

    assert sum(int(str(row[4])) for row in people.operations("entry:released")) == 4


def test_an_hour_later_as_much_may_be_released_again(people: People) -> None:
    people.list_numbers(1, 2)
    people.set(per_hour=1)
    by = people.token("ada")
    release(people, by, None)
    with psycopg.connect(people.url) as connection:
        connection.execute(
            "UPDATE operation SET at = at - interval '59 minutes 50 seconds'"
        )
    with pytest.raises(ReleasesCapped):
        people.services.suppressions.release(by, number(2), GLOBAL, None, None)
    with psycopg.connect(people.url) as connection:
        connection.execute("UPDATE operation SET at = at - interval '1 minute'")

    people.services.suppressions.release(by, number(2), GLOBAL, None, None)

    assert people.listed() == 0


def test_many_at_once_release_no_more_than_the_cap(people: People) -> None:
    people.list_numbers(*range(24))
    people.set(per_hour=10)
    by = people.token("ada")

    def one(n: int) -> str:
        return attempt(
            lambda: people.services.suppressions.release(
                by, number(n), GLOBAL, None, None
            )
        )

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(one, range(24)))

    assert outcomes.count("done") == 10
    assert outcomes.count("ReleasesCapped") == 14
    assert people.listed() == 14


def test_rules_hold_from_the_instant_that_they_are_set(people: People) -> None:
    """No memory of half a second: each release reads them inside its transaction."""
    people.list_numbers(1)
    by = people.token("ada")
    for rules in ({"per_hour": 0}, {"four_eyes": True}, {"reason_required": True}):
        people.set(**rules)
        with pytest.raises((ReleasesCapped, ApprovalPending, ReleaseReasonMissing)):
            release(people, by, None)
    people.set()
    release(people, by, None)

    assert len(people.operations("guards:set")) == 4


@pytest.mark.parametrize(
    "rules", [{"per_hour": -1}, {"approval_hours": 0}, {"approval_hours": 721}]
)
def test_rules_that_cannot_be_kept_are_refused(
    rules: dict[str, object], people: People
) -> None:
    with pytest.raises(SettingInvalid):
        people.set(**rules)
