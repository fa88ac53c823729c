"""What VICIdial's page calls a success blocks, whatever the original did with it."""

from collections import Counter
from collections.abc import Callable

import pytest
import requests

from tests.wire import stored
from tests.wire.test_races import at_once
from tests.wire.vicidial import CAMPAIGN, GROUP, NUMBER, OTHER, OWN, PAGE, Box, make_box

THIRD = "7275551214"
# Where a real VICIdial says SUCCESS and the number stays callable, and what else a
# number or a list may look like; and which numbers block when it is a success here.
WRITTEN = [
    pytest.param("+1 (727) 555-1212", OWN, [NUMBER], id="a number with formatting"),
    pytest.param("1-727-555-1212", OWN, [NUMBER], id="a number with its code"),
    pytest.param("17275551212", CAMPAIGN, [NUMBER], id="eleven digits"),
    pytest.param("0017275551212", OWN, [NUMBER], id="an international prefix"),
    pytest.param(" 727.555.1212 ", OWN, [NUMBER], id="dots and spaces"),
    pytest.param(f"{NUMBER},{OTHER}", OWN, [NUMBER, OTHER], id="a comma list"),
    pytest.param(
        f"+1{NUMBER}, (727) 555-1213,{THIRD}",
        CAMPAIGN,
        [NUMBER, OTHER, THIRD],
        id="a comma list of spellings",
    ),
    pytest.param(f"{NUMBER},1{NUMBER}", OWN, [NUMBER], id="a number twice"),
    pytest.param(NUMBER, "system_internal", [NUMBER], id="the own list in lower case"),
    pytest.param(NUMBER, "System_Internal", [NUMBER], id="the own list in mixed case"),
    pytest.param(NUMBER, "NOSUCH", [], id="an unknown campaign"),
    pytest.param(NUMBER, "testcamp", [], id="a campaign in another case"),
    pytest.param(NUMBER * 2, OWN, [], id="a number longer than the column"),
    pytest.param(f"{NUMBER}99999999", OWN, [], id="eighteen digits"),
    pytest.param(f"{NUMBER},{OTHER},55", OWN, [], id="a comma list with a bad number"),
    pytest.param(f"{NUMBER} {OTHER}", OWN, [], id="two numbers and a space"),
    pytest.param("7275551212x9", OWN, [], id="an extension"),
    pytest.param("27275551212", OWN, [], id="eleven digits of no plan"),
    pytest.param("7.275551212", OWN, [], id="a spreadsheet's number"),
]


@pytest.fixture
def box(service, administration) -> Box:
    return make_box(service, administration)


def lookups(box: Box, on: str) -> dict[str, Callable[[str], bool]]:
    """Return every way to ask whether a number is listed, for calls of that list."""
    campaign = CAMPAIGN if on == CAMPAIGN else ""

    def native(number: str) -> bool:
        asked = {"phone_number": number, "phone_code": "1", "campaign_id": campaign}
        body = box.api.call("dnc/check", **asked)
        return body["data"]["callable"] is False

    def check(number: str) -> bool:
        asked = {"phone_number": number, "dnc_check": "Y", "campaign_id": campaign}
        if campaign:
            asked["campaign_dnc_check"] = "Y"
        return "PHONE NUMBER IN " in box.say("check_phone_number", **asked)

    def again(number: str) -> bool:
        asked = {"phone_number": number, "campaign_id": on}
        return "ALREADY EXISTS" in box.say("add_dnc_phone", **asked)

    return {
        "native check": native,
        "check_phone_number": check,
        "filter": lambda n: box.filters(phone=n, campaign_id=campaign).text == "1",
        "search": lambda n: bool(box.api.search(phone_number=n, phone_code="1")),
        "add_dnc_phone": again,
    }


@pytest.mark.parametrize(("written", "on", "numbers"), WRITTEN)
def test_a_success_blocks_and_a_refusal_stores_nothing_for(written, on, numbers, box):
    said = box.say("add_dnc_phone", phone_number=written, campaign_id=on)

    if numbers:
        assert said.startswith("SUCCESS: add_dnc_phone DNC NUMBER HAS BEEN ADDED - ")
        for name, is_listed in lookups(box, on).items():
            for number in numbers:
                for spelling in (number, f"1{number}", f"+1{number}"):
                    assert is_listed(spelling), (name, spelling)
    else:
        assert "YOU MUST USE ALL REQUIRED FIELDS" in said
    keys = stored_numbers(box)
    assert keys == sorted(f"1{number}" for number in numbers)


def stored_numbers(box: Box) -> list[str]:
    return sorted(number for number, _ in box.listed())


def test_what_others_have_listed_exists_already_and_is_deleted(box):
    box.api.insert(NUMBER, reason="asked by letter")
    asked = {"phone_number": f"+1 {NUMBER}", "campaign_id": OWN}

    assert "ALREADY EXISTS" in box.say("add_dnc_phone", **asked)
    (entry,) = box.api.search()
    assert entry["reason"] == "asked by letter"
    assert box.say("delete_dnc_phone", **asked).startswith("SUCCESS: ")
    assert box.listed() == []


