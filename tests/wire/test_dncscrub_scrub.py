"""``scrub`` as the contract has it: every item answered, in the order sent."""

import csv
import io
import time
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from app.domain.access import Grant
from app.services.organisations import EVERY_GRANT, operator
from tests.conftest import make_organisation
from tests.waiting import require_soon
from tests.wire.dncscrub import (
    NUMBER,
    OTHER,
    TEXT,
    WAYS,
    add,
    codes,
    essence,
    scrub,
    send,
)
from tests.wire.service import Api

CSV = "text/csv; charset=utf-8"
COLUMNS = [
    *("Phone", "ResultCode", "Reserved", "Reason", "RegionAbbrev", "Country"),
    *("Locale", "CarrierInfo", "NewReassignedAreaCode", "TZCode", "CallingWindow"),
    *("UTCOffset", "DoNotCallToday", "CallingTimeRestrictions"),
]
MORE = ["EBRType", "IsWirelessOrVoIP", "LineType"]
NO_MORE = "," * 8


@pytest.mark.parametrize("way", WAYS)
def test_every_item_has_a_line_in_the_order_sent_by(way, edition_api):
    edition_api.insert(NUMBER, reason="ConsentRevoked")
    items = f"{OTHER},(555) 123-4567|A-1,BADNUMBER,0012345678,{NUMBER}|,12,{OTHER}"

    answer = send(edition_api, "scrub", way, phoneList=items, version="3")

    assert essence(answer)[:2] == (200, CSV)
    assert answer.text == (
        f"{OTHER},C,,;;;,,{NO_MORE}\n"
        f"(555) 123-4567,P,A-1,;;;ConsentRevoked,,{NO_MORE}\n"
        f"BADNUMBER,M,,;;;not a valid number,,{NO_MORE}\n"
        f"0012345678,I,,;;;not a valid number,,{NO_MORE}\n"
        f"{NUMBER},P,,;;;ConsentRevoked,,{NO_MORE}\n"
        f"12,M,,;;;not a valid number,,{NO_MORE}\n"
        f"{OTHER},C,,;;;,,{NO_MORE}\n"
    )


@pytest.mark.parametrize(
    ("version", "columns"),
    [(None, 14), ("", 14), ("1", 14), ("2", 14), ("3", 14), ("4", 17), ("5", 17)],
)
def test_a_version_has_its_columns(version, columns, api):
    fields = {} if version is None else {"version": version}

    assert [len(line) for line in scrub(api, f"{NUMBER},x", **fields)] == [columns] * 2
    (row, _) = send(
        api, "scrub", phoneList=f"{NUMBER},x", output="json", **fields
    ).json()
    assert list(row) == (COLUMNS + MORE)[:columns]


@pytest.mark.parametrize("version", ["3", "5"])
def test_csv_json_and_xml_say_the_same(version, api):
    api.insert(NUMBER, reason='say "no", <b>; it\'s ü\\')
    items = f'{NUMBER}|"4,1&2,{OTHER}|<ü>,2125551234, \x01"x,4165551234'

    def ask(output: str) -> object:
        return send(api, "scrub", phoneList=items, version=version, output=output)

    as_csv, as_json, as_xml = ask("csv"), ask("json"), ask("xml")
    assert [x.headers["Content-Type"] for x in (as_csv, as_json, as_xml)] == [
        CSV,
        "application/json",
        "application/xml; charset=utf-8",
    ]
    rows = [list(row.values()) for row in as_json.json()]
    names = COLUMNS + MORE if version == "5" else COLUMNS

    assert all(list(row) == names for row in as_json.json())
    assert list(csv.reader(io.StringIO(as_csv.text, newline=""))) == rows
    root = ET.fromstring(as_xml.content)  # noqa: S314  our own answer
    assert [[cell.tag for cell in row] for row in root] == [names] * len(rows)
    assert [[cell.text or "" for cell in row] for row in root] == [
        [value.replace("\x01", "\ufffd") for value in row] for row in rows
    ]
    assert [row[:6] for row in rows] == [
        [NUMBER, "P", '"4', ";;;say  no   <b>  it s ü ", "", ""],
        ["1&2", "M", "", ";;;not a valid number", "", ""],
        [OTHER, "C", "<ü>", ";;;", "", ""],
        ["2125551234", "C", "", ";;;", "", "US"],
        [' \x01"x', "M", "", ";;;not a valid number", "", ""],
        ["4165551234", "C", "", ";;;", "", "CA"],
    ]


def test_whatever_list_blocks_the_call_is_an_internal_list(api):
    api.add_campaign("SPRING", "TELEMKT")
    api.add_campaign("SURVEY")
    numbers = [str(5551000000 + n) for n in range(6)]
    api.insert(numbers[0])
    api.insert(numbers[1], "SPRING", reason="by campaign")
    api.insert(numbers[2], -1, purpose="TELEMKT", reason="by purpose")
    api.insert(numbers[3], "SURVEY")
    api.insert(numbers[4], -1, purpose="VERIFY")
    items = ",".join(numbers)

    assert codes(api, items) == "PCCCCC"
    for fields in (
        {"projId": "SPRING"},
        {"campaignId": "SPRING"},
        {"projId": "SPRING", "campaignId": "SPRING"},
        {"projId": "", "campaignId": "SPRING"},
    ):
        lines = scrub(api, items, **fields)
        assert "".join(line[1] for line in lines) == "PPPCCC", fields
        assert [line[3] for line in lines[:3]] == [
            ";;;",
            ";;;by campaign",
            ";;;by purpose",
        ]
    assert codes(api, items, projId="SURVEY") == "PCCPCC"
    assert codes(api, items, projId="0") == "PCCCCC"


