"""``/api/dnc/*`` as the contract has it, row by row, in both editions."""

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.wire import stored
from tests.wire.workspace import (
    ADDED,
    DELETED,
    SWITCHED,
    add,
    call,
    delete,
    records,
    refusal,
    success,
    switch,
)

NUMBER = "12125551234"
BATCH = "64e5f12345abcdef98765432"
REQUEST = "550e8400-e29b-41d4-a716-446655440000"
EVIDENCE = {"type": "customer_request", "batchId": BATCH, "requestUUID": REQUEST}

BAD_NUMBER = (
    "phoneNumber is missing, or is no phone number with its country code, "
    "such as +12125551234"
)
BAD_TYPE = "type must be printable text of at most 255 characters"
BAD_EVIDENCE = (
    "batchId and requestUUID must be printable text of at most 255 characters"
)
NO_EVIDENCE = "type, batchId and requestUUID are required"
LISTED = "Phone number already exists in the DNC list"
NO_OBJECT = "The body is not a JSON object"
BAD_ID = "The id is missing, or is not 24 hexadecimal digits"
BAD_SWITCH = "enable must be true or false"


def record_id(number: int) -> str:
    return f"{number:024x}"


def test_what_was_added_is_answered_and_listed_byte_for_byte(edition_api):
    asked = datetime.now(UTC)

    answer = add(edition_api, NUMBER, **EVIDENCE)

    assert (answer.status_code, answer.headers["Content-Type"]) == (
        200,
        "application/json",
    )
    assert answer.text == (
        '{"message":"Phone number added to DNC successfully","status":true,'
        '"code":200,"errorMessage":""}'
    )
    listed = call(edition_api, "GET", "list")
    [record] = listed.json()["data"]["dncList"]
    created = record.pop("createdAt")
    [entry] = edition_api.search()
    assert record == {
        "_id": record_id(int(entry["id"])),
        "phoneNumber": NUMBER,
        "type": "customer_request",
        "orgId": record_id(edition_api.caller.organisation.id),
        "batchId": BATCH,
        "requestUUID": REQUEST,
        "callRecording": "",
        "transcription": "",
    }
    assert re.fullmatch(
        r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.\d{3}Z", created
    )
    assert abs(datetime.fromisoformat(created) - asked) < timedelta(seconds=20)
    assert listed.headers["Content-Type"] == "application/json"
    assert list(listed.json()) == ["message", "status", "code", "errorMessage", "data"]


@pytest.mark.parametrize(
    "spelling",
    [
        "+12125551234",
        "1 212 555 1234",
        "+1 (212) 555-1234",
        "0012125551234",
        " 12125551234 ",
        "1-212-555-1234",
        "212.555.1234",
    ],
)
def test_every_spelling_is_the_one_number(spelling, api):
    assert add(api, spelling).json() == success(ADDED)

    again = add(api, NUMBER)

    assert (again.status_code, again.json()) == (400, refusal(400, LISTED))
    assert [record["phoneNumber"] for record in records(api)] == [NUMBER]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, BAD_NUMBER),
        ({"phoneNumber": ""}, BAD_NUMBER),
        ({"phoneNumber": None}, BAD_NUMBER),
        ({"phoneNumber": 12125551234}, BAD_NUMBER),
        ({"phoneNumber": 12125551234.0}, BAD_NUMBER),
        ({"phoneNumber": True}, BAD_NUMBER),
        ({"phoneNumber": [NUMBER]}, BAD_NUMBER),
        ({"phoneNumber": {"number": NUMBER}}, BAD_NUMBER),
        ({"phoneNumber": "1212555123"}, BAD_NUMBER),
        ({"phoneNumber": "121255512345"}, BAD_NUMBER),
        ({"phoneNumber": f"{NUMBER},12125551235"}, BAD_NUMBER),
        ({"phoneNumber": "1212555CALL"}, BAD_NUMBER),
        ({"phoneNumber": "١٢١٢٥٥٥١٢٣٤"}, BAD_NUMBER),
        ({"phoneNumber": "+999123456789"}, BAD_NUMBER),
        ({"phoneNumber": "911"}, BAD_NUMBER),
        # Ten digits that may be of another country, too.
        ({"phoneNumber": "2025550123"}, BAD_NUMBER),
        ({"phoneNumber": "5551234567"}, BAD_NUMBER),
        ({"phoneNumber": NUMBER, "type": 7}, BAD_TYPE),
        ({"phoneNumber": NUMBER, "type": ["complaint"]}, BAD_TYPE),
        ({"phoneNumber": NUMBER, "type": "x" * 256}, BAD_TYPE),
        ({"phoneNumber": NUMBER, "type": "a\nb"}, BAD_TYPE),
        ({"phoneNumber": NUMBER, "type": "a\x00b"}, BAD_TYPE),
        ({"phoneNumber": NUMBER, "type": "\ud800"}, BAD_TYPE),
        ({"phoneNumber": NUMBER, "batchId": 7}, BAD_EVIDENCE),
        ({"phoneNumber": NUMBER, "batchId": "x" * 256}, BAD_EVIDENCE),
        ({"phoneNumber": NUMBER, "requestUUID": False}, BAD_EVIDENCE),
        ({"phoneNumber": NUMBER, "requestUUID": "a\x00b"}, BAD_EVIDENCE),
        ({"phoneNumber": NUMBER, "requestUUID": "\ud800"}, BAD_EVIDENCE),
    ],
)
def test_nothing_is_stored_for(members, text, edition_api):
    answer = call(edition_api, "POST", "add", json=members)

    assert (answer.status_code, answer.json()) == (400, refusal(400, text))
    assert edition_api.search() == []


