"""``dnc/insert`` as the contract has it, row by row, in both editions."""

import pytest

from app.domain.scopes import KnownPurpose
from tests.wire.answers import worded

NUMBER = "5551234567"
GOOD = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}
ON_EVERY_LIST = [
    pytest.param({}, id="the organisation's list"),
    pytest.param({"campaign_id": "SPRING"}, id="a campaign's list"),
    pytest.param({"campaign_id": "-1", "purpose": "TELEMKT"}, id="a purpose's list"),
]

BAD_NUMBER = ((6006, "Invalid phone number"), (6007, "Invalid Phone Number"))
BAD_CODE = (
    (6006, "Invalid phone number"),
    (6026, "Missing or invalid Country Code"),
)
BAD_CAMPAIGN = ((6026, "Invalid campaign ID"), (6006, "Invalid Campaign ID"))
BAD_REASON = ((6057, "Invalid reason"), (6058, "Invalid Reason Provided"))
BAD_PURPOSE = ((6058, "Invalid purpose"), (6057, "Invalid Purpose Provided"))
REPEATED = ((6007, "Duplicate entry"), (6008, "The phone number already exists."))
LISTED = ((6008, "Phone already in DNC"), (6008, "The phone number already exists."))

REFUSED = [
    ("no number", {"phone_number": None}, BAD_NUMBER),
    ("an empty number", {"phone_number": ""}, BAD_NUMBER),
    ("nine digits", {"phone_number": "555123456"}, BAD_NUMBER),
    ("twelve digits", {"phone_number": "155512345678"}, BAD_NUMBER),
    (
        "eleven digits that do not begin with 1",
        {"phone_number": "25551234567"},
        BAD_NUMBER,
    ),
    ("letters", {"phone_number": "555CALLNOW"}, BAD_NUMBER),
    ("digits that are not ASCII", {"phone_number": "٥٥٥١٢٣٤٥٦٧"}, BAD_NUMBER),
    ("a comma list", {"phone_number": f"{NUMBER},5557654321"}, BAD_NUMBER),
    ("another country's number", {"phone_number": "+493012345678"}, BAD_NUMBER),
    ("a wildcard", {"phone_number": "555XXXXXXX"}, BAD_NUMBER),
    ("no code", {"phone_code": None}, BAD_CODE),
    ("an empty code", {"phone_code": ""}, BAD_CODE),
    ("an unassigned code", {"phone_code": "999"}, BAD_CODE),
    ("code 0", {"phone_code": "0"}, BAD_CODE),
    ("a code of letters", {"phone_code": "US"}, BAD_CODE),
    ("no campaign", {"campaign_id": None}, BAD_CAMPAIGN),
    ("an empty campaign", {"campaign_id": ""}, BAD_CAMPAIGN),
    ("an unknown campaign id", {"campaign_id": "4711"}, BAD_CAMPAIGN),
    ("an unknown campaign code", {"campaign_id": "AUTUMN"}, BAD_CAMPAIGN),
    ("a campaign code in another case", {"campaign_id": "spring"}, BAD_CAMPAIGN),
    ("another dialect's whole list", {"campaign_id": "system_internal"}, BAD_CAMPAIGN),
    ("campaign -2", {"campaign_id": "-2"}, BAD_CAMPAIGN),
    ("reason -NOTBLANK-", {"reason": "-NOTBLANK-"}, BAD_REASON),
    ("a reason of 256 characters", {"reason": "x" * 256}, BAD_REASON),
    ("a reason of two lines", {"reason": "DNC\nDNCT"}, BAD_REASON),
    ("purpose -NOTBLANK-", {"purpose": "-NOTBLANK-"}, BAD_PURPOSE),
    ("a purpose of 65 characters", {"purpose": "x" * 65}, BAD_PURPOSE),
    ("a purpose of two lines", {"purpose": "a\tb"}, BAD_PURPOSE),
    ("-1 and no purpose", {"campaign_id": "-1"}, BAD_PURPOSE),
    ("-1 and an empty purpose", {"campaign_id": "-1", "purpose": ""}, BAD_PURPOSE),
    ("-1 and no known purpose", {"campaign_id": "-1", "purpose": "FUN"}, BAD_PURPOSE),
    ("-1 and -BLANK-", {"campaign_id": "-1", "purpose": "-BLANK-"}, BAD_PURPOSE),
    ("-1 and -NOTBLANK-", {"campaign_id": "-1", "purpose": "-NOTBLANK-"}, BAD_PURPOSE),
]


