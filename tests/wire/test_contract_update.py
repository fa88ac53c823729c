"""``dnc/update`` as the contract has it, row by row, in both editions."""

import pytest

from app.domain.access import Grant
from tests.wire import stored
from tests.wire.answers import FORBIDDEN, refusal, worded

NUMBER = "5551234567"
OTHER = "5557654321"

BAD_ID = ((6056, "DNC ID not found"), (6056, "Missing or invalid value for ID"))
BAD_NUMBER = (
    (6004, "Invalid phone number format"),
    (6008, "The phone number is invalid"),
)
BAD_CODE = (
    (6004, "Invalid phone number format"),
    (6026, "Missing or invalid Country Code"),
)
BAD_CAMPAIGN = ((6026, "Invalid campaign ID"), (6004, "Unknown Campaign ID"))
BAD_REASON = ((6057, "Invalid reason code"), (6058, "Invalid Reason Provided"))
BAD_PURPOSE = ((6058, "Invalid purpose value"), (6057, "Invalid Purpose Provided"))
LISTED = (
    (6008, "Phone number already in DNC"),
    (
        6059,
        "This combination of Phone number, Campaign ID, and Phone Code already exists.",
    ),
)

REFUSED = [
    ("no id", {"id": None}, BAD_ID),
    ("an empty id", {"id": ""}, BAD_ID),
    ("an id that nobody has", {"id": "999999999"}, BAD_ID),
    ("id 0", {"id": "0"}, BAD_ID),
    ("a negative id", {"id": "-1"}, BAD_ID),
    ("an id of letters", {"id": "one"}, BAD_ID),
    ("an id beyond all ids", {"id": "9" * 30}, BAD_ID),
    ("an id of other digits", {"id": "٣"}, BAD_ID),
    ("nine digits", {"phone_number": "555123456"}, BAD_NUMBER),
    ("letters", {"phone_number": "no number"}, BAD_NUMBER),
    ("a comma list", {"phone_number": f"{NUMBER},{OTHER}"}, BAD_NUMBER),
    ("digits that are not ASCII", {"phone_number": "٥٥٥١٢٣٤٥٦٧"}, BAD_NUMBER),
    ("a code that makes it no number", {"phone_code": "45"}, BAD_NUMBER),
    ("an unassigned code", {"phone_code": "999"}, BAD_CODE),
    ("a code of letters", {"phone_code": "US"}, BAD_CODE),
    ("an unknown campaign id", {"campaign_id": "4711"}, BAD_CAMPAIGN),
    ("an unknown campaign code", {"campaign_id": "AUTUMN"}, BAD_CAMPAIGN),
    ("campaign -2", {"campaign_id": "-2"}, BAD_CAMPAIGN),
    ("reason -NOTBLANK-", {"reason": "-NOTBLANK-"}, BAD_REASON),
    ("a reason of 256 characters", {"reason": "x" * 256}, BAD_REASON),
    ("a reason of two lines", {"reason": "DNC\nDNCT"}, BAD_REASON),
    ("purpose -NOTBLANK-", {"purpose": "-NOTBLANK-"}, BAD_PURPOSE),
    ("a purpose of 65 characters", {"purpose": "x" * 65}, BAD_PURPOSE),
    ("-1 for an entry with a note", {"campaign_id": "-1"}, BAD_PURPOSE),
    ("-1 and an unknown purpose", {"campaign_id": "-1", "purpose": "FUN"}, BAD_PURPOSE),
    ("-1 and -BLANK-", {"campaign_id": "-1", "purpose": "-BLANK-"}, BAD_PURPOSE),
]


