"""
One list behind every door: what one dialect adds, all others find, count and delete.

At once, and whichever worker answers: each request has a connection of its own, and
nothing waits between two of them. tests/wire/doors.py is how each dialect is asked.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psutil
import pytest

from app.domain.scopes import FILTER_PHONE_GROUP, Campaign
from tests.wire import stored
from tests.wire.conftest import WORKERS, Api, Service, open_doors
from tests.wire.doors import (
    COUNTERS,
    DELETERS,
    DOORS,
    LOOKUPS,
    WITH_CAMPAIGNS,
    Doors,
    find_answers,
)
from tests.wire.doors.vicidial import Group

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
# Those who can name a campaign by its id besides its code.
BY_ID = ["convoso", "native", "dncscrub"]
CAMPAIGN_ADDERS = [(name, "code") for name in WITH_CAMPAIGNS]
CAMPAIGN_ADDERS += [(name, "id") for name in BY_ID]
CAMPAIGN_LOOKUPS = [one for one in LOOKUPS if one[0] in WITH_CAMPAIGNS]
# The workspace, which knows no campaigns, shows what is on any list.
ON_ANY_LIST = {("workspace", "list")}
# What says nothing of a listed number while an organisation has checks switched off.
UNCHECKED = {
    ("native", "check"),
    ("vicidial", "check_phone_number"),
    ("vicidial", "filter"),
}
# May it be called? Not only: what is on that list?
CHECKS = [
    ("native", "check"),
    ("native", "batch"),
    ("native", "scrub"),
    ("vicidial", "check_phone_number"),
    ("vicidial", "filter"),
    ("dncscrub", "scrub"),
    ("dncscrub", "scrub as json"),
    ("dncscrub", "scrub as xml"),
]


def named(lookups: list[tuple[str, str]]) -> list[str]:
    return [f"{door}'s {lookup}" for door, lookup in lookups]


added_by = pytest.mark.parametrize("adder", DOORS, ids=lambda name: f"{name} added")
added_to_a_campaign_by = pytest.mark.parametrize(
    ("adder", "named_by"),
    CAMPAIGN_ADDERS,
    ids=[f"{name} added by {by}" for name, by in CAMPAIGN_ADDERS],
)
found_by = pytest.mark.parametrize(("finder", "lookup"), LOOKUPS, ids=named(LOOKUPS))
found_for_a_campaign_by = pytest.mark.parametrize(
    ("finder", "lookup"), CAMPAIGN_LOOKUPS, ids=named(CAMPAIGN_LOOKUPS)
)
checked_by = pytest.mark.parametrize(("finder", "check"), CHECKS, ids=named(CHECKS))


def say_listed(
    doors: Doors, number: str, campaign: str | None = None
) -> set[tuple[str, str]]:
    """Return the look-ups that say that *number* is listed."""
    answers = find_answers(doors, number, campaign)
    return {lookup for lookup, listed in answers.items() if listed}


@added_by
@found_by
def test_a_number_is_found_at_once_whoever_added_it(adder, finder, lookup, doors):
    find = doors[finder].lookups()[lookup]
    before = find(NUMBER, None)

    said = doors[adder].add(NUMBER)

    assert (before, said.success) == (False, True), said
    assert find(NUMBER, None) is True
    assert find(OTHER, None) is False


@added_by
@pytest.mark.parametrize("counter", COUNTERS, ids=lambda name: f"{name} counts")
def test_a_number_is_counted_once_whoever_added_it(adder, counter, doors):
    counts = [doors[counter].count()]
    for number in (NUMBER, OTHER, NUMBER):
        doors[adder].add(number)
        counts.append(doors[counter].count())

    assert counts == [0, 1, 2, 2]


@added_by
@pytest.mark.parametrize("deleter", DELETERS, ids=lambda name: f"{name} deleted")
def test_a_number_is_gone_from_every_door_whoever_deleted_it(adder, deleter, doors):
    doors[adder].add(NUMBER)
    doors[adder].add(OTHER)

    said = doors[deleter].delete(NUMBER)

    assert said.success, said
    assert say_listed(doors, NUMBER) == set()
    assert {doors[name].count() for name in COUNTERS} == {1}
    assert say_listed(doors, OTHER) == set(LOOKUPS)
    assert doors[adder].add(NUMBER).success


@added_by
@pytest.mark.parametrize("again", DOORS, ids=lambda name: f"{name} added it again")
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


@added_to_a_campaign_by
@found_for_a_campaign_by
def test_a_campaigns_number_is_found_for_that_campaign_alone(  # noqa: PLR0917
    adder, named_by, finder, lookup, api: Api, doors
):
    named = {"code": "SPRING", "id": str(api.add_campaign("SPRING"))}
    api.add_campaign("AUTUMN")
    find = doors[finder].lookups()[lookup]

    said = doors[adder].add(NUMBER, named[named_by])

    assert said.success, said
    found = {place: find(NUMBER, place) for place in ("SPRING", "AUTUMN", None)}
    assert found == {"SPRING": True, "AUTUMN": False, None: False}
    assert find(OTHER, "SPRING") is False
    if finder in BY_ID:
        assert find(NUMBER, named["id"]) is True


@added_to_a_campaign_by
@pytest.mark.parametrize("counter", BY_ID, ids=lambda name: f"{name} counts")
def test_a_campaigns_number_is_counted_on_that_campaigns_list_alone(
    adder, named_by, counter, api: Api, doors
):
    named = {"code": "SPRING", "id": str(api.add_campaign("SPRING"))}
    api.add_campaign("AUTUMN")

    doors[adder].add(NUMBER, named[named_by])

    count = doors[counter].count
    places = ["SPRING", named["id"], "AUTUMN", None]
    assert [count(place) for place in places] == [1, 1, 0, 0]


@added_to_a_campaign_by
@pytest.mark.parametrize(
    "deleter",
    [name for name in DELETERS if name in WITH_CAMPAIGNS],
    ids=lambda name: f"{name} deleted",
)
def test_a_campaigns_number_leaves_that_list_alone_whoever_deletes_it(
    adder, named_by, deleter, api: Api, doors
):
    named = {"code": "SPRING", "id": str(api.add_campaign("SPRING"))}
    api.add_campaign("AUTUMN")
    for campaign in (named[named_by], "AUTUMN", None):
        doors[adder].add(NUMBER, campaign)

    first = doors[deleter].delete(NUMBER)
    second = doors[deleter].delete(NUMBER, "SPRING")

    assert (first.success, second.success) == (True, True), (first, second)
    assert say_listed(doors, NUMBER) == ON_ANY_LIST
    assert say_listed(doors, NUMBER, "SPRING") == set()
    assert say_listed(doors, NUMBER, "AUTUMN") == set(CAMPAIGN_LOOKUPS)


@added_to_a_campaign_by
def test_a_campaigns_number_is_found_counted_and_deleted_in_the_workspace_too(
    adder, named_by, api: Api, doors
):
    named = {"code": "SPRING", "id": str(api.add_campaign("SPRING"))}
    workspace = doors["workspace"]

    doors[adder].add(NUMBER, named[named_by])

    assert (workspace.is_listed(NUMBER), workspace.count()) == (True, 1)
    assert say_listed(doors, NUMBER) == ON_ANY_LIST
    assert workspace.delete(NUMBER).success
    assert (workspace.is_listed(NUMBER), workspace.count()) == (False, 0)
    assert say_listed(doors, NUMBER, "SPRING") == set()


@added_by
@checked_by
def test_the_organisations_number_is_not_called_for_any_campaign(
    adder, finder, check, api: Api, doors
):
    api.add_campaign("SPRING")
    ask = doors[finder].lookups()[check]
    before = ask(NUMBER, "SPRING")

    doors[adder].add(NUMBER)

    assert (before, ask(NUMBER, "SPRING")) == (False, True)


@checked_by
def test_a_purposes_number_is_not_called_for_campaigns_of_that_purpose(
    finder, check, api: Api, doors
):
    api.add_campaign("SPRING", "TELEMKT")
    api.add_campaign("SURVEY", "COLLECT")
    ask = doors[finder].lookups()[check]

    api.insert(NUMBER, -1, purpose="TELEMKT")

    found = {place: ask(NUMBER, place) for place in ("SPRING", "SURVEY", None)}
    assert found == {"SPRING": True, "SURVEY": False, None: False}


def test_a_filter_phone_group_is_a_list_to_every_door_with_campaigns(api: Api, doors):
    group = Campaign(0, "FPG1", "Filter phone group", FILTER_PHONE_GROUP)
    api.services.campaigns.add(api.caller, None, group)
    filter_group = Group(doors["vicidial"].keys)
    lists = {("convoso", "search"), ("native", "export"), ("dncscrub", "status")}
    for name in ("convoso", "native", "dncscrub"):
        assert doors[name].add(NUMBER, "FPG1").success
        assert lists <= say_listed(doors, NUMBER, "FPG1")
        assert filter_group.delete(NUMBER, "FPG1").success
        assert not lists & say_listed(doors, NUMBER, "FPG1")

    for name in ("convoso", "dncscrub"):
        assert filter_group.add(NUMBER, "FPG1").success
        assert not filter_group.add(NUMBER, "FPG1").success
        assert lists <= say_listed(doors, NUMBER, "FPG1")
        assert doors[name].delete(NUMBER, "FPG1").success
        assert not lists & say_listed(doors, NUMBER, "FPG1")
        assert not filter_group.delete(NUMBER, "FPG1").success


def test_a_switch_that_lets_calls_go_unchecked_takes_nothing_off_a_list(api, doors):
    doors["dncscrub"].add(NUMBER)
    api.services.organisations.switch_checking(api.caller, enabled=False)

    silent = set(LOOKUPS) - say_listed(doors, NUMBER)

    assert silent == UNCHECKED
    assert {doors[name].count() for name in COUNTERS} == {1}
    api.services.organisations.switch_checking(api.caller, enabled=True)
    assert say_listed(doors, NUMBER) == set(LOOKUPS)