@pytest.mark.parametrize(
    "spelling",
    [f"1{NUMBER}", f"+1 {NUMBER}", "555-123-4567", f" {NUMBER}", f"001{NUMBER}"],
)
def test_a_number_is_echoed_as_it_was_sent(spelling, api):
    add(api, NUMBER)

    assert [line[:2] for line in scrub(api, f"{spelling},{OTHER}")] == [
        [spelling, "P"],
        [OTHER, "C"],
    ]


def test_what_is_listed_is_told_also_where_checking_is_off(api):
    add(api, NUMBER)
    api.services.organisations.switch_checking(api.caller, enabled=False)

    assert codes(api, f"{NUMBER},{OTHER}") == "PC"


def test_an_item_in_the_middle_that_is_empty_has_its_line(api):
    assert [line[:2] for line in scrub(api, f",{NUMBER},,|7,{OTHER},")] == [
        ["", "M"],
        [NUMBER, "C"],
        ["", "M"],
        ["", "M"],
        [OTHER, "C"],
    ]


def test_a_number_a_line_is_a_list_too(api):
    add(api, OTHER)

    answer = send(api, "scrub", "file", phoneList=f"\ufeff{NUMBER}\r\n{OTHER}\r\n")

    assert [line.split(",")[:2] for line in answer.text.splitlines()] == [
        [NUMBER, "C"],
        [OTHER, "P"],
    ]


def test_fifty_thousand_are_answered_in_order_and_at_once(api):
    listed = {f"555{n:07d}" for n in range(0, 50_000, 1000)}
    add(api, ",".join(sorted(listed)))
    numbers = [f"555{(n * 7919) % 50_000:07d}" for n in range(50_000)]

    for way in ("form", "multipart", "file", "json"):
        items = ",".join(f"{number}|{n}" for n, number in enumerate(numbers))
        began = time.monotonic()
        answer = send(api, "scrub", way, phoneList=items, version="5")
        took = time.monotonic() - began

        assert answer.status_code == 200, answer.text[:100]
        lines = [line.split(",") for line in answer.text.splitlines()]
        assert [line[0] for line in lines] == numbers
        assert [line[2] for line in lines] == [str(n) for n in range(50_000)]
        assert all(line[1] == ("P" if line[0] in listed else "C") for line in lines)
        require_soon(took, 5, way)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Invalid parameter: phoneList is missing"),
        ({"phoneList": ""}, "Invalid parameter: phoneList is missing"),
        (
            {"phoneList": NUMBER, "version": "6"},
            "Invalid parameter: version is none of 1, 2, 3, 4, 5",
        ),
        (
            {"phoneList": NUMBER, "output": "html"},
            "Invalid parameter: output is none of csv, json, xml",
        ),
        ({"phoneList": NUMBER, "projId": "NONE"}, "Unknown projId or campaignId"),
        ({"phoneList": NUMBER, "campaignId": "77"}, "Unknown projId or campaignId"),
        ({"phoneList": NUMBER, "campaignId": "-1"}, "Unknown projId or campaignId"),
        (
            {"phoneList": NUMBER, "campaignId": "77", "projId": "78"},
            "Invalid parameter: projId and campaignId name two campaigns",
        ),
        (
            {"phoneList": ",".join([NUMBER] * 50_001)},
            "Too many numbers: at most 50000 a call",
        ),
        (
            {"phoneList": [NUMBER, OTHER]},
            "Invalid parameter: phoneList is there twice",
        ),
    ],
)
def test_no_number_is_called_clean_by(fields, text, edition_api):
    assert essence(send(edition_api, "scrub", **fields)) == (400, TEXT, text)


def test_it_takes_the_grant_to_check(api):
    assert codes(api.with_grants(Grant.CHECK), NUMBER) == "C"
    others = api.with_grants(*(grant for grant in Grant if grant != Grant.CHECK))
    answer = send(others, "scrub", phoneList=NUMBER)
    assert essence(answer) == (403, TEXT, "The loginId may not do this")


def test_one_organisation_s_list_is_nobody_else_s(make_api):
    ours, theirs = make_api(), make_api()
    add(theirs, NUMBER)

    assert codes(ours, NUMBER) == "C"
    assert codes(theirs, NUMBER) == "P"


def test_numbers_are_of_the_organisation_s_own_country(
    service, administration, http_server
):
    named = make_organisation(f"German {http_server}")
    wanted = replace(named, default_phone_code="49")
    caller = operator(administration.organisations.add("test", wanted), "test")
    token = administration.access.issue(caller, "everything", EVERY_GRANT)
    german = Api(service.base, token, caller, administration)

    add(german, "030 12345678")

    lines = scrub(german, "+49 30 12345678,(0)30/1,03012345678,1,00493012345679")
    assert [(line[1], line[5]) for line in lines] == [
        ("P", "DE"),
        ("M", ""),
        ("P", "DE"),
        ("I", ""),
        ("C", "DE"),
    ]
    status = send(german, "pdnc", actionType="status", phoneList="03012345678")
    assert status.text.startswith("3012345678,")
