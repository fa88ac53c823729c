"""Releases that need more than the grant: a reason, a cap, a second pair of eyes."""

import ast
import inspect
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
import structlog

import app
from app.domain.access import Caller, Grant
from app.domain.entries import Draft, Revision
from app.domain.errors import (
    ApprovalPending,
    DncError,
    Forbidden,
    NotSuppressed,
    ReleaseReasonMissing,
    ReleasesCapped,
    SettingInvalid,
)
from app.domain.guards import Rules
from app.domain.phone import PhoneNumber
from app.domain.scopes import CampaignReference, read_campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT
from app.store import batches, entries

GLOBAL = read_campaign("0")
TELEMKT = read_campaign("-1")
SOURCES = Path(app.__file__).parent


def number(n: int) -> PhoneNumber:
    return PhoneNumber("1", f"55512{n:05}")


@dataclass(frozen=True)
class People:
    """Tokens of one organisation, and its database as its owner sees it."""

    services: Services
    operator: Caller
    url: str

    def token(self, name: str, *grants: Grant) -> Caller:
        self.services.access.issue(self.operator, name, grants or EVERY_GRANT)
        known = self.services.access.list_tokens(self.operator)
        return replace(
            self.operator,
            token_id=known[-1].id,
            actor=name,
            grants=known[-1].grants,
            dialect="test",
        )

    def set(self, **rules: object) -> None:
        self.services.guards.set_rules(self.operator, Rules(**rules))  # type: ignore[arg-type]

    def list_numbers(self, *ns: int, campaign: CampaignReference = GLOBAL) -> list[int]:
        purpose = "TELEMKT" if campaign.is_purpose_list else None
        return [
            self.services.suppressions.suppress(
                self.operator, Draft(number(n), campaign, purpose)
            )
            for n in ns
        ]

    def operations(self, kind: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                "SELECT id, actor, why, touched, unblocked, approves FROM operation"
                " WHERE kind = %s ORDER BY id",
                [kind],
            ).fetchall()

    def listed(self) -> int:
        with psycopg.connect(self.url) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM dnc_entry").fetchall()
        return int(rows[0])

    def checking(self) -> bool:
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT checking_enabled FROM organisation"
            ).fetchall()
        return bool(rows[0][0])


@pytest.fixture
def people(services: Services, caller: Caller, database_url: str) -> People:
    return People(services, caller, database_url)


Release = Callable[[People, Caller, str | None], object]


def release(people: People, by: Caller, reason: str | None) -> None:
    people.services.suppressions.release(
        by, number(1), GLOBAL, None, None, reason=reason
    )


def release_purpose(people: People, by: Caller, reason: str | None) -> None:
    people.services.suppressions.release(
        by, number(1), TELEMKT, "TELEMKT", "NEW", reason=reason
    )


def release_many(people: People, by: Caller, reason: str | None) -> None:
    people.services.suppressions.release_many(
        by, [number(1), number(9)], GLOBAL, reason
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


def attempt(work: Callable[[], object]) -> str:
    try:
        work()
    except DncError as error:
        return type(error).__name__
    return "done"


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


def test_leave_is_given_by_the_gate_alone() -> None:
    made = [
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Leave"
    ]

    assert made == ["services/guards.py"]


# What ends or changes an entry, and what keeps it from being a way around the gate.
ENDS = {
    "store/entries.py: RELEASE": "takes a Leave",
    "store/entries.py: RELEASE_BY_ID": "takes a Leave",
    "store/entries.py: REVISE": "services/revisions.py asks the gate",
    "store/batches.py: RELEASE": "takes a Leave",
    "store/organisations.py: SWITCH_CHECKING": "its service asks the gate",
    "store/erasures.py: HIDE": "what it changes goes on blocking, by a stand-in",
    "store/erasures.py: MERGE": "another entry blocks the same",
}
_ENDING = re.compile(
    r"(DELETE\s+FROM|UPDATE)\s+dnc_entry\b(?!_)|SET\s+checking_enabled", re.IGNORECASE
)


def test_no_other_statement_ends_or_changes_an_entry() -> None:
    """A new one is to be put behind the gate, and named here."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.FunctionDef):
                text = "".join(
                    part.value
                    for part in ast.walk(node)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )
                target = (
                    node.name
                    if isinstance(node, ast.FunctionDef)
                    else ast.unparse(
                        node.targets[0] if isinstance(node, ast.Assign) else node.target
                    )
                )
                if _ENDING.search(text):
                    found.add(f"{path.relative_to(SOURCES)}: {target}")

    assert found == set(ENDS)


def test_what_the_store_releases_takes_a_leave() -> None:
    for function in (entries.release, entries.release_locked, batches.release):
        assert "leave" in inspect.signature(function).parameters
