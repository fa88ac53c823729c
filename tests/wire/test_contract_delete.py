"""``dnc/delete`` as the contract has it, row by row, in both editions."""

import pytest

from tests.wire.answers import worded
from tests.wire.service import Api

NUMBER = "5551234567"
OTHER = "5557654321"
GOOD = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}

BAD_NUMBER = ((6000, "Invalid phone number"), (6002, "Missing Phone Number"))
NOT_FOUND = ((6001, "Phone not found in DNC"), (6003, "Phone Number Not Found"))
BAD_CAMPAIGN = ((6002, "Invalid campaign ID"), (6001, "Missing Campaign ID"))
BAD_CODE = ((6003, "Invalid phone code"), (6000, "Missing Phone Code"))
BAD_STATUS = ((6005, "Invalid lead status"), (6004, "Invalid Lead status"))
NO_STATUS = ((6005, "Invalid lead status"), (6005, "Missing Lead status"))

REFUSED = [
    ("no number", {"phone_number": None}, BAD_NUMBER),
    ("an empty number", {"phone_number": ""}, BAD_NUMBER),
    ("nine digits", {"phone_number": "555123456"}, BAD_NUMBER),
    ("letters", {"phone_number": "no number"}, BAD_NUMBER),
    ("digits that are not ASCII", {"phone_number": "٥٥٥١٢٣٤٥٦٧"}, BAD_NUMBER),
    ("a comma list", {"phone_number": f"{NUMBER},{OTHER}"}, BAD_NUMBER),
    ("no code", {"phone_code": None}, BAD_CODE),
    ("an empty code", {"phone_code": ""}, BAD_CODE),
    ("an unassigned code", {"phone_code": "999"}, BAD_CODE),
    ("no campaign", {"campaign_id": None}, BAD_CAMPAIGN),
    ("an empty campaign", {"campaign_id": ""}, BAD_CAMPAIGN),
    ("an unknown campaign id", {"campaign_id": "4711"}, BAD_CAMPAIGN),
    ("an unknown campaign code", {"campaign_id": "WINTER"}, BAD_CAMPAIGN),
    ("campaign -2", {"campaign_id": "-2"}, BAD_CAMPAIGN),
    ("-1 and no purpose", {"campaign_id": "-1"}, BAD_CAMPAIGN),
    ("-1 and no known purpose", {"campaign_id": "-1", "purpose": "FUN"}, BAD_CAMPAIGN),
    ("a number that is not listed", {"phone_number": OTHER}, NOT_FOUND),
    ("a code that it is not listed under", {"phone_code": "52"}, NOT_FOUND),
    ("a campaign that does not list it", {"campaign_id": "SPRING"}, NOT_FOUND),
    (
        "a purpose that does not list it",
        {"campaign_id": "-1", "purpose": "VERIFY"},
        NOT_FOUND,
    ),
    ("a forgotten status", {"update_lead_status": "true"}, NO_STATUS),
    (
        "an unknown status",
        {"update_lead_status": "true", "lead_status": "NOSUCH"},
        BAD_STATUS,
    ),
    (
        "a status in another case",
        {"update_lead_status": "true", "lead_status": "active"},
        BAD_STATUS,
    ),
    (
        "a status that cannot be one",
        {"update_lead_status": "true", "lead_status": "A B"},
        BAD_STATUS,
    ),
]


def add_lead(api: Api, number: str, campaign: str, code: str = "1") -> str:
    fields = {"phone_number": number, "phone_code": code, "campaign_id": campaign}
    return str(api.call("leads/insert", **fields)["id"])


def leads_with(api: Api, status: str) -> set[str]:
    found = api.call("leads/search", status=status)["data"]["entries"]
    return {lead["id"] for lead in found}


@pytest.mark.parametrize(
    ("fields", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_nothing_is_deleted_and_no_lead_changed_for(fields, words, edition_api):
    edition_api.add_campaign("SPRING")
    for purpose in (None, "TELEMKT"):
        edition_api.insert(NUMBER, -1 if purpose else 0, purpose=purpose)
    before = edition_api.search()
    lead = add_lead(edition_api, NUMBER, "SPRING")

    body = edition_api.call("dnc/delete", **GOOD | fields)

    assert body == worded(edition_api, *words)
    assert edition_api.search() == before
    assert leads_with(edition_api, "NEW") == {lead}


@pytest.mark.parametrize("spelling", [NUMBER, "+1 (555) 123-4567", "1-555-123-4567"])
def test_a_deleted_number_is_not_listed_and_not_found_again(spelling, edition_api):
    edition_api.insert(NUMBER)

    body = edition_api.call("dnc/delete", **GOOD | {"phone_number": spelling})

    assert body == {"success": True}
    assert edition_api.search() == []
    assert edition_api.call("dnc/delete", **GOOD) == worded(edition_api, *NOT_FOUND)


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        pytest.param({}, 0, id="the organisation's"),
        pytest.param({"purpose": "TELEMKT"}, 0, id="the organisation's with a note"),
        pytest.param({"campaign_id": "SPRING"}, 1, id="a campaign's by its code"),
        pytest.param({"campaign_id": "101"}, 1, id="a campaign's by its id"),
        pytest.param(
            {"campaign_id": "-1", "purpose": "TELEMKT"}, 2, id="one purpose's"
        ),
        pytest.param(
            {"campaign_id": "-1", "purpose": "verify"}, 3, id="a purpose's in any case"
        ),
        pytest.param(
            {"campaign_id": "-1", "purpose": "SURVEY"}, 4, id="an added purpose's"
        ),
        pytest.param({"phone_code": "52"}, 5, id="another code's"),
    ],
)
def test_one_entry_goes_and_every_other_of_the_number_stays(fields, gone, api):
    assert api.add_campaign("SPRING") == 101
    api.services.campaigns.add_purpose(api.caller, "SURVEY")
    api.insert(NUMBER)
    api.insert(NUMBER, "SPRING")
    for purpose in ("TELEMKT", "VERIFY", "SURVEY"):
        api.insert(NUMBER, -1, purpose=purpose)
    api.insert(NUMBER, phone_code="52")
    before = api.search()

    body = api.call("dnc/delete", **GOOD | fields)

    assert body == {"success": True}
    assert api.search() == before[:gone] + before[gone + 1 :]


