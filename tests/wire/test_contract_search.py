"""``dnc/search`` as the contract has it: refusals, filters, and what an entry says."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tests.wire.answers import page, worded
from tests.wire.service import Api

NUMBER = "5551234567"

BAD_NUMBER = ((6006, "Invalid phone format"), (6008, "The phone number is invalid"))
BAD_CODE = (
    (6006, "Invalid phone format"),
    (6026, "Missing or invalid Country Code"),
)
BAD_CAMPAIGN = ((6026, "Invalid campaign ID"), (6006, "Invalid Campaign ID"))
BAD_ID = ((6008, "Invalid parameter"), (6056, "Missing or invalid value for ID"))
BAD_OFFSET = ((6008, "Invalid parameter"), (7231, "Invalid offset value"))
BAD_LIMIT = ((6008, "Invalid parameter"), (7258, "Invalid limit value"))
BAD_DATE = ((6008, "Invalid parameter"), (6008, "Invalid parameter"))
BAD_REASON = ((6057, "Invalid reason filter"), (6058, "Invalid Reason Provided"))
BAD_PURPOSE = ((6058, "Invalid purpose filter"), (6057, "Invalid Purpose Provided"))

REFUSED = [
    *(("phone_number", value, BAD_NUMBER) for value in ("12", "9" * 20, "none")),
    *(("phone_number", value, BAD_NUMBER) for value in ("٥٥٥١٢٣٤٥٦٧", "555%", "*")),
    *(("phone_code", value, BAD_CODE) for value in ("999", "0", "US", "٣")),
    *(("campaign_id", value, BAD_CAMPAIGN) for value in ("4711", "AUTUMN", "-2", "%")),
    *(("id", value, BAD_ID) for value in ("one", "-1", "1.0", "9" * 19, "٣")),
    *(("offset", value, BAD_OFFSET) for value in ("100001", "-1", "x", "1.0", "٣")),
    *(("offset", value, BAD_OFFSET) for value in ("9" * 40, "1e3", "0x1")),
    *(("limit", value, BAD_LIMIT) for value in ("0", "1001", "-1", "x", "1.0", "٣")),
    *(("limit", value, BAD_LIMIT) for value in ("9" * 40, "1e2", "²")),
    *(("insert_date", value, BAD_DATE) for value in ("today", "2026-02-30", "2026")),
    *(("insert_date", value, BAD_DATE) for value in ("2026-13-01", "20260331")),
    *(("insert_date", value, BAD_DATE) for value in ("2026-03-31 24:00:00", "31/3/26")),
    *(("insert_date", value, BAD_DATE) for value in ("2026-03-31 10:30", "٢٠٢٦-٠٣-٣١")),
    *(
        ("insert_date", value, BAD_DATE)
        for value in ("0000-01-01", "2026-03-31T10:30:00")
    ),
    *(("reason", value, BAD_REASON) for value in ("x" * 256, "a\nb")),
    *(("purpose", value, BAD_PURPOSE) for value in ("x" * 65, "a\nb")),
]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    REFUSED,
    ids=[f"{row[0]} {row[1]!r:.24}" for row in REFUSED],
)
def test_nothing_is_answered_for(name, value, words, edition_api):
    edition_api.insert(NUMBER)

    body = edition_api.call("dnc/search", **{name: value})

    assert body == worded(edition_api, *words)


@pytest.mark.parametrize(("name", "value"), [("offset", "0"), ("offset", "100000")])
@pytest.mark.parametrize("limit", ["1", "1000"])
def test_offset_and_limit_may_be_at_their_bounds(name, value, limit, edition_api):
    edition_api.insert(NUMBER)

    body = edition_api.call("dnc/search", **{name: value, "limit": limit})

    found = edition_api.search() if value == "0" else []
    assert body == page(found, offset=int(value), limit=int(limit), total=1)
    assert {type(body["data"][bound]) for bound in ("offset", "limit", "total")} == {
        int
    }


@dataclass(frozen=True)
class Known:
    """An organisation's whole list, in the order of its ids."""

    api: Api
    ids: list[str]

    def fields(self, names: tuple[str, ...]) -> dict[str, str]:
        found = {
            name: value for each in names for name, value in FILTERS[each][0].items()
        }
        if "id" in found:
            found["id"] = self.ids[int(found["id"])]
        return found

    def meant(self, names: tuple[str, ...]) -> list[str]:
        every = [FILTERS[name][1] for name in names]
        return [self.ids[n] for n in sorted(set.intersection(*every))]


