"""VICIdial's page as the contract has it, line by line, in both editions."""

import re

import pytest

from app.domain.access import Grant
from tests.thinning import diagonal
from tests.wire.vicidial import (
    CAMPAIGN,
    GROUP,
    NUMBER,
    OTHER,
    OWN,
    Box,
    make_box,
)

VERSION = re.compile(
    r"VERSION: [0-9.-]+\|BUILD: [0-9-]+\|DATE: [0-9]{4}-[0-9]{2}-[0-9]{2} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}\|EPOCH: [0-9]+\|DST: [01]\|TZ: -?[0-9.]+"
    r"\|TZNOW: -?[0-9.]+\|\n"
)
DNC = {"phone_number": NUMBER, "campaign_id": CAMPAIGN}
FPG = {"phone_number": NUMBER, "group": GROUP}
FUNCTIONS = {
    "add_dnc_phone": DNC,
    "delete_dnc_phone": DNC,
    "check_phone_number": {"phone_number": NUMBER},
    "add_fpg_phone": FPG,
    "delete_fpg_phone": FPG,
}
CHANGING = [name for name in FUNCTIONS if name != "check_phone_number"]
NO_NUMBER_OF_THE_PLAN = {
    "none": None,
    "an empty one": "",
    "five digits": "72755",
    "six digits": "727555",
    "thirteen digits": "7275551212121",
    "twenty-one digits": "727555121212121212121",
    "letters": "727CALLNOW",
    "an area code": "727XXXXXXX",
    "digits that are not ASCII": "٧٢٧٥٥٥١٢١٢",
    "a word": "anonymous",
    "a list with nothing at its end": f"{NUMBER},",
    "a list with what is none in it": f"{NUMBER},123456",
    "a list with another separator": f"{NUMBER};{OTHER}",
    "one with NUL": f"{NUMBER}\0",
}
NO_CAMPAIGN = {
    "none": None,
    "an empty one": "",
    "one character": "T",
    "thirty-one characters": "x" * 31,
    "an unknown one": "NOSUCH",
    "one in another case": "testcamp",
    "0": "0",
    "-1": "-1",
    "00": "00",
    "a filter phone group": GROUP,
}


@pytest.fixture(params=["documented", "live"])
def box(request, service, administration) -> Box:
    """A box in each edition."""
    return make_box(service, administration, request.param)


@pytest.fixture
def strict(service, administration) -> Box:
    """A box in the default edition."""
    return make_box(service, administration)


def digits(text: str | None) -> str:
    return re.sub("[^0-9,]", "", text or "")


def test_version_is_answered_without_a_login(box):
    for fields in ({}, {"user": None, "pass": None}, {"pass": "wrong"}):
        line = box.say("version", **fields)

        assert VERSION.fullmatch(line), line


def test_a_number_is_added_found_and_deleted_as_documented(box):
    for list_ in (CAMPAIGN, OWN):
        asked = {"phone_number": NUMBER, "campaign_id": list_}

        assert box.say("add_dnc_phone", **asked) == (
            "SUCCESS: add_dnc_phone DNC NUMBER HAS BEEN ADDED - "
            f"{box.user}|7275551212|{list_}\n"
        )
        assert box.say("add_dnc_phone", **asked) == box.words(
            "ERROR: add_dnc_phone DNC NUMBER ALREADY EXISTS - 6666|7275551212\n",
            "ERROR: add_dnc_phone DNC NUMBER ALREADY EXISTS: "
            f"|6666|7275551212|{list_}\n",
        )
        assert box.say("delete_dnc_phone", **asked) == (
            "SUCCESS: delete_dnc_phone DNC NUMBER HAS BEEN DELETED - "
            f"{box.user}|7275551212|{list_}\n"
        )
        assert box.say("delete_dnc_phone", **asked) == box.words(
            "ERROR: delete_dnc_phone DNC NUMBER DOES NOT EXIST - 6666|7275551212\n",
            "ERROR: delete_dnc_phone DNC NUMBER DOES NOT EXIST: "
            f"|6666|7275551212|{list_}\n",
        )
        assert box.listed() == []


def test_a_filter_phone_group_is_a_list_of_its_own(box):
    assert box.say("add_fpg_phone", **FPG) == (
        "SUCCESS: add_fpg_phone FILTER PHONE GROUP NUMBER HAS BEEN ADDED - "
        f"{box.user}|7275551212|FPG1\n"
    )
    assert box.listed() == [("17275551212", GROUP)]
    assert box.say("add_fpg_phone", **FPG) == box.words(
        "ERROR: add_fpg_phone FILTER PHONE GROUP NUMBER ALREADY EXISTS - "
        "6666|7275551212|FPG1\n",
        "ERROR: add_fpg_phone FILTER PHONE GROUP NUMBER ALREADY EXISTS: "
        "|6666|7275551212|FPG1\n",
    )
    assert box.say("delete_fpg_phone", **FPG) == (
        "SUCCESS: delete_fpg_phone FILTER PHONE GROUP NUMBER HAS BEEN DELETED - "
        f"{box.user}|7275551212|FPG1\n"
    )
    assert box.say("delete_fpg_phone", **FPG) == box.words(
        "ERROR: delete_fpg_phone FILTER PHONE GROUP NUMBER DOES NOT EXIST - "
        "6666|7275551212|FPG1\n",
        "ERROR: delete_fpg_phone FILTER PHONE GROUP NUMBER DOES NOT EXIST: "
        "|6666|7275551212|FPG1\n",
    )