@pytest.mark.parametrize(
    ("fields", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_nothing_is_changed_for(fields, words, edition_api):
    entry = edition_api.insert(NUMBER, reason="DNC", purpose="a note")
    before = edition_api.search()

    body = edition_api.call("dnc/update", **{"id": entry, **fields})

    assert body == worded(edition_api, *words)
    assert edition_api.search() == before


def test_a_deleted_entry_cannot_be_updated(edition_api):
    entry = edition_api.insert(NUMBER)
    edition_api.call("dnc/delete", phone_number=NUMBER, phone_code=1, campaign_id=0)

    body = edition_api.call("dnc/update", id=entry, reason="DNC")

    assert body == worded(edition_api, *BAD_ID)
    assert edition_api.search() == []


@pytest.mark.parametrize("purpose", ["-BLANK-", "FUN"])
def test_an_entry_on_a_purpose_list_keeps_a_known_purpose(purpose, edition_api):
    entry = edition_api.insert(NUMBER, -1, purpose="TELEMKT")

    body = edition_api.call("dnc/update", id=entry, purpose=purpose)

    assert body == worded(edition_api, *BAD_PURPOSE)
    assert edition_api.search()[0]["purpose"] == "TELEMKT"


@pytest.mark.parametrize(
    ("there", "here", "changes"),
    [
        pytest.param((NUMBER, 0), (OTHER, 0), {"phone_number": NUMBER}, id="number"),
        pytest.param(
            (NUMBER, 0), (NUMBER, "SPRING"), {"campaign_id": 0}, id="the whole list"
        ),
        pytest.param(
            (NUMBER, "SPRING"), (NUMBER, 0), {"campaign_id": "SPRING"}, id="a campaign"
        ),
        pytest.param(
            (NUMBER, -1, "TELEMKT"),
            (NUMBER, -1, "VERIFY"),
            {"purpose": "telemkt"},
            id="a purpose",
        ),
        pytest.param(
            (NUMBER, 0, None, "52"), (NUMBER, 0), {"phone_code": "52"}, id="a code"
        ),
    ],
)
def test_what_would_collide_is_told_the_entry_in_the_way(
    there, here, changes, edition_api
):
    def insert(number, campaign, purpose=None, code="1"):
        return edition_api.insert(number, campaign, purpose=purpose, phone_code=code)

    edition_api.add_campaign("SPRING")
    in_the_way, entry = insert(*there), insert(*here)
    before = edition_api.search()

    body = edition_api.call("dnc/update", id=entry, **changes)

    assert body == worded(edition_api, *LISTED, id=in_the_way)
    assert edition_api.search() == before


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"phone_number": OTHER}, {"phone_number": OTHER}),
        ({"phone_number": "+1 (555) 765-4321"}, {"phone_number": OTHER}),
        ({"phone_code": "52"}, {"phone_code": "52"}),
        (
            {"phone_number": "3012345678", "phone_code": "49"},
            {"phone_number": "3012345678", "phone_code": "49"},
        ),
        ({"reason": "DNCT"}, {"reason": "DNCT"}),
        ({"reason": ""}, {"reason": ""}),
        ({"reason": "-BLANK-"}, {"reason": ""}),
        ({"purpose": "other note"}, {"purpose": "other note"}),
        ({"purpose": "-BLANK-"}, {"purpose": ""}),
        (
            {"campaign_id": "-1", "purpose": "telemkt"},
            {
                "campaign_id": "-1",
                "campaign_uid": "-1",
                "campaign_name": "Purpose DNC",
                "campaign_type": "",
                "purpose": "TELEMKT",
            },
        ),
        (
            {"campaign_id": "0"},
            {
                "campaign_id": "0",
                "campaign_uid": "0",
                "campaign_name": "Global DNC",
                "campaign_type": "",
            },
        ),
        ({}, {}),
    ],
    ids=str,
)
def test_a_field_that_is_left_out_stays(changes, shown, edition_api):
    edition_api.add_campaign("SPRING")
    entry = edition_api.insert(NUMBER, "SPRING", reason="DNC", purpose="a note")
    (before,) = edition_api.search()

    body = edition_api.call("dnc/update", id=entry, **changes)

    assert body == {"success": True, "id": entry}
    assert edition_api.search() == [before | shown]


def test_an_update_that_changes_nothing_succeeds_and_leaves_no_version(
    api, service_database
):
    entry = api.insert(NUMBER, reason="DNC", purpose="note")
    before = stored.count(service_database, api.caller.organisation.id)

    same = {"phone_number": f"+1{NUMBER}", "phone_code": "1", "campaign_id": "0"}
    body = api.call("dnc/update", id=entry, **same, reason="DNC", purpose="note")

    assert body == {"success": True, "id": entry}
    assert stored.count(service_database, api.caller.organisation.id) == before


def test_the_old_number_is_no_longer_listed_and_the_new_one_is(api):
    entry = api.insert(NUMBER)

    api.call("dnc/update", id=entry, phone_number=OTHER)

    assert api.search(phone_number=NUMBER) == []
    assert [found["id"] for found in api.search(phone_number=OTHER)] == [str(entry)]


@pytest.mark.parametrize(
    ("on", "changes"),
    [
        pytest.param({}, {"phone_number": OTHER}, id="to another number"),
        pytest.param({}, {"phone_code": "52"}, id="to another code"),
        pytest.param({}, {"campaign_id": "SPRING"}, id="to one campaign"),
        pytest.param(
            {}, {"campaign_id": "-1", "purpose": "TELEMKT"}, id="to one purpose"
        ),
        pytest.param(
            {"campaign_id": "SPRING"},
            {"campaign_id": "AUTUMN"},
            id="from campaign to campaign",
        ),
        pytest.param(
            {"campaign_id": "-1", "purpose": "TELEMKT"},
            {"purpose": "VERIFY"},
            id="from purpose to purpose",
        ),
        pytest.param(
            {"campaign_id": "SPRING"},
            {"campaign_id": "0", "phone_number": OTHER},
            id="to the whole list with another number",
        ),
    ],
)
def test_without_the_delete_grant_no_entry_moves(on, changes, edition_api):
    for code in ("SPRING", "AUTUMN"):
        edition_api.add_campaign(code)
    entry = edition_api.insert(NUMBER, **{"reason": "DNC", **on})
    before = edition_api.search()
    client = edition_api.with_grants(Grant.UPDATE, Grant.INSERT, Grant.READ)

    answer = client.send("dnc/update", id=entry, **changes)

    assert (answer.status_code, answer.json()) == (403, refusal(*FORBIDDEN))
    assert edition_api.search() == before


@pytest.mark.parametrize(
    ("on", "changes"),
    [
        pytest.param({}, {"reason": "DNCT"}, id="another reason"),
        pytest.param({}, {"reason": ""}, id="no reason"),
        pytest.param({}, {"purpose": "note"}, id="another note"),
        pytest.param({}, {"phone_number": f"+1 {NUMBER}"}, id="the number respelt"),
        pytest.param(
            {"campaign_id": "SPRING"}, {"campaign_id": "0"}, id="from a campaign to all"
        ),
        pytest.param(
            {"campaign_id": "-1", "purpose": "TELEMKT"},
            {"campaign_id": "0"},
            id="from a purpose to all",
        ),
        pytest.param(
            {"campaign_id": "SPRING"},
            {"campaign_id": "SPRING"},
            id="the campaign that it has",
        ),
    ],
)
def test_without_the_delete_grant_what_stays_blocked_may_get(on, changes, api):
    api.add_campaign("SPRING")
    entry = api.insert(NUMBER, **on)

    body = api.with_grants(Grant.UPDATE).call("dnc/update", id=entry, **changes)

    assert body == {"success": True, "id": entry}
