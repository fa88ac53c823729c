"""``GET /api/dnc/list``: its pages, and what is searched for."""

import pytest

from tests.wire.workspace import (
    FETCHED,
    add,
    call,
    records,
    refusal,
    success,
)

NUMBER = "12125551234"
REQUEST = "550e8400-e29b-41d4-a716-446655440000"

BAD_PAGE = "page must be a whole number from 1, and (page - 1) * limit at most 100000"
BAD_LIMIT = "limit must be a whole number from 1 to 1000"
BAD_SEARCH = "search must be printable text of at most 255 characters"


def test_the_list_has_the_records_of_every_list_oldest_first(api):
    api.add_campaign("SPRING")
    add(api, "+442071234567", type="complaint")
    api.insert("2125551234", "SPRING", reason="DNC")
    api.insert("2125551234", -1, purpose="TELEMKT")
    add(api, NUMBER)

    found = records(api)

    assert [(each["phoneNumber"], each["type"]) for each in found] == [
        ("442071234567", "complaint"),
        (NUMBER, "DNC"),
        (NUMBER, ""),
        (NUMBER, ""),
    ]
    ids = [each["_id"] for each in found]
    assert ids == sorted(ids)


def test_pages_are_stable_and_their_total_exact(api):
    numbers = [f"1212555{n:04}" for n in range(25)]
    for number in numbers:
        add(api, number)

    pages = [call(api, "GET", "list", params={"page": n}).json() for n in (1, 2, 3, 4)]
    all_at_once = call(api, "GET", "list", params={"limit": 1000}).json()

    shown = [
        [each["phoneNumber"] for each in page["data"]["dncList"]] for page in pages
    ]
    assert shown == [numbers[:10], numbers[10:20], numbers[20:], []]
    assert [page["data"]["pagination"] for page in pages] == [
        {"total": 25, "page": n, "limit": 10, "totalPages": 3} for n in (1, 2, 3, 4)
    ]
    assert all_at_once["data"]["pagination"] == {
        "total": 25,
        "page": 1,
        "limit": 1000,
        "totalPages": 1,
    }


def test_an_empty_list_has_no_pages(api):
    assert call(api, "GET", "list").json() == success(
        FETCHED,
        data={
            "dncList": [],
            "pagination": {"total": 0, "page": 1, "limit": 10, "totalPages": 0},
        },
    )


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"page": "0"}, BAD_PAGE),
        ({"page": "-1"}, BAD_PAGE),
        ({"page": "1.5"}, BAD_PAGE),
        ({"page": "x"}, BAD_PAGE),
        ({"page": "٣"}, BAD_PAGE),
        ({"page": "9" * 30}, BAD_PAGE),
        ({"page": "10002"}, BAD_PAGE),
        ({"page": "102", "limit": "1000"}, BAD_PAGE),
        ({"limit": "0"}, BAD_LIMIT),
        ({"limit": "1001"}, BAD_LIMIT),
        ({"limit": "-10"}, BAD_LIMIT),
        ({"limit": "ten"}, BAD_LIMIT),
        ({"search": "x" * 256}, BAD_SEARCH),
        ({"search": "a\nb"}, BAD_SEARCH),
        ({"search": "a\x00b"}, BAD_SEARCH),
    ],
)
def test_no_page_is_shown_for(query, text, edition_api):
    answer = call(edition_api, "GET", "list", params=query)

    assert (answer.status_code, answer.json()) == (400, refusal(400, text))


@pytest.mark.parametrize(
    "query",
    [{"page": "10001"}, {"page": "101", "limit": "1000"}, {"page": "", "limit": ""}],
)
def test_the_furthest_page_is_answered(query, api):
    assert call(api, "GET", "list", params=query).status_code == 200


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("212555", [1, 2]),
        ("+1 (212) 555", [1, 2]),
        ("1-212", [1, 2]),
        (NUMBER, [1]),
        ("+1 (212) 555-1234", [1]),
        ("12125551239", []),
        ("4420", [3]),
        ("customer", [1, 3]),
        ("CUSTOMER_REQUEST", [1]),
        ("customer%request", []),
        ("customer.request", []),
        ("100%", [3]),
        ("a_b", [2]),
        ("aXb", []),
        ("550E8400", [1]),
        ("abc-1", [2]),
        ("überdruss", [2]),
        ("ÜBERDRUSS", [2]),
        ("(x) [y] *z+ \\w $1 ^", [3]),
        ("batch", []),
        ("   ", [1, 2, 3]),
        ("", [1, 2, 3]),
        ("'; DROP TABLE dnc_entry; --", []),
    ],
)
def test_a_search_is_for_a_part_in_any_case(search, found, api):
    add(api, NUMBER, type="Customer_request", requestUUID=REQUEST, batchId="batch 1")
    add(api, "12125551235", type="Überdruss a_b", requestUUID="ABC-1")
    add(
        api,
        "+442071234567",
        type="customer 100% (x) [y] *z+ \\w $1 ^",
        batchId="batch 2",
    )

    answer = call(api, "GET", "list", params={"search": search}).json()

    numbers = [NUMBER, "12125551235", "442071234567"]
    shown = [
        numbers.index(each["phoneNumber"]) + 1 for each in answer["data"]["dncList"]
    ]
    assert shown == found
    assert answer["data"]["pagination"]["total"] == len(found)


def test_a_search_has_pages_too(api):
    for n in range(7):
        add(api, f"1212555{n:04}", type="odd" if n % 2 else "even")

    page = call(
        api, "GET", "list", params={"search": "EVEN", "limit": 3, "page": 2}
    ).json()

    assert [each["phoneNumber"] for each in page["data"]["dncList"]] == ["12125550006"]
    assert page["data"]["pagination"] == {
        "total": 4,
        "page": 2,
        "limit": 3,
        "totalPages": 2,
    }