@pytest.mark.parametrize("group", ["NOPE", CAMPAIGN, "-1", OWN])
@pytest.mark.parametrize("function", ["add_fpg_phone", "delete_fpg_phone"])
def test_what_is_no_group_does_not_exist(function, group, box):
    assert box.say(function, **FPG | {"group": group}) == box.words(
        f"ERROR: {function} FILTER PHONE GROUP DOES NOT EXIST - 6666|{group}\n",
        f"ERROR: {function} FILTER PHONE GROUP DOES NOT EXIST: |6666|{group}\n",
    )
    assert box.listed() == []


@pytest.mark.parametrize("group", [None, "", "0", "F", "x" * 31])
@pytest.mark.parametrize("function", ["add_fpg_phone", "delete_fpg_phone"])
def test_a_group_is_needed_for(function, group, box):
    assert box.say(function, **FPG | {"group": group}) == box.words(
        f"ERROR: {function} YOU MUST USE ALL REQUIRED FIELDS - 6666|||1000\n",
        f"ERROR: {function} YOU MUST USE ALL REQUIRED FIELDS: "
        f"|6666|7275551212|{group or ''}\n",
    )


@pytest.mark.parametrize(
    ("what", "function"), diagonal(NO_NUMBER_OF_THE_PLAN, CHANGING)
)
def test_a_list_takes_no_number_that_is(what, function, box):
    number = NO_NUMBER_OF_THE_PLAN[what]
    asked = FUNCTIONS[function] | {"phone_number": number}
    before = box.listed()

    said = box.say(function, **asked)

    on = GROUP if "fpg" in function else CAMPAIGN
    assert said == box.words(
        f"ERROR: {function} YOU MUST USE ALL REQUIRED FIELDS - 6666|||1000\n",
        f"ERROR: {function} YOU MUST USE ALL REQUIRED FIELDS: "
        f"|6666|{digits(number)}|{on}\n",
    )
    assert box.listed() == before


@pytest.mark.parametrize(
    ("what", "function"), diagonal(NO_CAMPAIGN, ["add_dnc_phone", "delete_dnc_phone"])
)
def test_no_list_is_meant_by(what, function, box):
    campaign = NO_CAMPAIGN[what]
    said = box.say(function, **DNC | {"campaign_id": campaign})

    assert said == box.words(
        f"ERROR: {function} YOU MUST USE ALL REQUIRED FIELDS - 6666|||1000\n",
        f"ERROR: {function} YOU MUST USE ALL REQUIRED FIELDS: "
        f"|6666|7275551212|{campaign or ''}\n",
    )
    assert box.listed() == []


@pytest.mark.parametrize("function", ["", "nothing", "add_lead", "ADD_DNC_PHONE", None])
def test_what_is_no_function_is_told_so_once_the_login_is_good(function, box):
    assert box.say(function) == "ERROR: NO FUNCTION SPECIFIED\n"
    assert box.say(function, source="") == "ERROR: NO FUNCTION SPECIFIED\n"
    assert "Login incorrect" in box.say(function, **{"pass": "wrong"})


@pytest.mark.parametrize(
    ("function", "shown"),
    diagonal(FUNCTIONS, [("t", "t"), ("", ""), (None, ""), ("-t-", "t"), ("é!", "")]),
)
def test_a_source_has_two_letters_or_digits(function, shown, box):
    source, echo = shown
    assert box.say(function, **FUNCTIONS[function], source=source) == box.words(
        f"ERROR: Invalid Source - {echo}\nERROR: Invalid Source - {echo}|\n",
        f"ERROR: Invalid Source - {echo}\nERROR: Invalid Source: |{echo}|\n",
    )
    assert box.listed() == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_user_without_any_grant_of_use_may_not_use(function, box):
    other = box.with_grants(Grant.READ, Grant.UPDATE, Grant.ADMIN)

    assert other.say(function, **FUNCTIONS[function]) == other.words(
        "ERROR: auth USER DOES NOT HAVE PERMISSION TO USE THIS FUNCTION - "
        f"6666|{function}\n",
        "ERROR: auth USER DOES NOT HAVE PERMISSION TO USE THIS FUNCTION: "
        f"|6666|{function}|\n",
    )