@pytest.mark.parametrize(
    ("fields", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_nothing_is_stored_for(fields, words, edition_api):
    edition_api.add_campaign("SPRING")

    body = edition_api.call("dnc/insert", **GOOD | fields)

    assert body == worded(edition_api, *words)
    assert edition_api.search() == []


@pytest.mark.parametrize("fields", ON_EVERY_LIST)
def test_a_success_is_an_id_that_is_an_integer(fields, edition_api):
    edition_api.add_campaign("SPRING")

    body = edition_api.call("dnc/insert", **GOOD | fields)

    (entry,) = edition_api.search()
    assert body == {"success": True, "id": int(entry["id"])}
    assert type(body["id"]) is int


@pytest.mark.parametrize("fields", ON_EVERY_LIST)
@pytest.mark.parametrize(
    "spelling", [NUMBER, "+1 (555) 123-4567", "1-555-123-4567", "555.123.4567"]
)
def test_a_retry_is_told_the_stored_id_on(fields, spelling, edition_api):
    edition_api.add_campaign("SPRING")
    stored = edition_api.insert(NUMBER, **{"reason": "DNC", **fields})

    retry = {**GOOD, "reason": "DNC", **fields, "phone_number": spelling}
    body = edition_api.call("dnc/insert", **retry)

    assert body == worded(edition_api, *REPEATED, id=stored)
    assert len(edition_api.search()) == 1


@pytest.mark.parametrize(
    ("first", "again"),
    [
        pytest.param({}, {"reason": ""}, id="an empty reason for none"),
        pytest.param({}, {"reason": "-BLANK-"}, id="-BLANK- for no reason"),
        pytest.param({}, {"purpose": "-BLANK-"}, id="-BLANK- for no purpose"),
        pytest.param(
            {"campaign_id": "-1", "purpose": "TELEMKT"},
            {"campaign_id": "-1", "purpose": "telemkt"},
            id="a known purpose in another case",
        ),
    ],
)
def test_a_retry_may_write(first, again, edition_api):
    stored = edition_api.insert(NUMBER, **first)

    body = edition_api.call("dnc/insert", **GOOD | again)

    assert body == worded(edition_api, *REPEATED, id=stored)


def test_a_retry_may_name_the_campaign_by_id_or_code(edition_api):
    campaign = edition_api.add_campaign("SPRING")
    stored = edition_api.insert(NUMBER, "SPRING")

    body = edition_api.call("dnc/insert", **GOOD | {"campaign_id": campaign})

    assert body == worded(edition_api, *REPEATED, id=stored)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"reason": "DNCT"}, id="another reason"),
        pytest.param({"reason": "dnc"}, id="the reason in another case"),
        pytest.param({"reason": None}, id="no reason"),
        pytest.param({"purpose": "VERIFY"}, id="another purpose"),
        pytest.param({"purpose": "-BLANK-"}, id="no purpose"),
    ],
)
def test_a_listed_number_stays_as_it_is_when_inserted_with(changes, edition_api):
    details = {"reason": "DNC", "purpose": "TELEMKT"}
    stored = edition_api.insert(NUMBER, **details)
    before = edition_api.search()

    body = edition_api.call("dnc/insert", **GOOD | details | changes)

    assert body == worded(edition_api, *LISTED, id=stored)
    assert edition_api.search() == before


