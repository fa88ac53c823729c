"""What ``pdnc`` does not do, and what it says instead, row by row."""

import pytest

from tests.wire.dncscrub import NUMBER, OTHER, TEXT, add, essence, pdnc, send


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize(
    ("numbers", "quoted"),
    [
        (f"{NUMBER},BADNUMBER", "BADNUMBER"),
        (f"BADNUMBER,{NUMBER}", "BADNUMBER"),
        (f"{NUMBER},,{OTHER}", ""),
        (f",{NUMBER}", ""),
        (f"{NUMBER},555123456,12", "555123456"),
        (f"{NUMBER},5551234567|4711", "5551234567|4711"),
        (f"{NUMBER}, <b>\x1b[0m\x00", " <b> [0m "),
        (f"{NUMBER};{OTHER}", f"{NUMBER};{OTHER}"),
        (f"{NUMBER},+493012345678", "+493012345678"),
        (f"{NUMBER},{'ü' * 70}", "ü" * 64),
    ],
)
def test_of_a_list_with_what_is_no_number_nothing_is_done(action, numbers, quoted, api):
    if action == "remove":
        add(api, NUMBER)
    before = api.search()

    answer = pdnc(api, action, numbers)

    assert essence(answer) == (
        400,
        TEXT,
        f"Error importing or updating phone numbers: {quoted} is not a valid number",
    )
    assert api.search() == before


ACTIONS = "Invalid parameter: actionType is none of add, remove, count, status"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"phoneList": NUMBER}, ACTIONS),
        ({"phoneList": NUMBER, "actionType": ""}, ACTIONS),
        ({"phoneList": NUMBER, "actionType": "insert"}, ACTIONS),
        ({"actionType": "add"}, "Invalid parameter: phoneList is missing"),
        ({"actionType": "remove"}, "Invalid parameter: phoneList is missing"),
        ({"actionType": "status"}, "Invalid parameter: phoneList is missing"),
        (
            {"actionType": "add", "phoneList": " ,"},
            "Invalid parameter: phoneList is missing",
        ),
        ({"actionType": "add", "phoneList": NUMBER, "projId": "X1"}, "Unknown projId"),
        ({"actionType": "add", "phoneList": NUMBER, "projId": "-1"}, "Unknown projId"),
        ({"actionType": "add", "phoneList": NUMBER, "projId": "*"}, "Unknown projId"),
        (
            {"actionType": "add", "phoneList": NUMBER, "projId": "system_internal"},
            "Unknown projId",
        ),
        (
            {
                "actionType": "add",
                "phoneList": "x",
                "ignoreInvalid": "1",
                "projId": "X1",
            },
            "Unknown projId",
        ),
        (
            {"actionType": "remove", "phoneList": NUMBER, "projId": "4711"},
            "Unknown projId",
        ),
        ({"actionType": "count", "projId": "4711"}, "Unknown projId"),
        (
            {"actionType": "status", "phoneList": NUMBER, "projId": "4711"},
            "Unknown projId",
        ),
        (
            {"actionType": "add", "phoneList": NUMBER, "ignoreInvalid": "maybe"},
            "Invalid parameter: ignoreInvalid is neither 0 nor 1",
        ),
        (
            {"actionType": "add", "phoneList": ",".join([NUMBER] * 50_001)},
            "Too many numbers: at most 50000 a call",
        ),
        (
            {"actionType": "add", "phoneList": [NUMBER, OTHER]},
            "Invalid parameter: phoneList is there twice",
        ),
    ],
)
def test_nothing_is_stored_by(fields, text, edition_api):
    answer = send(edition_api, "pdnc", **fields)

    assert essence(answer) == (400, TEXT, text)
    assert edition_api.search() == []
