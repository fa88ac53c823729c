"""A deleted entry comes back as it was, its history whole."""

import threading
from contextlib import suppress
from itertools import pairwise

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.entries import Draft, EntryFilter, Page, Revision
from app.domain.errors import (
    AlreadySuppressed,
    EntryRepeated,
    EntryUnknown,
    NotSuppressed,
)
from app.domain.history import Subject, Version
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.organisations import operator
from app.store import history
from app.store.database import Database
from app.store.roles import Scope
from tests.conftest import make_organisation

NUMBER = PhoneNumber("1", "5551234567")
OTHER = PhoneNumber("1", "5551234568")
GLOBAL = read_campaign("0")


def put(services: Services, caller: Caller, number: PhoneNumber = NUMBER) -> int:
    draft = Draft(number, GLOBAL, None, "DNC", {"ip": "192.0.2.1"})
    return services.suppressions.suppress(caller, draft)


def take(services: Services, caller: Caller, number: PhoneNumber = NUMBER) -> None:
    services.suppressions.release(caller, number, GLOBAL, None, None)


def versions(services: Services, caller: Caller, entry_id: int) -> list[Version]:
    found, total = services.histories.find(caller, Subject(entry_id=entry_id), Page())
    assert total == len(found)
    return found


def assert_whole(versions: list[Version]) -> None:
    """No two versions hold at once, and only the last may hold now."""
    for one, following in pairwise(versions):
        assert one.valid_until is not None
        assert one.entry.valid_from < one.valid_until <= following.entry.valid_from


def test_a_restored_entry_blocks_again_as_it_was(
    services: Services, caller: Caller
) -> None:
    entry_id = put(services, caller)
    before = services.searches.search(caller, EntryFilter(id=entry_id), Page())[0][0]
    take(services, caller)

    services.histories.restore(caller, entry_id)

    assert not services.checks.check(caller, Question(NUMBER)).callable
    [after] = services.searches.search(caller, EntryFilter(id=entry_id), Page())[0]
    assert after.inserted_at == before.inserted_at
    assert after.valid_from > before.valid_from
    assert (after.number, after.campaign, after.reason, after.evidence) == (
        before.number,
        before.campaign,
        before.reason,
        before.evidence,
    )


def test_its_history_tells_the_gap_and_what_closed_it(
    services: Services, caller: Caller
) -> None:
    entry_id = put(services, caller)
    services.suppressions.revise(caller, entry_id, Revision(reason="second"))
    take(services, caller)
    services.histories.restore(caller, entry_id)
    take(services, caller)
    services.histories.restore(caller, entry_id)

    told = versions(services, caller, entry_id)

    made = [version.made_by and version.made_by.kind for version in told]
    ended = [version.ended_by and version.ended_by.kind for version in told]
    assert made == [
        "entry:suppressed",
        "entry:revised",
        "entry:restored",
        "entry:restored",
    ]
    assert ended == ["entry:revised", "entry:released", "entry:released", None]
    assert [version.entry.reason for version in told] == ["DNC", *["second"] * 3]
    assert_whole(told)


def test_an_entry_that_is_listed_is_not_restored(
    services: Services, caller: Caller
) -> None:
    entry_id = put(services, caller)

    with pytest.raises(EntryRepeated) as refused:
        services.histories.restore(caller, entry_id)

    assert refused.value.entry_id == entry_id
    assert len(versions(services, caller, entry_id)) == 1


def test_a_number_that_its_list_holds_again_is_not_restored_beside(
    services: Services, caller: Caller
) -> None:
    first = put(services, caller)
    take(services, caller)
    second = put(services, caller)

    with pytest.raises(AlreadySuppressed) as refused:
        services.histories.restore(caller, first)

    assert refused.value.entry_id == second
    assert not isinstance(refused.value, EntryRepeated)
    assert len(versions(services, caller, first)) == 1


def test_an_entry_unknown_or_another_s_is_refused_alike(
    services: Services, caller: Caller
) -> None:
    other = operator(
        services.organisations.add("test", make_organisation("Other")), "test"
    )
    entry_id = put(services, caller)
    take(services, caller)

    for stranger in (entry_id, 999_999_999, 2**59):
        with pytest.raises(EntryUnknown):
            services.histories.restore(other, stranger)
    assert services.histories.find(other, Subject(entry_id=entry_id), Page()) == ([], 0)
    assert services.checks.check(caller, Question(NUMBER)).callable


def test_a_restored_entry_is_counted_and_dates_its_list_s_change(
    services: Services, caller: Caller
) -> None:
    entry_id = put(services, caller)
    put(services, caller, OTHER)
    take(services, caller)
    services.histories.restore(caller, entry_id)

    size = services.searches.measure_list(caller, GLOBAL)
    found, total = services.searches.search(caller, EntryFilter(), Page())

    assert (size.numbers, total, len(found)) == (2, 2, 2)
    [restored] = [entry for entry in found if entry.id == entry_id]
    assert size.changed_at == restored.valid_from


@pytest.mark.parametrize("code", ["-1", "SPRING"])
def test_an_entry_goes_back_to_the_list_it_was_on(
    services: Services, caller: Caller, code: str
) -> None:
    campaign = Campaign(0, "SPRING", "Spring", "", "TELEMKT")
    services.campaigns.add(caller, None, campaign)
    on = read_campaign(code)
    entry_id = services.suppressions.suppress(caller, Draft(NUMBER, on, "TELEMKT"))
    services.suppressions.release(caller, NUMBER, on, "TELEMKT", None)

    services.histories.restore(caller, entry_id)

    call = Question(NUMBER, read_campaign("SPRING"))
    assert not services.checks.check(caller, call).callable


def test_a_version_that_another_has_followed_meanwhile_does_not_come_back(
    services: Services, caller: Caller, database: Database, database_url: str
) -> None:
    entry_id = put(services, caller)
    take(services, caller)

    def cross() -> None:
        with database.transaction(Scope(caller.organisation.id)) as tx:
            assert history.find_ended(tx, entry_id) is not None
            services.histories.restore(caller, entry_id)
            with psycopg.connect(database_url) as late:
                late.execute(
                    "SELECT set_config('role', 'dncd_app', true),"
                    " set_config('dncd.organisation', %s, true),"
                    " set_config('dncd.operation', '1', true)",
                    [str(caller.organisation.id)],
                )
                late.execute("UPDATE dnc_entry SET reason = 'newest'")
                late.execute("DELETE FROM dnc_entry")
                commit = threading.Timer(0.3, late.commit)
                commit.start()
                # Has read what ended before, and waits for the other's delete.
                try:
                    history.restore(tx, 1, entry_id)
                finally:
                    commit.join()

    with pytest.raises(history.Crossed):
        cross()

    services.histories.restore(caller, entry_id)
    told = versions(services, caller, entry_id)
    assert told[-1].entry.reason == "newest"
    assert_whole(told)


def test_restores_and_releases_that_race_leave_one_chain_of_versions(
    services: Services, caller: Caller
) -> None:
    entry_id = put(services, caller)
    take(services, caller)
    restored: list[int] = []

    def restore() -> None:
        for _ in range(25):
            with suppress(AlreadySuppressed):
                services.histories.restore(caller, entry_id)
                restored.append(1)

    def release() -> None:
        for _ in range(25):
            with suppress(NotSuppressed):
                take(services, caller)

    threads = [threading.Thread(target=each) for each in (restore, restore, release)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found, total = services.histories.find(
        caller, Subject(entry_id=entry_id), Page(limit=1000)
    )
    assert total == len(found) == len(restored) + 1
    assert_whole(found)
