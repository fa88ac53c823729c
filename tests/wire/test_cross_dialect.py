"""
One list behind every door: what one dialect adds, all others find, count and delete.

At once, and whichever worker answers: each request has a connection of its own, and
nothing waits between two of them. tests/wire/doors is how each dialect is asked.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psutil
import pytest

from tests.thinning import diagonal
from tests.wire import stored
from tests.wire.conftest import open_doors
from tests.wire.doors import (
    COUNTERS,
    DELETERS,
    DOORS,
    LOOKUPS,
    name_value,
    say_listed,
)
from tests.wire.service import WORKERS, Api, Service

NUMBER = "7275551212"
OTHER = "7275551213"

# What the dialects say of a number that is listed already: may it be called success?
ADDED_AGAIN = {
    "convoso": False,
    "native": True,
    "vicidial": False,
    "workspace": False,
    "dncscrub": True,
}
# Each after another, and not after itself, which its own contract's tests ask.
AGAIN = [*DOORS][1:] + [*DOORS][:1]
# What says nothing of a listed number while an organisation has checks switched off.
UNCHECKED = {
    ("native", "check"),
    ("vicidial", "check_phone_number"),
    ("vicidial", "filter"),
}
added_by = pytest.mark.parametrize("adder", DOORS, ids=lambda name: f"{name} added")


@pytest.mark.parametrize(("adder", "looking"), diagonal(DOORS, LOOKUPS), ids=name_value)
def test_a_number_is_found_at_once_whoever_added_it(adder, looking, doors):
    finder, lookup = looking
    find = doors[finder].lookups()[lookup]
    before = find(NUMBER, None)

    said = doors[adder].add(NUMBER)

    assert (before, said.success) == (False, True), said
    assert find(NUMBER, None) is True
    assert find(OTHER, None) is False


@pytest.mark.parametrize(("adder", "counter"), diagonal(DOORS, COUNTERS))
def test_a_number_is_counted_once_whoever_added_it(adder, counter, doors):
    counts = [doors[counter].count()]
    for number in (NUMBER, OTHER, NUMBER):
        doors[adder].add(number)
        counts.append(doors[counter].count())

    assert counts == [0, 1, 2, 2]


@pytest.mark.parametrize(("adder", "deleter"), diagonal(DOORS, DELETERS))
def test_a_number_is_gone_from_every_door_whoever_deleted_it(adder, deleter, doors):
    doors[adder].add(NUMBER)
    doors[adder].add(OTHER)

    said = doors[deleter].delete(NUMBER)

    assert said.success, said
    assert say_listed(doors, NUMBER) == set()
    assert {doors[name].count() for name in COUNTERS} == {1}
    assert say_listed(doors, OTHER) == set(LOOKUPS)
    assert doors[adder].add(NUMBER).success


@pytest.mark.parametrize(("adder", "again"), diagonal(DOORS, AGAIN))
def test_a_listed_number_stays_as_it_is_whoever_adds_it_again(
    adder, again, api: Api, doors
):
    doors[adder].add(NUMBER)
    before = api.search()

    said = doors[again].add(NUMBER)

    assert said.success is ADDED_AGAIN[again], said
    assert api.search() == before
    assert {doors[name].count() for name in COUNTERS} == {1}


@added_by
def test_a_number_is_another_organisations_business_whoever_added_it(
    adder, doors, make_api
):
    others = open_doors(make_api())

    doors[adder].add(NUMBER)

    assert say_listed(others, NUMBER) == set()
    assert {others[name].count() for name in COUNTERS} == {0}
    assert others[adder].add(NUMBER).success


@added_by
def test_whichever_worker_is_asked_knows_what_the_last_one_was_told(
    adder, doors, service: Service
):
    assert len(psutil.Process(service.process.pid).children()) >= WORKERS > 1
    deleter = adder if adder in DELETERS else "vicidial"
    for _ in range(3):
        assert doors[adder].add(NUMBER).success
        assert say_listed(doors, NUMBER) == set(LOOKUPS)
        assert doors[deleter].delete(NUMBER).success
        assert say_listed(doors, NUMBER) == set()


def test_of_doors_that_add_one_number_at_the_same_time_one_stores_it(
    api: Api, doors, service_database
):
    gate = Barrier(len(DOORS))

    def add(name: str, number: str) -> tuple[str, bool]:
        gate.wait()
        return name, doors[name].add(number).success

    numbers = [str(7275550000 + each) for each in range(8)]
    with ThreadPoolExecutor(len(DOORS)) as threads:
        for number in numbers:
            said = dict(threads.map(add, DOORS, [number] * len(DOORS)))
            # Of those that call it an error when it was there already, one at most.
            stored_it = [name for name in said if said[name] and not ADDED_AGAIN[name]]
            assert len(stored_it) <= 1, said
            assert all(said[name] for name in said if ADDED_AGAIN[name]), said

    organisation = api.caller.organisation.id
    assert stored.numbers(service_database, organisation) == [f"1{n}" for n in numbers]


def test_a_switch_that_lets_calls_go_unchecked_takes_nothing_off_a_list(api, doors):
    doors["dncscrub"].add(NUMBER)
    api.services.organisations.switch_checking(api.caller, enabled=False)

    silent = set(LOOKUPS) - say_listed(doors, NUMBER)

    assert silent == UNCHECKED
    assert {doors[name].count() for name in COUNTERS} == {1}
    api.services.organisations.switch_checking(api.caller, enabled=True)
    assert say_listed(doors, NUMBER) == set(LOOKUPS)
