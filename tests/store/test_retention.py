"""The past is kept as long as the law wants; what blocks now is never touched."""

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.entries import Draft, EntryFilter, Page, Revision
from app.domain.errors import SettingInvalid
from app.domain.phone import PhoneNumber
from app.domain.retention import Forgotten
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.services import Services
from app.services import retention as retention_service
from app.store.database import Database
from app.store.roles import Scope

OLD = PhoneNumber("1", "9175550148")
YOUNG = PhoneNumber("1", "9175550149")
LISTED = PhoneNumber("1", "9175550150")
GLOBAL = read_campaign("0")
REASON = "Quokka of Rottnest asked"


@pytest.fixture
def services(keyed: Services) -> Services:
    return keyed


def end(services: Services, caller: Caller, number: PhoneNumber) -> None:
    services.suppressions.suppress(caller, Draft(number, GLOBAL, None, REASON))
    services.suppressions.release(caller, number, GLOBAL, None, None)


def age(url: str, number: PhoneNumber, months: int) -> None:
    """Let what ended of *number* have ended so many months and a day ago."""
    with psycopg.connect(url) as owner:
        owner.execute(
            "UPDATE dnc_entry_past SET"
            " valid_from = now() - make_interval(months => %(months)s, days => 2),"
            " valid_until = now() - make_interval(months => %(months)s, days => 1)"
            " WHERE e164 = %(e164)s",
            {"months": months, "e164": number.e164},
        )


def past(url: str) -> dict[int, tuple[int, str | None]]:
    with psycopg.connect(url) as owner:
        rows = owner.execute(
            "SELECT id, e164, reason FROM dnc_entry_past ORDER BY id"
        ).fetchall()
    return {entry_id: (e164, reason) for entry_id, e164, reason in rows}


def test_what_ended_before_the_retention_is_forgotten_and_nothing_else(
    services: Services, caller: Caller, database_url: str
) -> None:
    listed = services.suppressions.suppress(caller, Draft(LISTED, GLOBAL, None, REASON))
    services.suppressions.revise(caller, listed, Revision(reason="Asked again"))
    for number in (OLD, YOUNG):
        end(services, caller, number)
    age(database_url, OLD, 60)
    age(database_url, YOUNG, 59)
    age(database_url, LISTED, 60)
    before = past(database_url)
    services.retention.set(caller, 60)

    found = services.retention.apply(caller, dry_run=True)
    assert past(database_url) == before
    forgotten = services.retention.apply(caller, dry_run=False)

    assert found == forgotten == Forgotten(versions=2, operations=2)
    after = past(database_url)
    assert [e164 < 0 for e164, _ in after.values()] == [True, True, False]
    assert [reason for _, reason in after.values()] == [None, None, REASON]
    assert services.retention.apply(caller, dry_run=False) == Forgotten()
    (entry,), _ = services.searches.search(
        caller, EntryFilter(numbers=(LISTED,)), Page()
    )
    assert entry.reason == "Asked again"
    assert not services.checks.check(caller, Question(LISTED)).callable
    assert services.checks.check(caller, Question(OLD)).callable


def test_it_is_forgotten_piece_by_piece(
    services: Services,
    caller: Caller,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention_service, "PIECE", 3)
    numbers = [PhoneNumber("1", f"917555{last:04}") for last in range(10)]
    for number in numbers:
        end(services, caller, number)
    # All at one instant, as what one request takes off.
    with psycopg.connect(database_url) as owner:
        owner.execute(
            "UPDATE dnc_entry_past"
            " SET valid_from = '2000-01-01', valid_until = '2001-01-01'"
        )
    services.retention.set(caller, 72)
    steps: list[int] = []

    dry = services.retention.apply(caller, dry_run=True)
    forgotten = services.retention.apply(
        caller, dry_run=False, progress=lambda so_far: steps.append(so_far.versions)
    )

    assert forgotten.versions == 10
    assert dry == forgotten
    assert steps == sorted(steps)
    assert len(steps) > 3
    assert all(e164 < 0 for e164, _ in past(database_url).values())
    with psycopg.connect(database_url) as owner:
        (touched,) = owner.execute(
            "SELECT array_agg(touched ORDER BY id) FROM operation"
            " WHERE kind = 'retention:applied'"
        ).fetchone() or ([],)
    assert sum(touched) == 10


@pytest.mark.parametrize("months", [-1, 0, 1, 59, 1201])
def test_no_retention_is_shorter_than_the_law_allows(
    months: int, services: Services, caller: Caller
) -> None:
    with pytest.raises(SettingInvalid) as refused:
        services.retention.set(caller, months)

    if months < 60:
        assert "47 CFR 64.1200(d)(6)" in str(refused.value)
    assert services.retention.find(caller) is None


def test_without_a_retention_everything_is_kept(
    services: Services, caller: Caller, database_url: str
) -> None:
    end(services, caller, OLD)
    age(database_url, OLD, 1000)
    services.retention.set(caller, 60)
    services.retention.set(caller, None)

    assert services.retention.apply(caller, dry_run=False) == Forgotten()
    assert past(database_url)[1] == (OLD.e164, REASON)


def test_the_law_holds_for_whoever_changes_the_database_as_well(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.retention.set(caller, 60)

    with (
        psycopg.connect(database_url) as owner,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        owner.execute("UPDATE organisation SET retention_months = 12")


def test_the_past_can_be_forgotten_by_the_application_and_not_rewritten(
    database: Database, caller: Caller, services: Services
) -> None:

    end(services, caller, OLD)
    scope = Scope(caller.organisation.id)
    for statement in (
        "UPDATE dnc_entry_past SET reason = 'x'",
        "DELETE FROM dnc_entry_past",
        "UPDATE operation SET why = 'x'",
        "DELETE FROM lead",
    ):
        with (
            pytest.raises(Exception, match="InsufficientPrivilege"),
            database.transaction(scope) as tx,
        ):
            tx.fetch(statement, {})  # type: ignore[arg-type]