@pytest.mark.parametrize("yes", ["true", "TRUE", "True", "1", "yes", "YES", "on", "On"])
def test_the_leads_get_the_status_when_told(yes, edition_api):
    edition_api.add_campaign("SPRING")
    lead = add_lead(edition_api, NUMBER, "SPRING")
    edition_api.insert(NUMBER)

    switched = {"update_lead_status": yes, "lead_status": "ACTIVE"}
    body = edition_api.call("dnc/delete", **GOOD | switched)

    assert body == {"success": True}
    assert leads_with(edition_api, "ACTIVE") == {lead}
    assert edition_api.search() == []


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"lead_status": "ACTIVE"}, id="no update_lead_status"),
        pytest.param({"update_lead_status": ""}, id="an empty update_lead_status"),
        *(
            pytest.param(
                {"update_lead_status": no, "lead_status": "ACTIVE"},
                id=f"update_lead_status {no}",
            )
            for no in ("false", "FALSE", "0", "no", "off")
        ),
        pytest.param(
            {"update_lead_status": "false", "lead_status": "NOSUCH"},
            id="an unknown status that is not wanted",
        ),
        pytest.param(
            {"update_lead_status": "true", "lead_status": ""}, id="an empty lead_status"
        ),
    ],
)
def test_the_entry_goes_and_the_leads_stay_with(fields, edition_api):
    edition_api.add_campaign("SPRING")
    lead = add_lead(edition_api, NUMBER, "SPRING")
    edition_api.insert(NUMBER)

    body = edition_api.call("dnc/delete", **GOOD | fields)

    assert body == {"success": True}
    assert leads_with(edition_api, "NEW") == {lead}
    assert edition_api.search() == []


@pytest.fixture
def leads(api: Api) -> dict[str, str]:
    """Leads of one number in campaigns with and without a purpose, by campaign."""
    api.services.campaigns.add_purpose(api.caller, "SURVEY")
    purposes = {"SPRING": "TELEMKT", "AUTUMN": "TELEMKT", "POLL": "SURVEY"}
    found = {}
    for code in ("SPRING", "AUTUMN", "POLL", "PLAIN"):
        api.add_campaign(code, purposes.get(code))
        found[code] = add_lead(api, NUMBER, code)
        add_lead(api, OTHER, code)
        add_lead(api, NUMBER, code, "52")
    return found


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        pytest.param(
            {"campaign_id": "0"}, ["SPRING", "AUTUMN", "POLL", "PLAIN"], id="whole list"
        ),
        pytest.param(
            {"campaign_id": "0", "purpose": "TELEMKT"},
            ["SPRING", "AUTUMN", "POLL", "PLAIN"],
            id="whole list with a note",
        ),
        pytest.param({"campaign_id": "SPRING"}, ["SPRING"], id="a campaign"),
        pytest.param(
            {"campaign_id": "-1", "purpose": "TELEMKT"},
            ["SPRING", "AUTUMN"],
            id="a known purpose",
        ),
        pytest.param(
            {"campaign_id": "-1", "purpose": "telemkt"},
            ["SPRING", "AUTUMN"],
            id="a known purpose in another case",
        ),
        pytest.param(
            {"campaign_id": "-1", "purpose": "SURVEY"}, ["POLL"], id="an added purpose"
        ),
        pytest.param(
            {"campaign_id": "-1", "purpose": "HIPAA"}, [], id="a purpose of no campaign"
        ),
    ],
)
def test_of_the_number_s_leads_those_change_that_the_entry_concerned(
    entry, meant, leads, api
):
    api.insert(NUMBER, **entry)

    switched = {"update_lead_status": "true", "lead_status": "ACTIVE"}
    body = api.call("dnc/delete", **GOOD | entry | switched)

    assert body == {"success": True}
    assert leads_with(api, "ACTIVE") == {leads[code] for code in meant}


def test_a_campaign_has_a_known_purpose_in_whatever_case_it_was_given(api):
    api.add_campaign("SPRING", "telemkt")
    lead = add_lead(api, NUMBER, "SPRING")
    listed = {"campaign_id": "-1", "purpose": "TELEMKT"}
    api.insert(NUMBER, **listed)

    switched = {"update_lead_status": "true", "lead_status": "ACTIVE"}
    api.call("dnc/delete", **GOOD | listed | switched)

    assert leads_with(api, "ACTIVE") == {lead}