ENTRIES = [
    {"phone_number": "5551000001", "campaign_id": "0", "reason": "DNC"},
    {"phone_number": "5551000002", "campaign_id": "0", "purpose": "a note"},
    {"phone_number": "5551000003", "campaign_id": "SPRING", "reason": "ConsentRevoked"},
    {"phone_number": "5551000004", "campaign_id": "SPRING", "purpose": "TELEMKT"},
    {
        "phone_number": "5551000001",
        "campaign_id": "-1",
        "purpose": "TELEMKT",
        "reason": "DNC",
    },
    {"phone_number": "5551000001", "campaign_id": "-1", "purpose": "VERIFY"},
    {"phone_number": "5551000001", "campaign_id": "SPRING", "reason": "dnc"},
    {"phone_number": "3012345678", "phone_code": "49", "campaign_id": "0"},
    {
        "phone_number": "5551000001",
        "phone_code": "52",
        "campaign_id": "0",
        "reason": "DNC",
    },
]
EVERY = set(range(len(ENTRIES)))

# What is asked, and which of the entries above must be found. Ids are filled in.
FILTERS: dict[str, tuple[dict[str, str], set[int]]] = {
    "an id": ({"id": "4"}, {4}),
    "another id": ({"id": "7"}, {7}),
    "a number in any code": ({"phone_number": "5551000001"}, {0, 4, 5, 6, 8}),
    "a number of code 1": (
        {"phone_number": "+1 (555) 100-0001", "phone_code": "1"},
        {0, 4, 5, 6},
    ),
    "a number of code 52": ({"phone_number": "5551000001", "phone_code": "52"}, {8}),
    "a number with its plus": ({"phone_number": "+525551000001"}, {8}),
    "a German number": ({"phone_number": "3012345678"}, {7}),
    "an unlisted number": ({"phone_number": "5559999999"}, set()),
    "code 1": ({"phone_code": "1"}, EVERY - {7, 8}),
    "code 49": ({"phone_code": "+49"}, {7}),
    "the whole list": ({"campaign_id": "0"}, {0, 1, 7, 8}),
    "the purpose lists": ({"campaign_id": "-1"}, {4, 5}),
    "a campaign by code": ({"campaign_id": "SPRING"}, {2, 3, 6}),
    "a campaign by id": ({"campaign_id": "101"}, {2, 3, 6}),
    "an empty campaign": ({"campaign_id": "AUTUMN"}, set()),
    "reason DNC": ({"reason": "DNC"}, {0, 4, 8}),
    "reason dnc": ({"reason": "dnc"}, {6}),
    "reason D": ({"reason": "D"}, set()),
    "reason %": ({"reason": "%"}, set()),
    "no reason": ({"reason": "-BLANK-"}, {1, 3, 5, 7}),
    "any reason": ({"reason": "-NOTBLANK-"}, {0, 2, 4, 6, 8}),
    "purpose TELEMKT": ({"purpose": "TELEMKT"}, {3, 4}),
    "purpose a note": ({"purpose": "a note"}, {1}),
    "no purpose": ({"purpose": "-BLANK-"}, {0, 2, 6, 7, 8}),
    "any purpose": ({"purpose": "-NOTBLANK-"}, {1, 3, 4, 5}),
    "today": ({"insert_date": "TODAY"}, EVERY),
    "another day": ({"insert_date": "2020-02-29"}, set()),
}


@pytest.fixture
def known(api: Api) -> Known:
    assert api.add_campaign("SPRING") == 101
    api.add_campaign("AUTUMN")
    return Known(api, [str(api.insert(**entry)) for entry in ENTRIES])


def require_exactly(known: Known, names: tuple[str, ...]) -> None:
    fields = known.fields(names)
    if fields.get("insert_date") == "TODAY":
        fields["insert_date"] = datetime.now(UTC).strftime("%Y-%m-%d")
    body = known.api.call("dnc/search", **fields)
    found = [entry["id"] for entry in body["data"]["entries"]]
    assert (found, body["data"]["total"]) == (
        known.meant(names),
        len(known.meant(names)),
    ), names


@pytest.mark.parametrize("name", FILTERS)
def test_exactly_the_matches_are_found_and_counted_for(name, known):
    require_exactly(known, (name,))