@pytest.mark.parametrize(
    ("function", "grants", "to", "end"),
    [
        ("add_dnc_phone", [Grant.CHECK, Grant.DELETE], "ADD DNC NUMBERS", "6666|0"),
        ("delete_dnc_phone", [Grant.INSERT], "DELETE DNC NUMBERS", "6666|0"),
        ("delete_dnc_phone", [Grant.DELETE], "DELETE DNC NUMBERS", "6666|0"),
        ("add_fpg_phone", [Grant.CHECK], "ADD FILTER PHONE GROUP NUMBERS", "6666|0"),
        (
            "delete_fpg_phone",
            [Grant.INSERT],
            "DELETE FILTER PHONE GROUP NUMBERS",
            "6666|0",
        ),
    ],
)
def test_a_grant_is_needed_for(function, grants, to, end, box):
    for on, name in (("campaign_id", CAMPAIGN), ("group", GROUP)):
        box.say(f"add_{function.split('_')[1]}_phone", phone_number=OTHER, **{on: name})
    before = box.listed()
    other = box.with_grants(*grants)

    said = other.say(function, **FUNCTIONS[function] | {"phone_number": OTHER})

    assert said == other.words(
        f"ERROR: {function} USER DOES NOT HAVE PERMISSION TO {to} - {end}\n",
        f"ERROR: {function} USER DOES NOT HAVE PERMISSION TO {to}: |{end}\n",
    )
    assert box.listed() == before


def test_the_grant_to_check_is_needed_to_check(box):
    other = box.with_grants(Grant.INSERT, Grant.DELETE)

    assert other.say("check_phone_number", phone_number=NUMBER) == other.words(
        "ERROR: check_phone_number USER DOES NOT HAVE PERMISSION TO CHECK "
        "PHONE NUMBERS - |6666|0|\n",
        "ERROR: check_phone_number USER DOES NOT HAVE PERMISSION TO CHECK "
        "PHONE NUMBERS: |6666||\n",
    )


def test_no_more_grants_are_needed_than_told(box):
    adding = box.with_grants(Grant.INSERT)
    deleting = box.with_grants(Grant.INSERT, Grant.DELETE)
    checking = box.with_grants(Grant.CHECK)

    for function, user in (
        ("add_dnc_phone", adding),
        ("add_fpg_phone", adding),
        ("delete_dnc_phone", deleting),
        ("delete_fpg_phone", deleting),
    ):
        said = user.say(function, **FUNCTIONS[function])
        assert said.startswith(f"SUCCESS: {function} "), said
    said = checking.say("check_phone_number", phone_number=NUMBER)
    assert said.startswith("AREACODE: 1|"), said


def test_what_is_sent_is_cleaned_before_it_is_used_and_echoed(strict):
    said = strict.say(
        "add_dnc_phone!",
        user=f"{strict.user}' <%>",
        source="<te st>",
        campaign_id=f"{CAMPAIGN}%' ",
        phone_number="+1 (727) 555-1212",
        **{"pass": f" {strict.password}'"},
    )

    assert said == (
        "SUCCESS: add_dnc_phone DNC NUMBER HAS BEEN ADDED - "
        f"{strict.user}|17275551212|TESTCAMP\n"
    )
    (entry,) = strict.api.search()
    assert entry["phone_number"] == NUMBER
    assert entry["reason"] == "VICIdial: test"


def test_a_number_under_another_name_is_none(strict):
    said = strict.say("add_dnc_phone", phone=NUMBER, campaign_id=OWN)

    assert "YOU MUST USE ALL REQUIRED FIELDS" in said
    assert strict.listed() == []


def test_the_reason_of_an_entry_is_its_source_and_no_longer_than_documented(strict):
    strict.say("add_dnc_phone", **DNC, source="x" * 50)

    (entry,) = strict.api.search()
    assert entry["reason"] == f"VICIdial: {'x' * 20}"


def test_a_campaign_may_be_named_by_its_id(strict):
    found = strict.api.call("campaigns/search")["data"]["entries"]
    ids = {campaign["uid"]: campaign["id"] for campaign in found}

    said = strict.say("add_dnc_phone", **DNC | {"campaign_id": ids[CAMPAIGN]})

    assert said.startswith("SUCCESS: ")
    assert strict.listed() == [("17275551212", CAMPAIGN)]


def test_nobody_reaches_the_list_of_another_organisation(service, administration):
    ours, theirs = (make_box(service, administration) for _ in range(2))
    theirs.api.add_campaign("THEIRS")
    theirs.say("add_dnc_phone", **DNC)

    assert "ALL REQUIRED FIELDS" in ours.say(
        "add_dnc_phone", phone_number=NUMBER, campaign_id="THEIRS"
    )
    assert "DOES NOT EXIST" in ours.say("delete_dnc_phone", **DNC)
    assert ours.say(
        "check_phone_number", **DNC, dnc_check="Y", campaign_dnc_check="Y"
    ).startswith("AREACODE: 1|")
    assert theirs.listed() == [("17275551212", CAMPAIGN)]