@pytest.mark.parametrize("operation", ["add", "enable-disable"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"7", b"\xff", b'{"a":' * 5000, b"[" * 50000],
)
def test_a_body_that_is_no_object_is_refused(body, operation, api):
    answer = call(
        api, "POST", operation, {"Content-Type": "application/json"}, data=body
    )

    assert (answer.status_code, answer.json()) == (400, refusal(400, NO_OBJECT))


@pytest.mark.parametrize("missing", [{}, {"type": ""}, {"batchId": None}])
def test_evidence_is_optional(missing, api):
    assert add(api, NUMBER, **missing).json() == success(ADDED)

    [record] = records(api)
    assert [record[name] for name in EVIDENCE] == ["", "", ""]


@pytest.mark.parametrize("name", EVIDENCE)
@pytest.mark.parametrize("value", [None, ""])
def test_evidence_is_required_where_the_organisation_says_so(name, value, api):
    api.services.organisations.switch_evidence(api.caller, required=True)

    refused = add(api, NUMBER, **EVIDENCE | {name: value})
    stored_then = api.search()
    taken = add(api, NUMBER, **EVIDENCE)
    # Who has no place for evidence is not asked for it.
    elsewhere = api.insert("2125551235")

    assert (refused.status_code, refused.json()) == (400, refusal(400, NO_EVIDENCE))
    assert stored_then == []
    assert taken.json() == success(ADDED)
    assert elsewhere


def test_a_number_that_only_a_campaign_has_is_not_yet_on_the_list(api):
    campaign = api.add_campaign("SPRING")
    api.insert("2125551234", campaign)

    assert add(api, NUMBER).json() == success(ADDED)
    assert [entry["campaign_id"] for entry in api.search()] == [str(campaign), "0"]
    assert len(records(api)) == 2


def test_a_record_is_deleted_by_its_id_and_may_be_called_again(edition_api):
    add(edition_api, NUMBER)
    [record] = records(edition_api)

    answer = delete(edition_api, record["_id"])
    again = delete(edition_api, record["_id"].upper())

    assert (answer.status_code, answer.json()) == (200, success(DELETED))
    assert (again.status_code, again.json()) == (
        404,
        refusal(404, "DNC record not found"),
    )
    assert records(edition_api) == []


@pytest.mark.parametrize(
    "malformed",
    ["1", "x" * 24, "0" * 23, "0" * 25, "-" + "0" * 23, "0x" + "0" * 22, "%00" * 24],
)
def test_an_id_that_is_malformed_is_refused(malformed, edition_api):
    answer = delete(edition_api, malformed)

    assert (answer.status_code, answer.json()) == (400, refusal(400, BAD_ID))


@pytest.mark.parametrize("path", ["delete", "delete/"])
def test_a_missing_id_is_refused(path, edition_api):
    answer = call(edition_api, "DELETE", path)

    assert (answer.status_code, answer.json()) == (400, refusal(400, BAD_ID))