@pytest.mark.parametrize("name", FILTERS)
def test_entries_must_meet_every_other_filter_besides(name, known):
    """The filter with each that comes after it, and in threes with the reason's."""
    names = list(FILTERS)
    for more in itertools.chain(
        # Those before it are asked with it by themselves.
        itertools.combinations(names[names.index(name) :], 1),
        itertools.product(["any reason", "no reason"], ["no purpose", "any purpose"]),
    ):
        asked = [*FILTERS[name][0], *(key for each in more for key in FILTERS[each][0])]
        codes_differ = (
            "a number with its plus" in (name, *more) and "phone_code" in asked
        )
        if len(asked) == len(set(asked)) and not codes_differ:
            require_exactly(known, (name, *more))


def test_every_filter_at_once_finds_the_one_that_meets_them_all(known):
    names = ("an id", "a number of code 1", "the purpose lists", "reason DNC")

    require_exactly(known, (*names, "purpose TELEMKT", "today"))


def test_empty_parameters_count_as_absent(known):
    names = ("id", "campaign_id", "phone_number", "phone_code", "insert_date")

    body = known.api.call(
        "dnc/search",
        **dict.fromkeys((*names, "offset", "limit", "reason", "purpose"), ""),
    )

    assert body == known.api.call("dnc/search")
    assert [entry["id"] for entry in body["data"]["entries"]] == known.ids


LISTS = [
    ({"campaign_id": "0"}, ("0", "0", "Global DNC", "")),
    ({"campaign_id": "-1", "purpose": "VERIFY"}, ("-1", "-1", "Purpose DNC", "")),
    (
        {"campaign_id": "SPRING", "reason": "DNC", "purpose": "a note"},
        ("101", "SPRING", "Campaign SPRING", "outbound"),
    ),
]


@pytest.mark.parametrize(("fields", "campaign"), LISTS, ids=["0", "-1", "a campaign"])
def test_an_entry_is_ten_strings_in_the_contract_s_order(fields, campaign, edition_api):
    edition_api.add_campaign("SPRING")
    entry = edition_api.insert("+1 (555) 123-4567", **fields)

    body = edition_api.call("dnc/search")

    expected = {
        "id": str(entry),
        "phone_number": NUMBER,
        "phone_code": "1",
        "campaign_id": campaign[0],
        "campaign_uid": campaign[1],
        "campaign_name": campaign[2],
        "campaign_type": campaign[3],
        "purpose": fields.get("purpose", ""),
        "reason": fields.get("reason", ""),
        "insert_date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    assert body == page([expected])
    assert list(body["data"]["entries"][0]) == list(expected)
    assert list(body) == ["success", "data"]
    assert list(body["data"]) == ["offset", "limit", "total", "entries"]


@pytest.mark.parametrize(
    ("listed", "code"),
    [
        pytest.param("030 12345678", "49", id="with a trunk prefix"),
        pytest.param("493012345678", "49", id="with its code and no plus"),
        pytest.param(" 493012345678", "49", id="with a plus that became a space"),
        pytest.param("0049 30 12345678", "49", id="with an international prefix"),
        pytest.param("+49 (30) 12345678", "49", id="with a plus"),
        pytest.param("020 7946 0018", "44", id="with another country's trunk prefix"),
        pytest.param("06 1234 5678", "39", id="with a zero that belongs to it"),
        pytest.param("1-555-123-4567", "1", id="with a repeated 1"),
    ],
)
def test_what_was_listed_is_found_without_its_code_when_written(listed, code, api):
    """Not found would be taken for "may be called"."""
    entry = api.insert(listed, phone_code=code)

    found = api.search(phone_number=listed)

    assert [each["id"] for each in found] == [str(entry)]


@pytest.mark.parametrize(
    "fields",
    [
        {"phone_number": NUMBER},
        {"phone_number": NUMBER, "phone_code": "1"},
        {"phone_number": f"1{NUMBER}", "phone_code": "1"},
        {"phone_number": NUMBER, "campaign_id": "0"},
        {"phone_number": NUMBER, "campaign_id": "4711"},
        {"phone_number": NUMBER, "limit": "0"},
        {"phone_number": f"{NUMBER},5550000000"},
        {"phone_number": f"{NUMBER}00000000"},
        {"phone_number": NUMBER, "reason": NUMBER},
    ],
    ids=str,
)
def test_a_number_that_is_not_listed_is_nowhere_in_the_answer(fields, edition_api):
    edition_api.insert("5557654321", reason="DNC")
    edition_api.insert("5551234568")

    answer = edition_api.send("dnc/search", **fields)

    assert answer.status_code == 200
    assert NUMBER not in answer.text
