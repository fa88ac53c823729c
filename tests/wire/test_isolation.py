"""No organisation sees, changes or counts what is another's, whatever it sends."""

from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.access import Grant
from app.domain.leads import LeadStatus
from tests.wire import stored
from tests.wire.answers import page, refusal
from tests.wire.service import Api

NUMBER = "5551234567"
OTHER = "5557654321"
DNC = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}
ABSENT = "999999999"


@dataclass(frozen=True)
class Neighbours:
    """Two organisations; *theirs* has one of everything that *ours* lacks."""

    ours: Api
    theirs: Api
    url: str
    entry: int
    lead: int
    campaign: int

    def everything_of_theirs(self) -> list[Any]:
        operations = ("dnc/search", "leads/search", "status/search", "campaigns/search")
        shown = [self.theirs.call(operation) for operation in operations]
        return [*shown, stored.count(self.url, self.theirs.caller.organisation.id)]


@pytest.fixture
def neighbours(make_api, service_database) -> Neighbours:
    ours, theirs = make_api(), make_api()
    theirs.services.leads.define_status(theirs.caller, LeadStatus("CALLBACK", "Later"))
    theirs.services.campaigns.add_purpose(theirs.caller, "SURVEY")
    campaign = theirs.add_campaign("SPRING", "SURVEY")
    lead = theirs.call("leads/insert", **DNC | {"campaign_id": campaign})["id"]
    entry = theirs.insert(NUMBER, reason="DNC")
    theirs.insert(NUMBER, "SPRING")
    theirs.insert(NUMBER, -1, purpose="SURVEY")
    theirs.insert(NUMBER, -1, purpose="TELEMKT")
    return Neighbours(ours, theirs, service_database, entry, lead, campaign)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"phone_number": NUMBER},
        {"phone_number": NUMBER, "phone_code": "1"},
        {"phone_code": "1"},
        {"id": "ENTRY"},
        {"campaign_id": "0"},
        {"campaign_id": "-1"},
        {"reason": "DNC"},
        {"reason": "-NOTBLANK-"},
        {"reason": "-BLANK-"},
        {"purpose": "SURVEY"},
        {"limit": "1000"},
    ],
    ids=str,
)
def test_no_search_finds_or_counts_another_s_entries(fields, neighbours):
    fields = {k: v.replace("ENTRY", str(neighbours.entry)) for k, v in fields.items()}

    answer = neighbours.ours.send("dnc/search", **fields)

    assert answer.json() == page([], limit=int(fields.get("limit", 100)))
    assert NUMBER not in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"phone_number": NUMBER},
        {"id": "LEAD"},
        {"status": "NEW"},
        {"status": "CALLBACK"},
    ],
    ids=str,
)
def test_no_search_finds_or_counts_another_s_leads(fields, neighbours):
    fields = {k: v.replace("LEAD", str(neighbours.lead)) for k, v in fields.items()}

    assert neighbours.ours.call("leads/search", **fields) == page([])


def test_no_search_finds_or_counts_another_s_campaigns_and_statuses(neighbours):
    ours = neighbours.ours

    assert ours.call("campaigns/search") == page([])
    assert ours.call("campaigns/search", id=neighbours.campaign) == page([])
    assert ours.call("status/search", status="CALLBACK") == page([])
    assert ours.call("status/search")["data"]["total"] == 3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"reason": "ours"},
        {"phone_number": OTHER},
        {"campaign_id": "-1", "purpose": "TELEMKT"},
        {"phone_number": "no number"},
        {"campaign_id": "SPRING"},
        {"phone_code": "999"},
    ],
    ids=str,
)
def test_an_update_of_another_s_entry_is_answered_like_an_absent_one(
    changes, neighbours
):
    before = neighbours.everything_of_theirs()

    theirs = neighbours.ours.call("dnc/update", id=neighbours.entry, **changes)
    absent = neighbours.ours.call("dnc/update", id=ABSENT, **changes)

    assert theirs == absent == refusal(6056, "DNC ID not found")
    assert neighbours.everything_of_theirs() == before


def test_the_grant_to_update_does_not_tell_another_s_entry_from_an_absent_one(
    neighbours,
):
    """Where an own entry would be 403, both are unknown."""
    client = neighbours.ours.with_grants(Grant.UPDATE)

    theirs = client.call("dnc/update", id=neighbours.entry, phone_number=OTHER)
    absent = client.call("dnc/update", id=ABSENT, phone_number=OTHER)

    assert theirs == absent == refusal(6056, "DNC ID not found")


