"""Who asks, adds and takes off while somebody is being forgotten."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Event

import pytest

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import Draft, EntryFilter, Page
from app.domain.errors import AlreadySuppressed, NotSuppressed, StoreUnavailable
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.services import Services
from app.store.database import Database

GLOBAL = read_campaign("0")
NUMBERS = [PhoneNumber("1", f"917555{last:04}") for last in range(40)]


@pytest.fixture
def services(keyed: Services) -> Services:
    return keyed


@pytest.fixture
def others(database_url: str, tmp_path: Path) -> Iterator[Services]:
    """Another process of the same installation."""
    database = Database(database_url, connections=8)
    yield build_services(database, tmp_path / "key")
    database.close()


def test_no_question_finds_a_number_callable_while_it_is_erased(
    services: Services, others: Services, caller: Caller
) -> None:
    for number in NUMBERS:
        services.suppressions.suppress(caller, Draft(number, GLOBAL, None, "x"))
    keys = {number.e164 for number in NUMBERS}
    ended = Event()

    def check() -> int:
        asked = 0
        while not ended.is_set():
            for number in NUMBERS[::7]:
                assert not others.checks.check(caller, Question(number)).callable
                wanted = EntryFilter(numbers=(number,))
                assert others.searches.search(caller, wanted, Page())[1] > 0
            asked += 1
        return asked

    def scrub() -> int:
        asked = 0
        while not ended.is_set():
            _, hits = others.checks.find_listed(caller, sorted(keys), None)
            assert hits.keys() == keys
            found = others.searches.find_on_list(caller, NUMBERS, GLOBAL)
            assert found.keys() == keys
            asked += 1
        return asked

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for ask in (check, scrub, check)]
        try:
            for number in NUMBERS:
                services.erasures.erase(caller, number)
            for number in NUMBERS:
                services.suppressions.suppress(caller, Draft(number, GLOBAL))
                services.erasures.erase(caller, number)
        finally:
            ended.set()
        assert all(each.result() for each in asking)


def test_a_release_that_meets_an_erasure_says_what_becomes_of_the_number(
    services: Services, others: Services, caller: Caller
) -> None:
    """Success is never said of what stays blocked, nor "not listed"."""
    together = Barrier(2)
    outcomes = set()

    def erase(number: PhoneNumber) -> None:
        together.wait()
        services.erasures.erase(caller, number)

    def release(number: PhoneNumber, many: bool) -> str:  # noqa: FBT001
        together.wait()
        try:
            if many:
                others.suppressions.release_many(caller, [number], GLOBAL)
            else:
                others.suppressions.release(caller, number, GLOBAL, None, None)
        except NotSuppressed:
            return "not listed"
        except StoreUnavailable:
            return "unavailable"
        return "released"

    with ThreadPoolExecutor(2) as threads:
        for index, number in enumerate(NUMBERS):
            services.suppressions.suppress(caller, Draft(number, GLOBAL))
            erasing = threads.submit(erase, number)
            said = threads.submit(release, number, index % 2 == 0).result()
            erasing.result()
            blocked = not services.checks.check(caller, Question(number)).callable
            outcomes.add(said)
            assert blocked is (said == "unavailable"), (number, said)

    assert "released" in outcomes


def test_who_opts_out_again_meanwhile_is_blocked_whoever_comes_first(
    services: Services, others: Services, caller: Caller
) -> None:
    together = Barrier(3)

    def erase(number: PhoneNumber) -> None:
        together.wait()
        services.erasures.erase(caller, number)

    def suppress_again(number: PhoneNumber) -> None:
        together.wait()
        with suppress(AlreadySuppressed):
            others.suppressions.suppress(caller, Draft(number, GLOBAL))

    with ThreadPoolExecutor(3) as threads:
        for number in NUMBERS[:20]:
            services.suppressions.suppress(caller, Draft(number, GLOBAL))
            doing = [
                threads.submit(erase, number),
                threads.submit(erase, number),
                threads.submit(suppress_again, number),
            ]
            for each in doing:
                each.result()
            assert not others.checks.check(caller, Question(number)).callable
