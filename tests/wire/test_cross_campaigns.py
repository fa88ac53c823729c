"""
The list of one campaign, behind every door that knows campaigns.

What one dialect puts on it, the others find, count and delete for that campaign alone;
what the whole organisation must not call, no campaign calls.
"""

import pytest

from app.domain.scopes import FILTER_PHONE_GROUP, Campaign
from tests.thinning import diagonal
from tests.wire.doors import (
    DELETERS,
    DOORS,
    LOOKUPS,
    WITH_CAMPAIGNS,
    name_value,
    say_listed,
)
from tests.wire.doors.vicidial import Group
from tests.wire.service import Api

NUMBER = "7275551212"
OTHER = "7275551213"

# Those who can name a campaign by its id besides its code.
BY_ID = ["convoso", "native", "dncscrub"]
CAMPAIGN_ADDERS = [(name, "code") for name in WITH_CAMPAIGNS]
CAMPAIGN_ADDERS += [(name, "id") for name in BY_ID]
CAMPAIGN_LOOKUPS = [one for one in LOOKUPS if one[0] in WITH_CAMPAIGNS]
# The workspace, which knows no campaigns, shows what is on any list.
ON_ANY_LIST = {("workspace", "list")}
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


added_to_a_campaign_by = pytest.mark.parametrize(
    ("adder", "named_by"),
    CAMPAIGN_ADDERS,
    ids=[f"{name} added by {by}" for name, by in CAMPAIGN_ADDERS],
)


@pytest.mark.parametrize(
    ("adding", "looking"), diagonal(CAMPAIGN_ADDERS, CAMPAIGN_LOOKUPS), ids=name_value
)
def test_a_campaigns_number_is_found_for_that_campaign_alone(
    adding, looking, api: Api, doors
):
    (adder, named_by), (finder, lookup) = adding, looking
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


@pytest.mark.parametrize(
    ("adding", "counter"), diagonal(CAMPAIGN_ADDERS, BY_ID), ids=name_value
)
def test_a_campaigns_number_is_counted_on_that_campaigns_list_alone(
    adding, counter, api: Api, doors
):
    adder, named_by = adding
    named = {"code": "SPRING", "id": str(api.add_campaign("SPRING"))}
    api.add_campaign("AUTUMN")

    doors[adder].add(NUMBER, named[named_by])

    count = doors[counter].count
    places = ["SPRING", named["id"], "AUTUMN", None]
    assert [count(place) for place in places] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("adding", "deleter"),
    diagonal(CAMPAIGN_ADDERS, [name for name in DELETERS if name in WITH_CAMPAIGNS]),
    ids=name_value,
)
def test_a_campaigns_number_leaves_that_list_alone_whoever_deletes_it(
    adding, deleter, api: Api, doors
):
    adder, named_by = adding
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


@pytest.mark.parametrize(("adder", "checking"), diagonal(DOORS, CHECKS), ids=name_value)
def test_the_organisations_number_is_not_called_for_any_campaign(
    adder, checking, api: Api, doors
):
    finder, check = checking
    api.add_campaign("SPRING")
    ask = doors[finder].lookups()[check]
    before = ask(NUMBER, "SPRING")

    doors[adder].add(NUMBER)

    assert (before, ask(NUMBER, "SPRING")) == (False, True)


@pytest.mark.parametrize("checking", CHECKS, ids=name_value)
def test_a_purposes_number_is_not_called_for_campaigns_of_that_purpose(
    checking, api: Api, doors
):
    finder, check = checking
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