@pytest.mark.parametrize("edition", ["documented", "live"])
@pytest.mark.parametrize("by", ["id", "code"])
@pytest.mark.parametrize(
    "operation",
    [
        "dnc/insert",
        "dnc/update",
        "dnc/search",
        "dnc/delete",
        "leads/insert",
        "leads/search",
    ],
)
def test_another_s_campaign_is_answered_like_an_unknown_one(
    operation, by, edition, make_api, service_database
):
    ours, theirs = make_api(edition=edition), make_api()
    named = {"id": theirs.add_campaign("SPRING"), "code": "SPRING"}[by]
    theirs.insert(NUMBER, "SPRING")
    entry = ours.insert(OTHER)
    before = stored.count(service_database, theirs.caller.organisation.id)

    answer = ours.call(operation, **DNC | {"id": entry, "campaign_id": named})
    unknown = ours.call(operation, **DNC | {"id": entry, "campaign_id": "NOSUCH"})

    assert answer == unknown
    assert answer["success"] is False
    assert stored.count(service_database, theirs.caller.organisation.id) == before


@pytest.mark.parametrize("campaign", [{}, {"campaign_id": "-1", "purpose": "TELEMKT"}])
def test_a_delete_of_what_only_another_lists_finds_nothing(campaign, neighbours):
    before = neighbours.everything_of_theirs()

    switched = {"update_lead_status": "true", "lead_status": "ACTIVE"}
    body = neighbours.ours.call("dnc/delete", **DNC | campaign | switched)

    assert body == refusal(6001, "Phone not found in DNC")
    assert neighbours.everything_of_theirs() == before


def test_what_another_added_is_unknown_here(neighbours):
    ours = neighbours.ours
    ours.add_campaign("OURS")
    ours.insert(NUMBER)

    survey = DNC | {"campaign_id": "-1", "purpose": "SURVEY"}
    callback = {"lead_status": "CALLBACK", "update_lead_status": "true"}

    assert ours.call("dnc/insert", **survey) == refusal(6058, "Invalid purpose")
    assert ours.call("dnc/delete", **survey) == refusal(6002, "Invalid campaign ID")
    bad_status = refusal(6005, "Invalid lead status")
    assert ours.call("dnc/delete", **DNC | callback) == bad_status
    lead = DNC | {"campaign_id": "OURS", "status": "CALLBACK"}
    assert ours.call("leads/insert", **lead) == bad_status


def test_the_same_number_is_added_changed_and_deleted_on_one_s_own_list(neighbours):
    before = neighbours.everything_of_theirs()
    ours = neighbours.ours
    assert ours.add_campaign("SPRING", "TELEMKT") == neighbours.campaign
    lead = ours.call("leads/insert", **DNC | {"campaign_id": "SPRING"})["id"]

    entry = ours.insert(NUMBER, reason="DNC")
    assert [found["id"] for found in ours.search(phone_number=NUMBER)] == [str(entry)]
    moved = ours.call("dnc/update", id=entry, campaign_id="SPRING", reason="ours")
    assert moved == {"success": True, "id": entry}
    switched = {"update_lead_status": "true", "lead_status": "ACTIVE"}
    gone = ours.call("dnc/delete", **DNC | {"campaign_id": "SPRING"} | switched)
    assert gone == {"success": True}

    (mine,) = ours.call("leads/search")["data"]["entries"]
    assert (mine["id"], mine["status"]) == (str(lead), "ACTIVE")
    assert neighbours.everything_of_theirs() == before


def test_a_repeated_number_tells_the_own_entry_and_not_another_s(neighbours):
    entry = neighbours.ours.insert(NUMBER)

    repeated = neighbours.ours.call("dnc/insert", **DNC)
    other = neighbours.ours.call("dnc/insert", **DNC, reason="DNC")

    assert repeated == refusal(6007, "Duplicate entry", id=entry)
    assert other == refusal(6008, "Phone already in DNC", id=entry)


def test_pages_are_of_one_s_own_entries_however_they_were_mixed(make_api):
    organisations = [make_api() for _ in range(3)]
    ids: list[list[str]] = [[], [], []]
    for n in range(12):
        for api, own in zip(organisations, ids, strict=True):
            own.append(str(api.insert(f"55512345{n:02}")))

    for api, own in zip(organisations, ids, strict=True):
        seen = []
        for offset in range(0, 12, 5):
            data = api.call("dnc/search", offset=offset, limit=5)["data"]
            seen += [entry["id"] for entry in data["entries"]]
            assert data["total"] == 12
        assert seen == own


def test_each_organisation_lists_and_ends_its_own_tokens_only(make_api):
    ours, theirs = make_api(), make_api()
    access = ours.services.access

    ended = access.revoke(ours.caller, "everything")

    assert ended == 1
    assert [token.revoked_at for token in access.list_tokens(theirs.caller)] == [None]
    assert theirs.call("dnc/search") == page([])
