"""``pdnc`` as the contract has it, row by row, in both editions."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.domain.access import Grant
from app.domain.scopes import FILTER_PHONE_GROUP, Campaign
from tests.wire.dncscrub import (
    CSV,
    NUMBER,
    OTHER,
    TEXT,
    WAYS,
    add,
    essence,
    listed,
    pdnc,
    remove,
    send,
)

DATE = r"[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}"
SPELLINGS = [
    NUMBER,
    f"1{NUMBER}",
    f"+1{NUMBER}",
    "(555) 123-4567",
    "+1 (555) 123-4567",
    "1-555-123-4567",
    "555.123.4567",
    "0015551234567",
    f"{NUMBER} ",
]


@pytest.mark.parametrize("way", WAYS)
def test_a_number_is_added_counted_told_and_removed_by(way, edition_api):
    ask = {"phoneList": f"{NUMBER},{OTHER}"}

    assert essence(send(edition_api, "pdnc", way, actionType="add", **ask)) == (
        (200, TEXT, "")
    )
    status = send(edition_api, "pdnc", way, actionType="status", **ask)
    count = send(edition_api, "pdnc", way, actionType="count")

    assert (status.status_code, status.headers["Content-Type"]) == (200, CSV)
    assert re.fullmatch(
        f"{NUMBER},({DATE}),\\1\n{OTHER},({DATE}),\\2\n", status.text
    ), status.text
    assert (count.status_code, count.headers["Content-Type"]) == (200, CSV)
    assert re.fullmatch(f"2,{DATE}\n", count.text), count.text

    gone = send(edition_api, "pdnc", way, actionType="remove", **ask)
    assert essence(gone) == (200, TEXT, "")
    assert pdnc(edition_api, "status", NUMBER).text == f"{NUMBER},,\n"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_number_is_blocked_at_once_however_it_was_added_as(spelling, api):
    add(api, spelling)

    for other in SPELLINGS:
        assert listed(api, other), other
    entry, *more = api.search(phone_number=NUMBER)
    assert more == []
    assert (entry["campaign_id"], entry["reason"]) == ("0", "")
    remove(api, spelling)
    assert not listed(api, NUMBER)


def test_what_is_listed_already_stays_as_it_was(api):
    entry_id = api.insert(NUMBER, reason="ConsentRevoked")

    add(api, f"{OTHER},{NUMBER},1{NUMBER}")

    entries = {entry["phone_number"]: entry for entry in api.search()}
    assert entries.keys() == {NUMBER, OTHER}
    assert entries[NUMBER]["id"] == str(entry_id)
    assert entries[NUMBER]["reason"] == "ConsentRevoked"


def test_what_is_not_listed_is_removed_without_effect(api):
    add(api, NUMBER)

    remove(api, f"{OTHER},{NUMBER},{NUMBER}")
    remove(api, NUMBER)

    assert api.search() == []


@pytest.mark.parametrize("flag", ["1", "true", "True"])
def test_with_ignore_invalid_the_numbers_that_are_some_are_added_and_removed(flag, api):
    numbers = f"BADNUMBER,{NUMBER},,12,{OTHER}"

    add(api, numbers, ignoreInvalid=flag)
    assert {entry["phone_number"] for entry in api.search()} == {NUMBER, OTHER}
    remove(api, numbers, ignoreInvalid=flag)
    assert api.search() == []
    add(api, "BADNUMBER", ignoreInvalid=flag)
    assert api.search() == []


@pytest.mark.parametrize("flag", ["0", "false", ""])
def test_without_ignore_invalid_nothing_is_added(flag, api):
    assert pdnc(api, "add", f"{NUMBER},x", ignoreInvalid=flag).status_code == 400
    assert api.search() == []


def test_a_status_leaves_nothing_out_that_is_no_number(api):
    for fields in ({}, {"ignoreInvalid": "1"}):
        answer = pdnc(api, "status", f"{NUMBER},BADNUMBER", **fields)
        assert answer.status_code == 400
        assert "BADNUMBER is not a valid number" in answer.text


@pytest.mark.parametrize("end", [",", ",,", "\n", "\r\n", ", ", ",\n"])
def test_nothing_after_the_last_number_is_no_number(end, api):
    add(api, f"{NUMBER},{OTHER}{end}")

    assert len(api.search()) == 2


@pytest.mark.parametrize("between", ["\n", "\r\n", "\r", ",\n", ",\r\n"])
def test_a_list_may_have_a_number_a_line(between, api):
    answer = send(
        api, "pdnc", "file", actionType="add", phoneList=f"{NUMBER}{between}{OTHER}"
    )

    assert answer.status_code == 200
    assert len(api.search()) == 2


def test_a_status_has_a_line_a_number_in_the_order_asked(api):
    add(api, NUMBER)

    lines = pdnc(api, "status", f"{OTHER},(555) 123-4567,{OTHER}").text.split("\n")

    assert (lines[0], lines[2:]) == (f"{OTHER},,", [f"{OTHER},,", ""])
    assert lines[1].startswith(f"{NUMBER},")


def test_dates_are_those_of_the_organisation_s_clocks(make_api):
    api = make_api(time_zone="Asia/Kolkata")
    began = datetime.now(UTC).replace(microsecond=0)
    add(api, NUMBER)
    _, inserted, modified = pdnc(api, "status", NUMBER).text.strip().split(",")
    api.call("dnc/update", id=api.search()[0]["id"], reason="DNC")
    _, inserted_still, modified_later = (
        pdnc(api, "status", NUMBER).text.strip().split(",")
    )
    _, changed = pdnc(api, "count").text.strip().split(",")

    def instant(text: str) -> datetime:
        local = datetime.strptime(text, "%m/%d/%Y %H:%M:%S")  # noqa: DTZ007
        return local.replace(tzinfo=ZoneInfo("Asia/Kolkata"))

    assert began <= instant(inserted) == instant(modified) <= datetime.now(UTC)
    assert inserted_still == inserted
    assert instant(modified) <= instant(modified_later) == instant(changed)


def test_a_count_is_of_one_list_and_says_when_it_changed_last(api):
    campaign = api.add_campaign("SPRING")
    assert essence(pdnc(api, "count")) == (200, CSV, "0,\n")

    add(api, f"{NUMBER},{OTHER},{NUMBER}")
    add(api, NUMBER, projId="SPRING")

    assert pdnc(api, "count").text.startswith("2,")
    assert pdnc(api, "count", projId="").text.startswith("2,")
    assert pdnc(api, "count", projId="SPRING").text.startswith("1,")
    assert pdnc(api, "count", projId=str(campaign)).text.startswith("1,")
    remove(api, f"{NUMBER},{OTHER}")
    assert re.fullmatch(f"0,{DATE}\n", pdnc(api, "count").text)


def test_a_project_is_a_campaign_by_code_or_id(api):
    campaign = api.add_campaign("SPRING")
    api.add_campaign("AUTUMN")

    add(api, NUMBER, projId="SPRING")
    add(api, OTHER, projId=str(campaign))

    assert {entry["campaign_uid"] for entry in api.search()} == {"SPRING"}
    assert [listed(api, NUMBER, code) for code in ("SPRING", "AUTUMN", "")] == [
        True,
        False,
        False,
    ]
    assert pdnc(api, "status", NUMBER).text == f"{NUMBER},,\n"
    assert pdnc(api, "status", NUMBER, projId="AUTUMN").text == f"{NUMBER},,\n"
    assert pdnc(api, "status", NUMBER, projId="SPRING").text != f"{NUMBER},,\n"
    remove(api, NUMBER)
    assert len(api.search()) == 2
    remove(api, f"{NUMBER},{OTHER}", projId="SPRING")
    assert api.search() == []


def test_a_project_may_be_a_named_list(api):
    group = Campaign(0, "FPGROUP1", "Filter group", FILTER_PHONE_GROUP)
    api.services.campaigns.add(api.caller, None, group)

    add(api, NUMBER, projId="FPGROUP1")

    assert pdnc(api, "count", projId="FPGROUP1").text.startswith("1,")
    remove(api, NUMBER, projId="FPGROUP1")
    assert pdnc(api, "status", NUMBER, projId="FPGROUP1").text == f"{NUMBER},,\n"


@pytest.mark.parametrize(
    ("action", "grant"),
    [
        ("add", Grant.INSERT),
        ("remove", Grant.DELETE),
        ("count", Grant.READ),
        ("status", Grant.READ),
    ],
)
def test_it_takes_one_grant_to(action, grant, api):
    enough = api.with_grants(grant)
    others = api.with_grants(*(other for other in Grant if other != grant))

    assert pdnc(enough, action, NUMBER).status_code == 200
    answer = pdnc(others, action, OTHER)
    assert essence(answer) == (403, TEXT, "The loginId may not do this")
    assert api.search(phone_number=OTHER) == []


def test_one_organisation_s_numbers_are_nobody_else_s(make_api):
    ours, theirs = make_api(), make_api()
    theirs.add_campaign("SPRING")
    add(theirs, f"{NUMBER},{OTHER}")

    assert pdnc(ours, "status", NUMBER).text == f"{NUMBER},,\n"
    assert pdnc(ours, "count").text == "0,\n"
    assert pdnc(ours, "count", projId="SPRING").text == "Unknown projId"
    remove(ours, NUMBER)
    assert listed(theirs, NUMBER)
