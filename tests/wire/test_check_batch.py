"""Fifty thousand numbers in one request, from one snapshot."""

from collections.abc import Sequence

import pytest
import requests

from app.domain.access import Grant
from tests.wire.service import Api


def post(api: Api, body: object, **headers: str) -> requests.Response:
    return requests.post(
        f"{api.base}/v1/dnc/check/batch",
        json=body,
        headers={"Authorization": f"Bearer {api.token}", **headers},
        timeout=30,
    )


def batch(api: Api, numbers: Sequence[object], **fields: object) -> dict[str, object]:
    answer = post(api, {"phone_code": "1", "numbers": numbers} | fields)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True, body
    return body["data"]


def test_counts_and_what_stands_out_by_its_index(api: Api):
    entry_id = api.insert("5551234567")

    data = batch(
        api,
        ["5551234567", "5551234568", "+1 (555) 123-4567", 5551234567, "5.5e9", None],
    )

    assert data["counts"] == {"numbers": 6, "callable": 1, "listed": 3, "invalid": 2}
    assert [item["index"] for item in data["listed"]] == [0, 2, 3]
    assert {item["entry_id"] for item in data["listed"]} == {str(entry_id)}
    assert {item["rule"] for item in data["listed"]} == {"organisation"}
    assert [item["index"] for item in data["invalid"]] == [4, 5]
    assert "scientific" in data["invalid"][0]["cause"]
    assert data["snapshot"]
    assert data["checked_at"]


def test_a_campaign_asks_its_list_and_its_purpose_and_names_the_strongest(api: Api):
    spring = api.add_campaign("SPRING", "TELEMKT")
    api.add_campaign("SURVEY")
    numbers = [str(5551000000 + n) for n in range(5)]
    api.insert(numbers[0], spring)
    api.insert(numbers[1], -1, purpose="TELEMKT")
    for campaign in (spring, 0):
        api.insert(numbers[2], campaign)
    api.insert(numbers[3], "SURVEY")

    data = batch(api, numbers, campaign_id=str(spring))

    assert [(item["index"], item["rule"]) for item in data["listed"]] == [
        (0, "campaign"),
        (1, "purpose"),
        (2, "organisation"),
    ]
    assert [item["index"] for item in batch(api, numbers)["listed"]] == [2]


def test_as_many_as_are_allowed_are_answered_and_one_more_is_refused(api: Api):
    api.insert("5551049999")
    numbers = [str(5551000000 + n) for n in range(50_000)]

    data = batch(api, numbers)

    assert data["counts"]["callable"] == 49_999
    assert [item["index"] for item in data["listed"]] == [49_999]
    refused = post(api, {"phone_code": "1", "numbers": [*numbers, "5550000000"]})
    assert refused.json()["code"] == 6061
    assert "50000" in refused.json()["text"]


def test_no_numbers_are_an_answer_too(api: Api):
    assert batch(api, [])["counts"]["numbers"] == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([], 400, 400),
        ({"phone_code": "1"}, 400, 400),
        ({"phone_code": "1", "numbers": "5551234567"}, 400, 400),
        ({"phone_code": ["1"], "numbers": []}, 400, 400),
        ({"numbers": []}, 200, 6006),
        ({"phone_code": "999", "numbers": []}, 200, 6006),
        ({"phone_code": "1", "numbers": [], "campaign_id": "NOSUCH"}, 200, 6026),
        ({"phone_code": "1", "numbers": [], "campaign_id": 77}, 200, 6026),
        ({"phone_code": "1", "numbers": [], "campain_id": "0"}, 200, 6008),
    ],
)
def test_what_cannot_be_answered_is_refused(api: Api, body, status, code):
    answer = post(api, body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["success"] is False


def test_what_is_asked_in_the_query_is_not_passed_over(api: Api):
    answer = requests.post(
        f"{api.base}/v1/dnc/check/batch?campaign_id=0",
        json={"phone_code": "1", "numbers": []},
        headers={"Authorization": f"Bearer {api.token}"},
        timeout=9,
    )

    assert answer.json()["code"] == 6008
    assert "'campaign_id'" in answer.json()["text"]


def test_bodies_of_other_kinds_and_sizes_are_refused(api: Api):
    url = f"{api.base}/v1/dnc/check/batch"
    bearer = {"Authorization": f"Bearer {api.token}"}

    form = requests.post(url, data={"numbers": "1"}, headers=bearer, timeout=9)
    broken = requests.post(
        url, data="{", headers=bearer | {"Content-Type": "application/json"}, timeout=9
    )
    large = post(api, {"phone_code": "1", "numbers": ["x" * 5_000_000]})

    assert [form.status_code, broken.status_code, large.status_code] == [415, 400, 413]


def test_it_needs_a_bearer_token_with_the_grant(api: Api):
    body = {"phone_code": "1", "numbers": []}

    nobody = requests.post(f"{api.base}/v1/dnc/check/batch", json=body, timeout=9)
    assert (nobody.status_code, nobody.json()["code"]) == (401, 5001)
    assert post(api.with_grants(Grant.READ), body).status_code == 403
    assert post(api.with_grants(Grant.CHECK), body).status_code == 200


def test_a_switched_off_check_still_tells_what_is_listed(api: Api):
    api.insert("5551234567")
    api.services.organisations.switch_checking(api.caller, enabled=False)

    data = batch(api, ["5551234567"])

    assert data["checking"] == "off"
    assert data["counts"]["listed"] == 1
