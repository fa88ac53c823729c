"""Leads, their statuses and campaigns, beside the do-not-call list."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.access import Grant
from app.domain.leads import LeadStatus
from tests.wire.answers import FORBIDDEN, page, refusal

NUMBER = "5551234567"
OTHER = "5557654321"
GOOD = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "SPRING"}

BAD_NUMBER = (6006, "Invalid phone number")
BAD_CAMPAIGN = (6026, "Invalid campaign ID")
BAD_STATUS = (6005, "Invalid lead status")
BAD_NAME = (6060, "Invalid first or last name")
BAD_FORMAT = (6006, "Invalid phone format")
BAD_PARAMETER = (6008, "Invalid parameter")

NOT_INSERTED = [
    ("no number", {"phone_number": None}, BAD_NUMBER),
    ("letters", {"phone_number": "no number"}, BAD_NUMBER),
    ("a comma list", {"phone_number": f"{NUMBER},{OTHER}"}, BAD_NUMBER),
    ("no code", {"phone_code": None}, BAD_NUMBER),
    ("an unassigned code", {"phone_code": "999"}, BAD_NUMBER),
    ("no campaign", {"campaign_id": None}, BAD_CAMPAIGN),
    ("an unknown campaign", {"campaign_id": "4711"}, BAD_CAMPAIGN),
    ("the whole list", {"campaign_id": "0"}, BAD_CAMPAIGN),
    ("the purpose lists", {"campaign_id": "-1"}, BAD_CAMPAIGN),
    ("an unknown status", {"status": "NOSUCH"}, BAD_STATUS),
    ("a status in another case", {"status": "new"}, BAD_STATUS),
    ("a status that cannot be one", {"status": "A B"}, BAD_STATUS),
    ("a first name of 101 characters", {"first_name": "x" * 101}, BAD_NAME),
    ("a last name of two lines", {"last_name": "a\nb"}, BAD_NAME),
]


@pytest.mark.parametrize(
    ("fields", "words"),
    [row[1:] for row in NOT_INSERTED],
    ids=[row[0] for row in NOT_INSERTED],
)
def test_no_lead_is_inserted_for(fields, words, edition_api):
    edition_api.add_campaign("SPRING")

    body = edition_api.call("leads/insert", **GOOD | fields)

    assert body == refusal(*words)
    assert edition_api.call("leads/search") == page([])


def test_a_lead_is_eleven_strings(edition_api):
    campaign = edition_api.add_campaign("SPRING")
    names = {"first_name": "Ada", "last_name": "Lövelace & Söhne"}
    began = datetime.now(UTC).replace(microsecond=0, tzinfo=None)

    body = edition_api.call("leads/insert", **GOOD | names | {"status": "ACTIVE"})

    found = edition_api.call("leads/search")
    (lead,) = found["data"]["entries"]
    expected = {
        "id": str(body["id"]),
        "phone_number": NUMBER,
        "phone_code": "1",
        "campaign_id": str(campaign),
        "campaign_uid": "SPRING",
        "campaign_name": "Campaign SPRING",
        "status": "ACTIVE",
        **names,
        "created_at": lead["created_at"],
        "modified_at": lead["created_at"],
    }
    assert body == {"success": True, "id": int(lead["id"])}
    assert found == page([expected])
    assert list(lead) == list(expected)
    created = datetime.strptime(lead["created_at"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    assert began <= created <= began + timedelta(seconds=30)


def test_a_lead_is_new_and_has_no_name_unless_it_says(api):
    api.add_campaign("SPRING")

    api.call("leads/insert", **GOOD | {"status": "", "first_name": ""})

    (lead,) = api.call("leads/search")["data"]["entries"]
    shown = (lead["status"], lead["first_name"], lead["last_name"])
    assert shown == ("NEW", "", "")


def test_a_lead_s_times_are_the_organisation_s(make_api):
    api = make_api(time_zone="Asia/Kathmandu")
    api.add_campaign("SPRING")
    api.call("leads/insert", **GOOD)

    (lead,) = api.call("leads/search")["data"]["entries"]

    ahead = timedelta(hours=5, minutes=45)
    shown = datetime.fromisoformat(lead["created_at"] + "+00:00") - ahead
    assert abs(datetime.now(UTC) - shown) < timedelta(seconds=30)


def test_one_number_may_be_a_lead_twice_and_listed_besides(api):
    api.add_campaign("SPRING")
    api.insert(NUMBER)

    first = api.call("leads/insert", **GOOD)
    second = api.call("leads/insert", **GOOD)

    assert (first["success"], second["success"]) == (True, True)
    assert second["id"] > first["id"]


def test_a_delete_that_changes_a_status_shows_in_the_lead(api):
    api.add_campaign("SPRING")
    api.call("leads/insert", **GOOD)
    api.insert(NUMBER)
    (before,) = api.call("leads/search")["data"]["entries"]

    switched = {"update_lead_status": "true", "lead_status": "DNC"}
    api.call("dnc/delete", **GOOD | {"campaign_id": "0"} | switched)

    (after,) = api.call("leads/search")["data"]["entries"]
    changed = {"status": "DNC", "modified_at": after["modified_at"]}
    assert after == before | changed
    assert after["modified_at"] >= before["modified_at"]


LEADS = [
    GOOD,
    GOOD | {"campaign_id": "AUTUMN", "status": "ACTIVE"},
    GOOD | {"phone_number": OTHER, "status": "DNC"},
    GOOD | {"phone_code": "52"},
    GOOD | {"phone_number": "3012345678", "phone_code": "49", "status": "ACTIVE"},
]


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        pytest.param({}, [0, 1, 2, 3, 4], id="nothing"),
        pytest.param(
            dict.fromkeys(
                ("id", "phone_number", "phone_code", "campaign_id", "status"), ""
            ),
            [0, 1, 2, 3, 4],
            id="nothing but empty parameters",
        ),
        pytest.param({"phone_number": NUMBER}, [0, 1, 3], id="a number in any code"),
        pytest.param(
            {"phone_number": f"+1 {NUMBER}", "phone_code": "1"},
            [0, 1],
            id="a number in a code",
        ),
        pytest.param({"phone_code": "49"}, [4], id="a code"),
        pytest.param({"campaign_id": "SPRING"}, [0, 2, 3, 4], id="a campaign's code"),
        pytest.param({"campaign_id": "102"}, [1], id="a campaign's id"),
        pytest.param({"campaign_id": "0"}, [], id="the whole list"),
        pytest.param({"campaign_id": "EMPTY"}, [], id="a campaign without leads"),
        pytest.param({"status": "ACTIVE"}, [1, 4], id="a status"),
        pytest.param({"status": "active"}, [], id="a status in another case"),
        pytest.param(
            {"status": "ACTIVE", "campaign_id": "SPRING"}, [4], id="status and campaign"
        ),
        pytest.param(
            {"status": "NEW", "phone_number": NUMBER}, [0, 3], id="status and number"
        ),
        pytest.param({"phone_number": "5559999999"}, [], id="an unknown number"),
    ],
)
def test_leads_are_found_by(fields, meant, api):
    assert [api.add_campaign(code) for code in ("SPRING", "AUTUMN", "EMPTY")][1] == 102
    ids = [str(api.call("leads/insert", **lead)["id"]) for lead in LEADS]

    body = api.call("leads/search", **fields)

    assert [lead["id"] for lead in body["data"]["entries"]] == [ids[n] for n in meant]
    assert body["data"]["total"] == len(meant)


def test_a_lead_is_found_by_its_id_and_on_its_page(api):
    api.add_campaign("SPRING")
    ids = [api.call("leads/insert", **GOOD)["id"] for _ in range(5)]

    alone = api.call("leads/search", id=ids[2])["data"]
    part = api.call("leads/search", offset=1, limit=2)["data"]
    past = api.call("leads/search", offset=5)

    assert [lead["id"] for lead in alone["entries"]] == [str(ids[2])]
    assert [lead["id"] for lead in part["entries"]] == [str(ids[1]), str(ids[2])]
    assert (part["offset"], part["limit"], part["total"]) == (1, 2, 5)
    assert past == page([], offset=5, total=5)


SEARCHES = ["leads/search", "status/search", "campaigns/search"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("offset", "100001"), ("offset", "-1"), ("limit", "0"), ("limit", "1001")],
)
@pytest.mark.parametrize("operation", SEARCHES)
def test_no_page_is_answered_for(operation, name, value, edition_api):
    body = edition_api.call(operation, **{name: value})

    assert body == refusal(*BAD_PARAMETER)


@pytest.mark.parametrize(
    ("operation", "fields", "words"),
    [
        ("leads/search", {"id": "one"}, BAD_PARAMETER),
        ("leads/search", {"phone_number": "none"}, BAD_FORMAT),
        ("leads/search", {"phone_code": "999"}, BAD_FORMAT),
        ("leads/search", {"campaign_id": "4711"}, BAD_CAMPAIGN),
        ("leads/search", {"status": "A B"}, BAD_STATUS),
        ("status/search", {"status": "A B"}, BAD_STATUS),
        ("campaigns/search", {"id": "one"}, BAD_PARAMETER),
    ],
)
def test_nothing_is_searched_for(operation, fields, words, edition_api):
    assert edition_api.call(operation, **fields) == refusal(*words)


def test_the_statuses_are_the_built_in_ones_and_those_the_organisation_defines(api):
    api.services.leads.define_status(api.caller, LeadStatus("CALLBACK", "Call back"))
    every = [
        {"status": "ACTIVE", "name": "Active"},
        {"status": "CALLBACK", "name": "Call back"},
        {"status": "DNC", "name": "Do not call"},
        {"status": "NEW", "name": "New"},
    ]

    assert api.call("status/search") == page(every)
    assert api.call("status/search", status="") == page(every)
    assert api.call("status/search", status="CALLBACK") == page(every[1:2])
    assert api.call("status/search", status="NOSUCH") == page([])
    some = page(every[1:3], offset=1, limit=2, total=4)
    assert api.call("status/search", offset=1, limit=2) == some


def test_the_campaigns_are_the_organisation_s_own_in_the_order_of_their_ids(api):
    assert api.call("campaigns/search") == page([])
    ids = [api.add_campaign("ZULU", "TELEMKT"), api.add_campaign("ALPHA")]
    every = [
        {
            "id": str(campaign),
            "uid": uid,
            "name": f"Campaign {uid}",
            "type": "outbound",
            "purpose": purpose,
            "active": "true",
        }
        for campaign, uid, purpose in zip(
            ids, ["ZULU", "ALPHA"], ["TELEMKT", ""], strict=True
        )
    ]

    found = api.call("campaigns/search")

    assert found == page(every)
    assert [list(each) for each in found["data"]["entries"]] == [list(every[0])] * 2
    assert api.call("campaigns/search", id=ids[1]) == page(every[1:])
    assert api.call("campaigns/search", id="") == page(every)
    for unknown in (0, 4711):
        assert api.call("campaigns/search", id=unknown) == page([])
    some = page(every[1:], offset=1, limit=1, total=2)
    assert api.call("campaigns/search", offset=1, limit=1) == some


@pytest.mark.parametrize("operation", ["leads/insert", *SEARCHES])
def test_the_other_grants_do_not_open(operation, api):
    api.add_campaign("SPRING")
    needed = Grant.INSERT if operation == "leads/insert" else Grant.READ

    alone = api.with_grants(needed).send(operation, **GOOD)
    others = api.with_grants(*set(Grant) - {needed}).send(operation, **GOOD)

    assert alone.json()["success"] is True
    assert (others.status_code, others.json()) == (403, refusal(*FORBIDDEN))
    assert re.fullmatch(r"[01]", str(api.call("leads/search")["data"]["total"]))


def test_another_organisation_sees_none_of_it(make_api):
    ours, theirs = make_api(), make_api()
    ours.add_campaign("SPRING")
    ours.services.leads.define_status(ours.caller, LeadStatus("CALLBACK", "Call back"))
    lead = ours.call("leads/insert", **GOOD)["id"]

    assert theirs.call("leads/search") == page([])
    assert theirs.call("leads/search", id=lead) == page([])
    assert theirs.call("leads/search", campaign_id="SPRING") == refusal(*BAD_CAMPAIGN)
    assert theirs.call("leads/insert", **GOOD) == refusal(*BAD_CAMPAIGN)
    assert theirs.call("status/search", status="CALLBACK") == page([])
    assert theirs.call("campaigns/search") == page([])