@pytest.mark.parametrize("absent", ["0" * 24, "f" * 24, "0" * 9 + "f" * 15])
def test_an_id_that_nobody_has_is_not_found(absent, api):
    answer = delete(api, absent)

    assert (answer.status_code, answer.json()) == (
        404,
        refusal(404, "DNC record not found"),
    )


def test_another_organisation_s_record_is_neither_deleted_nor_shown(make_api):
    ours, theirs = make_api(), make_api()
    add(theirs, NUMBER, type="theirs", requestUUID=REQUEST)
    [record] = records(theirs)

    answer = delete(ours, record["_id"])

    assert (answer.status_code, answer.json()) == (
        403,
        refusal(403, "The DNC record belongs to another organization"),
    )
    assert records(theirs) == [record]
    for search in ("", NUMBER, "1212", "theirs", REQUEST):
        assert records(ours, search=search) == []
    assert add(ours, NUMBER).json() == success(ADDED)


def test_the_switch_is_of_the_whole_organisation_and_recorded(
    edition_api, service_database
):
    add(edition_api, NUMBER)
    asked = {"phone_number": "2125551234", "phone_code": "1"}

    off = switch(edition_api, enable=False)
    verdict_off = edition_api.call("dnc/check", **asked)["data"]
    on = switch(edition_api, enable=True)
    verdict_on = edition_api.call("dnc/check", **asked)["data"]

    assert (off.json(), on.json()) == (success(SWITCHED), success(SWITCHED))
    assert (verdict_off["callable"], verdict_on["callable"]) == (True, False)
    with psycopg.connect(service_database) as connection:
        recorded = connection.execute(
            "SELECT why, dialect, token_id IS NOT NULL FROM operation"
            " WHERE organisation_id = %s AND kind = 'checking:switched' ORDER BY id",
            [edition_api.caller.organisation.id],
        ).fetchall()
    assert recorded == [("off", "workspace", True), ("on", "workspace", True)]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"enable": None},
        {"enable": "true"},
        {"enable": 1},
        {"enable": 0},
        {"enable": [True]},
        {"Enable": True},
    ],
)
def test_a_switch_is_true_or_false(members, edition_api):
    answer = switch(edition_api, **members)

    assert (answer.status_code, answer.json()) == (400, refusal(400, BAD_SWITCH))


def test_a_number_added_here_is_everyone_s(api):
    add(api, NUMBER, type="customer_request")
    plain = {"phone_number": "2125551234", "phone_code": "1"}

    [found] = api.search(**plain)
    verdict = api.call("dnc/check", **plain)["data"]
    gone = api.call("dnc/delete", **plain, campaign_id="0")

    assert (found["reason"], found["campaign_id"]) == ("customer_request", "0")
    assert verdict["callable"] is False
    assert verdict["matches"][0]["reason"] == "customer_request"
    assert gone["success"] is True
    assert records(api) == []


def test_a_number_added_elsewhere_is_deleted_here(api):
    campaign = api.add_campaign("SPRING")
    entries = [
        api.insert("2125551234", reason="DNC"),
        api.insert("2125551234", campaign),
    ]

    listed = add(api, NUMBER)
    ids = [record["_id"] for record in records(api, search=NUMBER)]
    answers = [delete(api, each) for each in ids]

    assert listed.json() == refusal(400, LISTED)
    assert ids == [record_id(entry) for entry in entries]
    assert [answer.json() for answer in answers] == [success(DELETED)] * 2
    assert api.search() == []


def test_evidence_survives_a_change_elsewhere(api):
    add(api, NUMBER, **EVIDENCE)
    [entry] = api.search()

    api.call("dnc/update", id=entry["id"], reason="complaint")

    [record] = records(api, search="550e8400")
    assert (record["type"], record["batchId"]) == ("complaint", BATCH)


def test_nothing_is_left_behind_by_what_was_refused(api, service_database):
    before = stored.count(service_database, api.caller.organisation.id)

    add(api, "nobody")
    switch(api, enable="yes")
    delete(api, "f" * 24)
    call(api, "GET", "list", params={"page": "0"})

    assert stored.count(service_database, api.caller.organisation.id) == before
