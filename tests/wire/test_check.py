"""The dialer's question, over HTTP: one number before each call."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from app.domain.access import Grant
from tests.wire import stored
from tests.wire.conftest import MakeApi
from tests.wire.service import Api

NUMBER = "5551234567"


def check(api: Api, number: str = NUMBER, **fields: object) -> dict[str, object]:
    body = api.call("dnc/check", **{"phone_number": number, "phone_code": "1"} | fields)
    assert body["success"] is True, body
    return body["data"]


def rules(verdict: dict[str, object]) -> list[str]:
    return [match["rule"] for match in verdict["matches"]]


def test_a_number_that_nobody_listed_is_callable(api: Api):
    verdict = check(api, "+1 (555) 123-4567")

    checked_at = datetime.fromisoformat(verdict.pop("checked_at"))
    assert abs(datetime.now(UTC) - checked_at) < timedelta(minutes=1)
    assert verdict == {
        "callable": True,
        "phone_code": "1",
        "phone_number": NUMBER,
        "matches": [],
    }


def test_an_answer_tells_which_entry_blocks_since_when_and_why(api: Api):
    entry_id = api.insert(NUMBER, reason="ConsentRevoked", purpose="a note")

    verdict = check(api)

    assert verdict["callable"] is False
    (match,) = verdict["matches"]
    since = datetime.fromisoformat(match.pop("since"))
    assert since.utcoffset() is not None
    assert since <= datetime.fromisoformat(verdict["checked_at"])
    assert match == {
        "id": str(entry_id),
        "rule": "organisation",
        "campaign_id": "0",
        "campaign_name": "Global DNC",
        "purpose": "a note",
        "reason": "ConsentRevoked",
    }


def test_a_campaign_is_blocked_by_its_list_its_purpose_and_the_organisation(api: Api):
    spring = api.add_campaign("SPRING", "TELEMKT")
    survey = api.add_campaign("SURVEY")
    api.insert("5551000001", spring)
    api.insert("5551000002", -1, purpose="TELEMKT")
    api.insert("5551000003")
    blocked = {
        number: [
            rules(check(api, number, campaign_id=campaign))
            for campaign in (spring, "SURVEY")
        ]
        for number in ("5551000001", "5551000002", "5551000003")
    }

    assert survey != spring
    assert blocked == {
        "5551000001": [["campaign"], []],
        "5551000002": [["purpose"], []],
        "5551000003": [["organisation"], ["organisation"]],
    }


@pytest.mark.parametrize("campaign", [{}, {"campaign_id": ""}, {"campaign_id": "0"}])
def test_asked_without_a_campaign_the_lists_of_some_only_inform(api: Api, campaign):
    api.insert(NUMBER, api.add_campaign("SPRING"))
    api.insert(NUMBER, -1, purpose="COLLECT")

    verdict = check(api, **campaign)

    assert verdict["callable"] is True
    assert rules(verdict) == ["campaign", "purpose"]

    api.insert(NUMBER)
    verdict = check(api, **campaign)

    assert verdict["callable"] is False
    assert rules(verdict) == ["organisation", "campaign", "purpose"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"campaign_id": "77"}, 6026),
        ({"campaign_id": "NOSUCH"}, 6026),
        ({"campaign_id": "-1"}, 6026),
        ({"campaign_id": "a b"}, 6026),
        ({"phone_number": "555"}, 6006),
        ({"phone_number": ""}, 6006),
        ({"phone_number": "5.551e9"}, 6006),
        ({"phone_code": ""}, 6006),
        ({"phone_code": "999"}, 6006),
    ],
)
def test_what_cannot_be_answered_is_an_error_and_never_callable(api: Api, fields, code):
    body = api.call("dnc/check", **{"phone_number": NUMBER, "phone_code": "1"} | fields)

    assert body["success"] is False
    assert body["code"] == code
    assert body["text"] == body["message"]
    assert "data" not in body


@pytest.mark.parametrize("name", ["phone_number", "phone_code"])
def test_what_is_needed_cannot_be_left_out(api: Api, name: str):
    fields = {"phone_number": NUMBER, "phone_code": "1"}
    del fields[name]

    assert api.call("dnc/check", **fields)["code"] == 6006


def test_a_check_needs_its_own_grant(api: Api):
    fields = {"phone_number": NUMBER, "phone_code": "1"}

    assert api.with_grants(Grant.CHECK).send("dnc/check", **fields).ok
    for grant in set(Grant) - {Grant.CHECK}:
        refused = api.with_grants(grant).send("dnc/check", **fields)
        assert (refused.status_code, refused.json()["code"]) == (403, 403)
    nobody = requests.post(f"{api.base}/v1/dnc/check", data=fields, timeout=10)
    assert (nobody.status_code, nobody.json()["code"]) == (401, 5001)


def test_another_organisations_list_does_not_block(api: Api, make_api: MakeApi):
    other = make_api()
    other.insert(NUMBER)
    other.add_campaign("THEIRS")

    assert check(api)["callable"] is True
    assert (
        api.call(
            "dnc/check", phone_number=NUMBER, phone_code="1", campaign_id="THEIRS"
        )["code"]
        == 6026
    )


def test_what_was_acknowledged_is_seen_by_every_check_that_follows(api: Api):
    for number in range(5552000000, 5552000060):
        assert check(api, str(number))["callable"] is True
        api.insert(str(number))
        assert check(api, str(number))["callable"] is False
        api.call("dnc/delete", phone_number=number, phone_code="1", campaign_id=0)
        assert check(api, str(number))["callable"] is True


def test_a_switched_off_check_says_so_and_is_recorded(api: Api, service_database: str):
    api.insert(NUMBER)
    organisation = api.caller.organisation.id
    before = stored.count(service_database, organisation)["operations"]
    api.services.organisations.switch_checking(api.caller, enabled=False)

    verdict = check(api)

    assert verdict["callable"] is True
    assert verdict["checking"] == "off"
    assert rules(verdict) == ["organisation"]
    after = stored.count(service_database, organisation)["operations"]
    assert after == before + 2  # the switching, and this answer

    api.services.organisations.switch_checking(api.caller, enabled=True)

    assert check(api)["callable"] is False
    assert "checking" not in check(api)