@pytest.mark.parametrize("kind", ["dnc", "fpg"])
def test_of_a_comma_list_one_new_number_is_a_success_and_none_is_not(kind, box):
    on = {"group": GROUP} if kind == "fpg" else {"campaign_id": CAMPAIGN}
    add, delete = f"add_{kind}_phone", f"delete_{kind}_phone"
    few, more = f"{NUMBER},{OTHER}", f"{OTHER},{THIRD}"

    assert box.say(add, phone_number=few, **on).startswith("SUCCESS: ")
    assert f"|{NUMBER},{OTHER}" in box.say(add, phone_number=few, **on)
    assert "ALREADY EXISTS" in box.say(add, phone_number=few, **on)
    assert box.say(add, phone_number=more, **on).startswith("SUCCESS: ")
    assert len(box.listed()) == 3

    assert box.say(delete, phone_number=few, **on).startswith("SUCCESS: ")
    assert "DOES NOT EXIST" in box.say(delete, phone_number=few, **on)
    assert box.say(delete, phone_number=more, **on).startswith("SUCCESS: ")
    assert box.listed() == []


def test_a_comma_list_is_one_operation(box, service_database):
    id_ = box.api.caller.organisation.id
    before = stored.count(service_database, id_)["operations"]

    box.say("add_dnc_phone", phone_number=f"{NUMBER},{OTHER}", campaign_id=OWN)
    box.say("delete_dnc_phone", phone_number=f"{NUMBER},{OTHER}", campaign_id=OWN)

    after = stored.count(service_database, id_)
    assert (after["operations"], after["past"]) == (before + 2, 2)


def test_a_list_of_thousands_goes_into_one_request(box):
    numbers = [f"727556{n:04}" for n in range(4000)]
    fields = {**box.login, "function": "add_dnc_phone", "campaign_id": OWN}

    said = requests.post(
        box.api.base + PAGE,
        {**fields, "phone_number": ",".join(numbers)},
        timeout=30,
    )

    assert said.text.startswith("SUCCESS: ")
    assert box.api.call("dnc/search")["data"]["total"] == 4000


def test_deleting_from_one_list_leaves_the_others(box):
    for list_ in (OWN, CAMPAIGN):
        box.say("add_dnc_phone", phone_number=NUMBER, campaign_id=list_)
    box.say("add_fpg_phone", phone_number=NUMBER, group=GROUP)

    box.say("delete_dnc_phone", phone_number=NUMBER, campaign_id=CAMPAIGN)
    box.say("delete_fpg_phone", phone_number=NUMBER, group=GROUP)

    assert box.listed() == [(f"1{NUMBER}", "0")]


def test_of_many_that_add_a_number_at_once_one_is_the_first(box):
    asked = {"phone_number": NUMBER, "campaign_id": OWN}
    for _ in range(2):
        adding = at_once([lambda: box.say("add_dnc_phone", **asked)] * 24)
        deleting = at_once([lambda: box.say("delete_dnc_phone", **asked)] * 24)

        for said in (adding, deleting):
            outcomes = Counter(line.partition(":")[0] for line in said)
            assert outcomes == {"SUCCESS": 1, "ERROR": 23}


def test_comma_lists_that_cross_are_all_stored(box):
    ways = [f"{NUMBER},{OTHER},{THIRD}", f"{THIRD},{OTHER},{NUMBER}"] * 8

    said = at_once(
        [
            lambda way=way: box.say(
                "add_dnc_phone", phone_number=way, campaign_id=CAMPAIGN
            )
            for way in ways
        ]
    )

    outcomes = Counter(line.partition(":")[0] for line in said)
    assert outcomes["SUCCESS"] == 1
    assert stored_numbers(box) == [f"1{n}" for n in (NUMBER, OTHER, THIRD)]


def test_a_filter_phone_group_blocks_no_campaigns_calls(box):
    box.say("add_fpg_phone", phone_number=NUMBER, group=GROUP)

    said = box.say(
        "check_phone_number",
        phone_number=NUMBER,
        dnc_check="Y",
        campaign_dnc_check="Y",
        campaign_id=CAMPAIGN,
    )

    assert said.startswith("AREACODE: 1|")
    assert box.filters(phone=NUMBER).text == "0"
    assert box.filters(phone=NUMBER, group=GROUP).text == "1"


def test_a_plus_that_a_url_made_a_space_is_never_taken_for_a_national_number(box):
    """+4930123456 as it is in a URL: ten digits that the NANP would have too."""
    before = box.listed()

    said = box.say("add_dnc_phone", phone_number=" 4930123456", campaign_id=OWN)
    pdnc = requests.get(
        f"{box.api.base}/app/main/rpc/pdnc",
        {"loginId": box.api.token, "actionType": "add", "phoneList": " 4930123456"},
        timeout=20,
    )

    assert said.startswith("ERROR: add_dnc_phone YOU MUST USE ALL REQUIRED FIELDS")
    assert pdnc.status_code == 400
    assert box.listed() == before