def test_a_purpose_list_is_told_another_reason_apart_from_another_purpose(edition_api):
    stored = edition_api.insert(NUMBER, -1, purpose="TELEMKT", reason="DNC")

    again = {**GOOD, "campaign_id": "-1", "reason": "DNCT"}
    body = edition_api.call("dnc/insert", **again, purpose="TELEMKT")
    other = edition_api.call("dnc/insert", **again, purpose="VERIFY")

    assert body == worded(edition_api, *LISTED, id=stored)
    assert other["success"] is True
    assert other["id"] > stored


def test_a_number_can_be_on_every_list_at_once_with_an_id_for_each(api):
    api.add_campaign("SPRING")
    api.add_campaign("AUTUMN")

    ids = [
        api.insert(NUMBER),
        api.insert(NUMBER, "SPRING"),
        api.insert(NUMBER, "AUTUMN"),
        api.insert(NUMBER, -1, purpose="TELEMKT"),
        api.insert(NUMBER, -1, purpose="VERIFY"),
        api.insert(NUMBER, phone_code="52"),
    ]

    assert [int(entry["id"]) for entry in api.search()] == ids == sorted(set(ids))


@pytest.mark.parametrize(
    "spelling",
    [
        "+1 (727) 555-1299",
        "17275551299",
        "1 727 555 1299",
        "+17275551299",
        "727.555.1299",
    ],
)
def test_a_number_is_stored_without_its_formatting_and_repeated_code(spelling, api):
    entry = api.insert(spelling)

    (found,) = api.search(phone_number="7275551299", phone_code="1")
    assert (found["id"], found["phone_number"], found["phone_code"]) == (
        str(entry),
        "7275551299",
        "1",
    )


@pytest.mark.parametrize("purpose", KnownPurpose)
@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title])
def test_a_known_purpose_has_a_list_in_any_case(purpose, spell, api):
    api.insert(NUMBER, -1, purpose=spell(str(purpose)))

    (entry,) = api.search()
    assert (entry["campaign_id"], entry["purpose"]) == ("-1", str(purpose))


def test_a_purpose_has_a_list_once_the_organisation_has_added_it(edition_api):
    wanted = GOOD | {"campaign_id": "-1", "purpose": "SURVEY"}
    before = edition_api.call("dnc/insert", **wanted)
    edition_api.services.campaigns.add_purpose(edition_api.caller, "SURVEY")

    after = edition_api.call("dnc/insert", **wanted)

    assert before == worded(edition_api, *BAD_PURPOSE)
    assert after["success"] is True
    (entry,) = edition_api.search()
    assert (entry["campaign_id"], entry["purpose"]) == ("-1", "SURVEY")


@pytest.mark.parametrize("campaign", ["0", "SPRING"])
@pytest.mark.parametrize("purpose", ["telemkt", "Consent, verbal (é)", "x" * 64])
def test_elsewhere_than_on_minus_one_a_purpose_is_a_note(purpose, campaign, api):
    api.add_campaign("SPRING")

    api.insert(NUMBER, campaign, purpose=purpose)

    (entry,) = api.search()
    assert entry["purpose"] == purpose


@pytest.mark.parametrize(
    "reason", ["DNC", "DNCT", "ConsentRevoked", "Überdruß & <b>ärger</b>", "é" * 255]
)
def test_a_reason_is_kept_as_it_was_written(reason, api):
    api.insert(NUMBER, reason=reason)

    (entry,) = api.search()
    assert entry["reason"] == reason


@pytest.mark.parametrize("name", ["reason", "purpose"])
@pytest.mark.parametrize("text", ["", "-BLANK-"])
def test_blank_stores_nothing(text, name, api):
    api.insert(NUMBER, **{name: text})

    (entry,) = api.search(**{name: "-BLANK-"})
    assert entry[name] == ""
