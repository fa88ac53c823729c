"""What a client is told of a number's past, and of what was listed at an instant."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app.domain import patience
from app.domain.access import Grant
from tests.waiting import require_soon
from tests.wire.conftest import MakeApi
from tests.wire.service import Api

NUMBER = "5551234567"
DNC = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}
NUMBER_ALONE = {"phone_number": NUMBER, "phone_code": "1"}


def history(api: Api, **fields: Any) -> list[dict[str, Any]]:
    body = api.call("dnc/history", **fields)
    assert body["success"] is True, body
    versions: list[dict[str, Any]] = body["data"]["versions"]
    assert body["data"]["total"] >= len(versions)
    return versions


def now() -> str:
    """Return an instant that has passed on the database's clock, the machine's own."""
    instant = datetime.now(UTC)
    time.sleep(0.005)
    return instant.isoformat()


def test_history_tells_who_did_what_when_through_what_and_why(api: Api) -> None:
    sent = api.send("dnc/insert", **DNC, reason="ConsentRevoked")
    entry_id = sent.json()["id"]
    api.call("dnc/update", id=entry_id, reason="Complaint")
    gone = api.send("dnc/delete", **DNC)

    first, second = history(api, **NUMBER_ALONE)

    assert first["id"] == second["id"] == str(entry_id)
    assert (first["reason"], second["reason"]) == ("ConsentRevoked", "Complaint")
    assert (first["phone_number"], first["phone_code"]) == (NUMBER, "1")
    assert (first["campaign_id"], first["campaign_name"]) == ("0", "Global DNC")
    assert first["valid_until"] == second["valid_from"]
    made = first["made_by"]
    assert made["kind"] == "entry:suppressed"
    assert (made["token"], made["actor"]) == ("everything", "everything")
    assert (made["dialect"], made["address"]) == ("convoso", "127.0.0.1")
    assert made["request_id"] == sent.headers["X-Request-ID"]
    assert made["why"] == "ConsentRevoked"
    assert made["at"] == first["valid_from"] == first["inserted_at"]
    assert made["touched"] == 1
    assert first["ended_by"] == second["made_by"]
    assert second["made_by"]["kind"] == "entry:revised"
    ended = second["ended_by"]
    assert (ended["kind"], ended["at"]) == ("entry:released", second["valid_until"])
    assert ended["request_id"] == gone.headers["X-Request-ID"]


def test_every_entry_that_ever_had_the_number_is_told(api: Api) -> None:
    campaign = api.add_campaign("SPRING")
    moved = api.insert("5557654321")
    api.call("dnc/update", id=moved, phone_number=NUMBER)
    api.call("dnc/update", id=moved, phone_number="5557654322")
    other = api.insert(NUMBER, campaign)

    versions = history(api, **NUMBER_ALONE)

    told = [(version["id"], version["phone_number"]) for version in versions]
    assert told == [
        (str(moved), "5557654321"),
        (str(moved), NUMBER),
        (str(moved), "5557654322"),
        (str(other), NUMBER),
    ]
    assert [x["valid_until"] is None for x in versions] == [False, False, True, True]


@pytest.mark.parametrize("way", ["number", "any code", "id", "query"])
def test_history_is_asked_for_by_number_or_by_id(api: Api, way: str) -> None:
    entry_id = api.insert(NUMBER)
    fields = {
        "number": {"phone_number": "(555) 123-4567", "phone_code": "1"},
        "any code": {"phone_number": NUMBER},
        "id": {"id": entry_id},
        "query": NUMBER_ALONE,
    }[way]
    if way == "query":
        answer = api.session.get(
            f"{api.base}/v1/dnc/history", params={"auth_token": api.token, **fields}
        )
        versions = answer.json()["data"]["versions"]
    else:
        versions = history(api, **fields)

    assert [version["id"] for version in versions] == [str(entry_id)]
    assert versions[0]["ended_by"] is None


def test_what_never_was_listed_has_no_history(api: Api, make_api: MakeApi) -> None:
    theirs = make_api().insert(NUMBER)

    for fields in (NUMBER_ALONE, {"id": theirs}, {"id": "999999999"}):
        body = api.call("dnc/history", **fields)
        assert body["data"] == {"offset": 0, "limit": 100, "total": 0, "versions": []}


def test_pages_of_history_are_stable_and_their_total_exact(api: Api) -> None:
    entry_id = api.insert(NUMBER)
    for n in range(6):
        api.call("dnc/update", id=entry_id, reason=f"reason {n}")

    pages = [history(api, id=entry_id, offset=n, limit=3) for n in (0, 3, 6, 9)]

    reasons = [version["reason"] for page in pages for version in page]
    assert reasons == ["", *(f"reason {n}" for n in range(6))]
    body = api.call("dnc/history", id=entry_id, offset=6, limit=3)
    assert body["data"]["total"] == 7


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, 6006),
        ({"phone_number": "555", "phone_code": "1"}, 6006),
        ({"phone_number": NUMBER, "phone_code": "x"}, 6006),
        ({"id": "x"}, 6008),
        ({"id": "1" * 19}, 6008),
        ({"id": "1", **NUMBER_ALONE}, 6008),
        ({**NUMBER_ALONE, "limit": "0"}, 6008),
        ({**NUMBER_ALONE, "limit": "1001"}, 6008),
        ({**NUMBER_ALONE, "offset": "-1"}, 6008),
        ({**NUMBER_ALONE, "offset": "100001"}, 6008),
    ],
)
def test_what_names_no_history_is_refused(
    api: Api, fields: dict[str, str], code: int
) -> None:
    assert api.call("dnc/history", **fields)["code"] == code


def test_history_needs_the_grant_to_read_and_restoring_that_to_insert(
    api: Api,
) -> None:
    entry_id = api.insert(NUMBER)
    api.call("dnc/delete", **DNC)
    others = set(Grant)

    reader = api.with_grants(*others - {Grant.READ})
    inserter = api.with_grants(*others - {Grant.INSERT})

    assert reader.send("dnc/history", id=entry_id).status_code == 403
    assert inserter.send("dnc/restore", id=entry_id).status_code == 403
    assert api.call("dnc/check", **NUMBER_ALONE)["data"]["callable"] is True
    assert api.with_grants(Grant.READ).call("dnc/history", id=entry_id)["success"]
    assert api.with_grants(Grant.INSERT).call("dnc/restore", id=entry_id)["success"]
    assert api.call("dnc/check", **NUMBER_ALONE)["data"]["callable"] is False


def test_a_deleted_entry_is_restored_under_its_id(api: Api) -> None:
    entry_id = api.insert(NUMBER, reason="Asked")
    api.call("dnc/delete", **DNC)

    restored = api.call("dnc/restore", id=entry_id)
    again = api.call("dnc/restore", id=entry_id)

    assert restored == {"success": True, "id": entry_id}
    assert (again["code"], again["id"]) == (6007, entry_id)
    [entry] = api.search(**NUMBER_ALONE)
    assert (entry["id"], entry["reason"]) == (str(entry_id), "Asked")
    kinds = [version["made_by"]["kind"] for version in history(api, id=entry_id)]
    assert kinds == ["entry:suppressed", "entry:restored"]


def test_what_cannot_be_restored_says_why(api: Api, make_api: MakeApi) -> None:
    first = api.insert(NUMBER)
    api.call("dnc/delete", **DNC)
    second = api.insert(NUMBER)
    theirs = make_api()
    foreign = theirs.insert(NUMBER)
    theirs.call("dnc/delete", **DNC)

    taken = api.call("dnc/restore", id=first)
    absent = [
        api.send("dnc/restore", id=each) for each in (foreign, 999_999_999, "x", "")
    ]

    assert (taken["code"], taken["id"]) == (6008, second)
    assert {answer.text for answer in absent} == {absent[0].text}
    assert absent[0].json()["code"] == 6056


def test_as_of_answers_alike_in_check_batch_search_and_export(api: Api) -> None:
    before = now()
    entry_id = api.insert(NUMBER, reason="Asked")
    during = now()
    api.call("dnc/delete", **DNC)
    after = now()

    for instant, listed in ((before, False), (during, True), (after, False)):
        check = api.call("dnc/check", **NUMBER_ALONE, as_of=instant)["data"]
        batch = api.session.post(
            f"{api.base}/v1/dnc/check/batch",
            json={"phone_code": "1", "numbers": [NUMBER], "as_of": instant},
            headers={"Authorization": f"Bearer {api.token}"},
        ).json()["data"]
        search = api.call("dnc/search", **NUMBER_ALONE, as_of=instant)["data"]
        whole = api.call("dnc/search", as_of=instant)["data"]
        exported = api.session.get(
            f"{api.base}/v1/dnc/export",
            params={"as_of": instant},
            headers={"Authorization": f"Bearer {api.token}"},
        )
        assert check["callable"] is not listed
        assert check["as_of"] == batch["as_of"] == instant
        assert [match["id"] for match in check["matches"]] == [str(entry_id)] * listed
        assert batch["counts"]["listed"] == int(listed)
        assert search["total"] == len(search["entries"]) == int(listed)
        assert whole["total"] == int(listed)
        assert exported.text.count("\n") == 1 + listed


def test_a_check_without_an_instant_says_nothing_of_one(api: Api) -> None:
    api.insert(NUMBER)

    plain = api.call("dnc/check", **NUMBER_ALONE)["data"]
    empty = api.call("dnc/check", **NUMBER_ALONE, as_of="")["data"]

    assert "as_of" not in plain
    assert plain.keys() == empty.keys()
    assert empty["callable"] is False


@pytest.mark.parametrize(
    ("as_of", "says"),
    [
        ("2026-11-21T10:00:00", "zone"),
        ("2026-11-21", "ISO 8601"),
        ("yesterday", "ISO 8601"),
        ("1763719200", "ISO 8601"),
        ("2026-02-30T10:00:00Z", "calendar"),
        ("0001-01-01T00:00:00+01:00", "calendar"),
        ("FUTURE", "has not passed"),
        ("9999-12-31T23:59:59Z", "has not passed"),
    ],
)
def test_what_is_no_instant_that_has_passed_is_refused_by_name(
    api: Api, as_of: str, says: str
) -> None:
    if as_of == "FUTURE":
        as_of = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    bearer = {"Authorization": f"Bearer {api.token}"}

    answers = [
        api.send("dnc/check", **NUMBER_ALONE, as_of=as_of),
        api.send("dnc/search", **NUMBER_ALONE, as_of=as_of),
        api.session.post(
            f"{api.base}/v1/dnc/check/batch",
            json={"phone_code": "1", "numbers": [], "as_of": as_of},
            headers=bearer,
        ),
        api.session.get(
            f"{api.base}/v1/dnc/export", params={"as_of": as_of}, headers=bearer
        ),
    ]

    for answer in answers:
        body = answer.json()
        assert body["success"] is False
        assert body["code"] == 6008
        assert "as_of" in body["text"]
        assert says in body["text"]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400]


def test_an_offset_may_come_as_it_is_written_in_a_query(api: Api) -> None:
    api.insert(NUMBER)
    instant = now()
    assert instant.endswith("+00:00")

    answer = api.session.get(
        f"{api.base}/v1/dnc/check?auth_token={api.token}&phone_code=1"
        f"&phone_number={NUMBER}&as_of={instant}"
    ).json()

    assert answer["data"]["callable"] is False
    assert answer["data"]["as_of"] == instant


def test_the_switch_of_checking_does_not_change_what_was_listed(api: Api) -> None:
    api.insert(NUMBER)
    instant = now()
    api.services.organisations.switch_checking(api.caller, enabled=False)
    try:
        told = api.call("dnc/check", **NUMBER_ALONE, as_of=instant)["data"]
        assert told["callable"] is False
        assert "checking" not in told
    finally:
        api.services.organisations.switch_checking(api.caller, enabled=True)


def test_an_instant_that_is_not_settled_is_a_declared_503(
    api: Api, service_database: str
) -> None:
    with psycopg.connect(service_database) as late:
        late.execute(
            "SELECT set_config('dncd.organisation', %s, true), dnc_instant()",
            [str(api.caller.organisation.id)],
        )
        instant = now()
        began = time.monotonic()
        answers = [
            api.send("dnc/check", **NUMBER_ALONE, as_of=instant),
            api.send("dnc/search", as_of=instant),
        ]
        took = time.monotonic() - began
        plain = api.call("dnc/check", **NUMBER_ALONE)["data"]

    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["code"] == 6070
        assert "not settled" in answer.json()["text"]
    each = took / len(answers)
    assert each > 0.9 * patience.turn_seconds()
    require_soon(each, patience.answer_seconds())
    assert plain["callable"] is True
    assert api.call("dnc/check", **NUMBER_ALONE, as_of=instant)["success"] is True


def test_an_answer_given_stands_when_an_insert_commits_late(
    api: Api, service_database: str
) -> None:
    """The insert waits for its commit behind a lock that another program holds."""
    api.insert("5550000001")
    organisation = str(api.caller.organisation.id)
    with psycopg.connect(service_database) as late:
        late.execute(
            "SELECT set_config('role', 'dncd_app', true),"
            " set_config('dncd.organisation', %s, true)",
            [organisation],
        )
        late.execute(
            "INSERT INTO dnc_entry (organisation_id, e164, calling_code, campaign_id,"
            " operation_id) VALUES (%s::bigint, 15551234567, 1, 0, 1)",
            [organisation],
        )
        instant = now()
        unsettled = api.send("dnc/check", **NUMBER_ALONE, as_of=instant)
        late.commit()

    told = api.call("dnc/check", **NUMBER_ALONE, as_of=instant)["data"]
    assert unsettled.status_code == 503
    assert told["callable"] is False
