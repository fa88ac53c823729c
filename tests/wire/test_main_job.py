"""The main job, as a client would tell it: every answer is compared whole."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.wire.answers import page, refusal
from tests.wire.backdating import insert_at
from tests.wire.service import Api

ANN, BOB, CAT = "5551000001", "5551000002", "5551000003"
GLOBAL = {
    "campaign_id": "0",
    "campaign_uid": "0",
    "campaign_name": "Global DNC",
    "campaign_type": "",
}
FOR_A_PURPOSE = {
    "campaign_id": "-1",
    "campaign_uid": "-1",
    "campaign_name": "Purpose DNC",
    "campaign_type": "",
}


def entry(
    entry_id: int | str, number: str, campaign: dict[str, str] = GLOBAL, **details: str
) -> dict[str, str]:
    """Return an entry of today as a search shows it."""
    return {
        "id": str(entry_id),
        "phone_number": number,
        "phone_code": "1",
        **campaign,
        "purpose": "",
        "reason": "",
        "insert_date": datetime.now(UTC).strftime("%Y-%m-%d"),
        **details,
    }


@pytest.fixture
def spring(api: Api) -> dict[str, str]:
    """A campaign, as its entries show it."""
    return campaign(api, "SPRING", "TELEMKT")


def campaign(api: Api, uid: str, purpose: str | None = None) -> dict[str, str]:
    return {
        "campaign_id": str(api.add_campaign(uid, purpose)),
        "campaign_uid": uid,
        "campaign_name": f"Campaign {uid}",
        "campaign_type": "outbound",
    }


def dnc(number: str, campaign_id: object = 0) -> dict[str, Any]:
    return {"phone_number": number, "phone_code": "1", "campaign_id": campaign_id}


def test_somebody_opts_out_of_every_call(api):
    assert api.call("dnc/search", phone_number=ANN) == page([])

    added = api.call("dnc/insert", **dnc("(555) 100-0001"), reason="ConsentRevoked")
    assert added == {"success": True, "id": added["id"]}

    listed = entry(added["id"], ANN, reason="ConsentRevoked")
    assert api.call("dnc/search", phone_number=ANN) == page([listed])

    again = api.call("dnc/insert", **dnc(ANN), reason="ConsentRevoked")
    assert again == refusal(6007, "Duplicate entry", id=added["id"])
    other = api.call("dnc/insert", **dnc(ANN), reason="DNC")
    assert other == refusal(6008, "Phone already in DNC", id=added["id"])
    assert api.call("dnc/search") == page([listed])


def test_somebody_opts_out_of_one_campaign(api, spring):
    autumn = campaign(api, "AUTUMN")

    added = api.call("dnc/insert", **dnc(ANN, spring["campaign_id"]))
    by_code = api.call("dnc/insert", **dnc(BOB, "SPRING"))
    elsewhere = api.call("dnc/insert", **dnc(ANN, "AUTUMN"))

    ours = [entry(added["id"], ANN, spring), entry(by_code["id"], BOB, spring)]
    theirs = entry(elsewhere["id"], ANN, autumn)
    assert api.call("dnc/search", campaign_id="SPRING") == page(ours)
    assert api.call("dnc/search", phone_number=ANN) == page([ours[0], theirs])
    assert api.call("dnc/search", campaign_id=0) == page([])


def test_somebody_opts_out_of_a_purpose(api):
    added = api.call("dnc/insert", **dnc(ANN, -1), purpose="TELEMKT")

    listed = entry(added["id"], ANN, FOR_A_PURPOSE, purpose="TELEMKT")
    assert api.call("dnc/search", campaign_id=-1) == page([listed])
    assert api.call("dnc/delete", **dnc(ANN, -1), purpose="VERIFY") == refusal(
        6001, "Phone not found in DNC"
    )
    done = api.call("dnc/delete", **dnc(ANN, -1), purpose="TELEMKT")
    assert done == {"success": True}
    assert api.call("dnc/search") == page([])


def test_a_number_is_looked_up_before_a_call(api):
    listed = api.insert(ANN, reason="DNC")

    for spelling in (ANN, "+1 (555) 100-0001", "1-555-100-0001", "15551000001"):
        for code in ("1", "+1", ""):
            found = api.call("dnc/search", phone_number=spelling, phone_code=code)
            assert found == page([entry(listed, ANN, reason="DNC")]), spelling

    answer = api.send("dnc/search", phone_number=BOB, phone_code="1")
    assert answer.json() == page([])
    assert BOB not in answer.text


def test_a_campaign_s_list_is_read_page_by_page(api, spring):
    listed = []
    for n in range(25):
        number = f"55520000{n:02}"
        listed.append(entry(api.insert(number, "SPRING"), number, spring))
        api.insert(number)

    def read(offset: int) -> dict[str, Any]:
        return api.call("dnc/search", campaign_id="SPRING", offset=offset, limit=10)

    assert read(0) == page(listed[:10], limit=10, total=25)
    assert read(10) == page(listed[10:20], offset=10, limit=10, total=25)
    assert read(20) == page(listed[20:], offset=20, limit=10, total=25)
    assert read(30) == page([], offset=30, limit=10, total=25)


def test_entries_are_sorted_by_whether_they_have_a_reason(api):
    with_reason = entry(api.insert(ANN, reason="DNC"), ANN, reason="DNC")
    without = entry(api.insert(BOB), BOB)
    other = entry(api.insert(CAT, reason="DNCT"), CAT, reason="DNCT")

    assert api.call("dnc/search", reason="-BLANK-") == page([without])
    assert api.call("dnc/search", reason="-NOTBLANK-") == page([with_reason, other])
    assert api.call("dnc/search", reason="DNCT") == page([other])
    assert api.call("dnc/search", reason="Other") == page([])


def test_the_opt_outs_of_a_day_are_read(api, service_database):
    def listed_at(instant: str, number: str) -> dict[str, str]:
        made = insert_at(api, service_database, instant, number)
        return entry(made, number, insert_date=instant[:10])

    first = listed_at("2026-03-30 23:59:59+00", ANN)
    second = listed_at("2026-03-31 10:30:15.5+00", BOB)
    third = listed_at("2026-03-31 23:59:59+00", CAT)

    def read(date: str) -> dict[str, Any]:
        return api.call("dnc/search", insert_date=date)

    assert read("2026-03-30") == page([first])
    assert read("2026-03-31") == page([second, third])
    assert read("2026-03-31 10:30:15") == page([second])
    assert read("2026-03-31 10:30:16") == page([])
    assert read("2026-04-01") == page([])


def test_a_reason_is_cleared(api):
    first = api.insert(ANN, reason="DNC", purpose="note")
    second = api.insert(BOB, reason="DNC")

    assert api.call("dnc/update", id=first, reason="") == {"success": True, "id": first}
    cleared = api.call("dnc/update", id=second, reason="-BLANK-")

    assert cleared == {"success": True, "id": second}
    expected = [entry(first, ANN, purpose="note"), entry(second, BOB)]
    assert api.call("dnc/search") == page(expected)
    assert api.call("dnc/search", reason="-NOTBLANK-") == page([])


def test_an_entry_moves_to_another_campaign(api, spring):
    autumn = campaign(api, "AUTUMN")
    moved = api.insert(ANN, "SPRING", reason="DNC")
    stays = api.insert(BOB, "SPRING")

    done = api.call("dnc/update", id=moved, campaign_id=autumn["campaign_id"])

    assert done == {"success": True, "id": moved}
    kept = entry(stays, BOB, spring)
    gone = entry(moved, ANN, autumn, reason="DNC")
    assert api.call("dnc/search", campaign_id="SPRING") == page([kept])
    assert api.call("dnc/search", campaign_id="AUTUMN") == page([gone])

    back = api.insert(ANN, "SPRING")
    refused = api.call("dnc/update", id=moved, campaign_id="SPRING")
    assert refused == refusal(6008, "Phone number already in DNC", id=back)
    assert api.call("dnc/search", campaign_id="AUTUMN") == page([gone])


def test_a_number_leaves_the_list_and_its_leads_are_active_again(api, spring):
    autumn = campaign(api, "AUTUMN")

    def statuses() -> list[tuple[str, str, str]]:
        leads = api.call("leads/search")["data"]["entries"]
        return [
            (lead["phone_number"], lead["campaign_uid"], lead["status"])
            for lead in leads
        ]

    for number, meant in ((ANN, spring), (ANN, autumn), (BOB, spring)):
        wanted = dnc(number, meant["campaign_id"])
        assert api.call("leads/insert", **wanted, status="DNC")["success"] is True
    for number in (ANN, BOB):
        api.insert(number)
    switched = {"update_lead_status": "true", "lead_status": "ACTIVE"}

    done = api.call("dnc/delete", **dnc(ANN), **switched)

    assert done == {"success": True}
    assert api.call("dnc/search", phone_number=ANN) == page([])
    assert statuses() == [
        (ANN, "SPRING", "ACTIVE"),
        (ANN, "AUTUMN", "ACTIVE"),
        (BOB, "SPRING", "DNC"),
    ]
    again = api.call("dnc/delete", **dnc(ANN), **switched)
    assert again == refusal(6001, "Phone not found in DNC")


def test_a_batch_is_added_and_may_be_sent_again_after_it_broke_off(api):
    numbers = [f"55530000{n:02}" for n in range(50)]
    batch = [dnc(number) | {"reason": "DNC"} for number in numbers]
    batch[20]["phone_number"] = "555"

    first = [api.call("dnc/insert", **fields) for fields in batch[:30]]
    second = [api.call("dnc/insert", **fields) for fields in batch]

    bad = refusal(6006, "Invalid phone number")
    assert first[20] == second[20] == bad
    del first[20], second[20], numbers[20]
    ids = [answer["id"] for answer in second]
    repeated = [refusal(6007, "Duplicate entry", id=each) for each in ids[:29]]
    assert first == [{"success": True, "id": each} for each in ids[:29]]
    assert second[:29] == repeated
    assert second[29:] == [{"success": True, "id": each} for each in ids[29:]]
    listed = [entry(i, n, reason="DNC") for i, n in zip(ids, numbers, strict=True)]
    assert api.call("dnc/search") == page(listed)
