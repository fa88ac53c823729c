"""``check_phone_number`` and the filter of inbound calls."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import requests

from app.domain.access import Grant
from tests.wire.vicidial import (
    CAMPAIGN,
    FILTER,
    GROUP,
    NUMBER,
    OTHER,
    OWN,
    Box,
    make_box,
    require_headers,
)

CHECK = "check_phone_number"
CLEAN = f"AREACODE: 1|0#PHONE: {NUMBER}|1||||\n"
BOTH = {"dnc_check": "Y", "campaign_dnc_check": "Y", "campaign_id": CAMPAIGN}


@pytest.fixture(params=["documented", "live"])
def box(request, service, administration) -> Box:
    return make_box(service, administration, request.param)


@pytest.fixture
def strict(service, administration) -> Box:
    return make_box(service, administration)


def test_a_clean_number_is_told_with_the_offset_and_its_code(box):
    assert box.say(CHECK, phone_number=NUMBER) == CLEAN
    assert box.say(CHECK, phone_number=NUMBER, **BOTH) == CLEAN
    assert box.say(CHECK, phone_number=NUMBER, local_call_time="9am-9pm") == CLEAN


@pytest.mark.parametrize("spelling", ["+1 (727) 555-1212", "17275551212", NUMBER])
@pytest.mark.parametrize("asked", ["Y", "AREACODE", "y", "YES", "1"])
def test_a_number_on_the_organisations_list_is_in_dnc(asked, spelling, box):
    box.api.insert(NUMBER)

    said = box.say(CHECK, phone_number=spelling, dnc_check=asked)

    echo = "".join(filter(str.isdigit, spelling))
    assert said == (
        f"ERROR: check_phone_number PHONE NUMBER IN DNC - {echo}|{box.user}\n"
    )


@pytest.mark.parametrize("asked", ["Y", "AREACODE"])
@pytest.mark.parametrize(
    "on",
    [
        pytest.param({"campaign_id": CAMPAIGN}, id="on the campaign's list"),
        pytest.param(
            {"campaign_id": -1, "purpose": "TELEMKT"}, id="on that of its purpose"
        ),
    ],
)
def test_a_number_is_in_campaign_dnc(on, asked, box):
    box.api.insert(NUMBER, **on)

    said = box.say(
        CHECK, phone_number=NUMBER, campaign_dnc_check=asked, campaign_id=CAMPAIGN
    )

    assert said == (
        "ERROR: check_phone_number PHONE NUMBER IN CAMPAIGN DNC - "
        f"{NUMBER}|TESTCAMP|{box.user}\n"
    )


@pytest.mark.parametrize("asked", [{}, {"dnc_check": "N"}, {"dnc_check": ""}])
def test_a_list_that_is_not_asked_about_says_nothing(asked, box):
    box.api.insert(NUMBER)

    assert box.say(CHECK, phone_number=NUMBER, **asked) == CLEAN
    assert box.say(CHECK, phone_number=NUMBER, **BOTH | {"dnc_check": "N"}) == CLEAN


def test_the_organisations_list_goes_before_the_campaigns(box):
    box.api.insert(NUMBER)
    box.api.insert(NUMBER, CAMPAIGN)

    assert "PHONE NUMBER IN DNC" in box.say(CHECK, phone_number=NUMBER, **BOTH)


def test_another_campaigns_list_and_another_purpose_say_nothing(box):
    box.api.add_campaign("OTHER")
    box.api.insert(NUMBER, "OTHER")
    box.api.insert(NUMBER, -1, purpose="VERIFY")

    assert box.say(CHECK, phone_number=NUMBER, **BOTH) == CLEAN


def test_the_organisations_list_may_be_named_in_a_campaigns_place(box):
    box.api.insert(NUMBER)

    said = box.say(
        CHECK, phone_number=NUMBER, campaign_dnc_check="Y", campaign_id=OWN.lower()
    )

    assert said == (
        f"ERROR: check_phone_number PHONE NUMBER IN DNC - {NUMBER}|{box.user}\n"
    )


@pytest.mark.parametrize("campaign", [None, "", "X", "NOSUCH", "-1", "x" * 31])
def test_a_campaign_that_does_not_exist_is_never_clean(campaign, box):
    said = box.say(
        CHECK, phone_number=NUMBER, campaign_dnc_check="Y", campaign_id=campaign
    )

    assert said == box.words(
        "ERROR: check_phone_number YOU MUST USE ALL REQUIRED FIELDS - 6666|||1000\n",
        "ERROR: check_phone_number YOU MUST USE ALL REQUIRED FIELDS: "
        f"|6666|{NUMBER}|{campaign or ''}\n",
    )


@pytest.mark.parametrize(
    ("number", "echo"),
    [
        ("12345", "12345"),
        ("123456", "123456"),
        ("12345678901234567", "12345678901234567"),
        ("727CALLNOW", "727"),
        (f"{NUMBER},{OTHER}", f"{NUMBER},{OTHER}"),
        ("", ""),
        (None, ""),
    ],
)
def test_what_is_no_number_is_never_clean(number, echo, box):
    assert box.say(CHECK, phone_number=number, dnc_check="Y") == (
        f"ERROR: check_phone_number INVALID PHONE NUMBER LENGTH - {echo}|{box.user}\n"
    )


@pytest.mark.parametrize("code", ["999", "0", "US"])
def test_an_unknown_calling_code_is_never_clean(code, box):
    said = box.say(CHECK, phone_number=NUMBER, phone_code=code, dnc_check="Y")

    assert said == (
        f"ERROR: check_phone_number INVALID PHONE NUMBER LENGTH - {NUMBER}|{box.user}\n"
    )


def test_a_number_of_another_country_is_found_by_its_code(strict):
    strict.api.insert("3012345678", phone_code="49")
    found = {"phone_number": "3012345678", "dnc_check": "Y"}

    assert "IN DNC" in strict.say(CHECK, **found, phone_code="49")
    assert "IN DNC" in strict.say(CHECK, dnc_check="Y", phone_number="+493012345678")
    assert strict.say(CHECK, **found) == "AREACODE: 1|0#PHONE: 3012345678|1||||\n"


def test_a_number_without_a_code_belongs_to_the_organisations(service, administration):
    box = make_box(service, administration, default_phone_code="49")
    added = box.say("add_dnc_phone", phone_number="030 12345678", campaign_id=OWN)

    assert added.startswith("SUCCESS: ")
    assert box.listed() == [("493012345678", "0")]
    for spelling in ("03012345678", "3012345678", "+49 30 12345678", "00493012345678"):
        said = box.say(CHECK, phone_number=spelling, dnc_check="Y")
        assert "PHONE NUMBER IN DNC" in said, spelling
    assert box.say(CHECK, phone_number="3087654321").endswith("3087654321|49||||\n")


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Asia/Kathmandu", "Pacific/Marquesas"]
)
def test_the_offset_is_that_of_the_organisation(zone, service, administration):
    box = make_box(service, administration, time_zone=zone)
    offset = datetime.now(UTC).astimezone(ZoneInfo(zone)).utcoffset()
    hours = offset.total_seconds() / 3600

    said = box.say(CHECK, phone_number=NUMBER)

    assert said == f"AREACODE: 1|{hours:g}#PHONE: {NUMBER}|1||||\n"


def test_where_checking_is_off_all_is_clean(strict):
    strict.api.insert(NUMBER)
    caller, organisations = strict.api.caller, strict.api.services.organisations

    organisations.switch_checking(caller, enabled=False)

    assert strict.say(CHECK, phone_number=NUMBER, **BOTH) == CLEAN
    assert strict.filters(phone=NUMBER).text == "0"


@pytest.mark.parametrize("name", ["phone", "phone_number"])
def test_the_filter_answers_one_character(name, strict):
    strict.api.insert(NUMBER)

    for number, expected in ((NUMBER, "1"), (OTHER, "0"), (f"+1{NUMBER}", "1")):
        answer = strict.filters(**{name: number})
        assert (answer.status_code, answer.content) == (200, expected.encode())
        require_headers(answer)


def test_the_filter_may_be_asked_by_a_form(strict):
    strict.api.insert(NUMBER)

    answer = requests.post(
        strict.api.base + FILTER, {**strict.login, "phone": NUMBER}, timeout=20
    )

    assert (answer.status_code, answer.text) == (200, "1")


def test_the_filter_looks_at_every_list_that_is_named(strict):
    strict.say("add_dnc_phone", phone_number=NUMBER, campaign_id=CAMPAIGN)
    strict.say("add_fpg_phone", phone_number=OTHER, group=GROUP)
    strict.api.insert("7275551214", -1, purpose="TELEMKT")
    strict.api.insert("7275551215")

    def answers(**named: str) -> str:
        numbers = (NUMBER, OTHER, "7275551214", "7275551215", "7275551216")
        return "".join(strict.filters(phone=n, **named).text for n in numbers)

    assert answers() == "00010"
    assert answers(campaign_id=CAMPAIGN) == "10110"
    assert answers(campaign_id=OWN) == "00010"
    assert answers(group=GROUP) == "01010"
    assert answers(campaign_id=CAMPAIGN, group=GROUP) == "11110"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"phone": ""}, 400),
        ({}, 400),
        ({"phone": "anonymous"}, 400),
        ({"phone": "--A--phone_number--B--"}, 400),
        ({"phone": "12345"}, 400),
        ({"phone": f"{NUMBER},{OTHER}"}, 400),
        ({"phone": NUMBER, "campaign_id": "NOSUCH"}, 400),
        ({"phone": NUMBER, "campaign_id": "-1"}, 400),
        ({"phone": NUMBER, "group": "NOSUCH"}, 400),
        ({"phone": NUMBER, "group": CAMPAIGN}, 400),
        ({"phone": NUMBER, "group": "0"}, 400),
        ({"phone": NUMBER, "pass": "wrong"}, 401),
        ({"phone": NUMBER, "user": "nobody"}, 401),
        ({"phone": [NUMBER, OTHER]}, 400),
    ],
)
def test_in_any_trouble_the_filter_gives_no_answer(fields, status, strict):
    answer = strict.filters(**fields)

    assert answer.status_code == status
    assert answer.text.startswith("ERROR: ")
    assert not any(character.isdigit() for character in answer.text)


def test_who_may_not_check_is_given_no_answer_by_the_filter(strict):
    other = strict.with_grants(Grant.READ, Grant.INSERT, Grant.DELETE)

    answer = other.filters(phone=NUMBER)

    assert (answer.status_code, answer.text) == (
        403,
        "ERROR: USER DOES NOT HAVE PERMISSION\n",
    )


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
def test_the_filter_answers_no_other_method(method, strict):
    asked = {**strict.login, "phone": NUMBER}
    answer = requests.request(method, strict.api.base + FILTER, params=asked, timeout=9)

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
