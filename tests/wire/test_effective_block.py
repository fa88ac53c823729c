"""
No dialect says success to an add while the number stays callable.

The five ways in which a real VICIdial does, and every spelling of a number, through
every door in both editions: after a success all doors say that exactly the numbers of
the row are listed; otherwise the answer was an error, and nothing was stored anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.domain.access import Edition
from tests.thinning import diagonal
from tests.wire import stored
from tests.wire.conftest import open_doors
from tests.wire.doors import COUNTERS, DOORS, Doors, find_answers
from tests.wire.service import Api

COMPARISON = Path(__file__).resolve().parents[2] / "docs" / "effective-block.md"

N = "7275551299"
SECOND = "7275551300"
# Never added: a look-up that calls everything listed proves nothing.
NEVER = "7275551301"

NONE: tuple[str, ...] = ()
BOTH = (N, SECOND)


@dataclass(frozen=True)
class Row:
    """
    What is added, and which numbers then block; NONE where the answer is an error.

    *differing* names the doors that do not do as *blocks* says.
    """

    name: str
    text: str
    blocks: tuple[str, ...]
    differing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    campaign: str | None = None

    def blocked_by(self, door: str) -> tuple[str, ...]:
        """Return the numbers that are blocked once *door* has answered."""
        return self.differing.get(door, self.blocks)


# The workspace knows no campaigns: whatever is named, the whole organisation is meant.
# VICIdial and DNCScrub take lists; the others take one number.
LISTS = {"vicidial": BOTH, "dncscrub": BOTH}
# DNCScrub's list may have lines.
LINES = {"dncscrub": BOTH}
# A file's cell is read as spreadsheets write them.
CELL = {"native": (N,)}

FIVE_WAYS = [
    Row("1 formatting and country code", "+1 (727) 555-1299", (N,)),
    Row("2 a comma list", f"{N},{SECOND}", NONE, LISTS),
    Row(
        "3 system_internal in lower case",
        N,
        NONE,
        {"vicidial": (N,), "workspace": (N,)},
        campaign="system_internal",
    ),
    Row("4 an unknown campaign", N, NONE, {"workspace": (N,)}, campaign="NOSUCH"),
    Row("5 a number longer than the column", f"{N}12345678901", NONE),
]

SPELLINGS = [
    Row("ten digits", N, (N,)),
    Row("a leading 1", f"1{N}", (N,)),
    Row("+1", f"+1{N}", (N,)),
    Row("+1 and a space", f"+1 {N}", (N,)),
    Row("+1 whose plus a URL made a space", f" 1{N}", (N,)),
    Row("dashes", "727-555-1299", (N,)),
    Row("1 and dashes", "1-727-555-1299", (N,)),
    Row("dots", "727.555.1299", (N,)),
    Row("+1 and dots", "+1.727.555.1299", (N,)),
    Row("spaces", "727 555 1299", (N,)),
    Row("1 and spaces", "1 727 555 1299", (N,)),
    Row("parentheses", "(727) 555-1299", (N,)),
    Row("parentheses alone", "(727)5551299", (N,)),
    Row("1 and parentheses", "1 (727) 555-1299", (N,)),
    Row("spaces around it", f"  {N}  ", (N,)),
    Row("00 and the country code", f"001{N}", (N,)),
    Row("011 and the country code", f"0111{N}", NONE),
    Row("a trunk 0", f"0{N}", NONE),
    Row("+1 twice", f"+1 1 {N}", NONE),
    Row("a spreadsheet's 5.5e9", "7.3e9", NONE),
    Row("scientific, all digits", "7.275551299e9", NONE),
    Row("scientific, in capitals", "7.275551299E+09", NONE),
    Row("a decimal of the number", "7275551299.0", NONE),
    Row("a decimal of nine places", "7.275551299", NONE),
    Row("nine digits", N[:-1], NONE),
    Row("seven digits", N[3:], NONE),
    Row("one digit", "7", NONE),
    Row("twelve digits", f"1{N}9", NONE),
    Row("eighteen digits, the column's length", f"{N}12345678", NONE),
    Row("two numbers without a separator", f"{N}{SECOND}", NONE),
    Row("two hundred digits", N * 20, NONE),
    Row("Arabic digits", "٧٢٧٥٥٥١٢٩٩", NONE),
    Row("one Arabic digit", f"{N[:-1]}٩", NONE),
    Row("fullwidth digits", "".join(chr(0xFF10 + int(digit)) for digit in N), NONE),
    Row("NUL within", f"{N[:5]}\0{N[5:]}", NONE),
    Row("NUL at the end", f"{N}\0", NONE),
    Row("NUL and more digits", f"{N}\0123", NONE),
    Row("a comma at the end", f"{N},", NONE, {"dncscrub": (N,)}),
    Row("a comma and nothing to call", f"{N},7", NONE),
    Row(
        "a comma list that repeats itself",
        f"{N},1{N}",
        NONE,
        {"vicidial": (N,), "dncscrub": (N,)},
    ),
    Row("a comma list in two spellings", f"(727) 555-1299, {SECOND}", NONE, LISTS),
    Row("a semicolon list", f"{N};{SECOND}", NONE),
    Row("a list with a bar", f"{N}|{SECOND}", NONE),
    Row("a list in lines", f"{N}\n{SECOND}", NONE, LINES),
    Row("a list with spaces", f"{N} {SECOND}", NONE),
    Row("a line's end behind it", f"{N}\n", NONE, {"dncscrub": (N,)}),
    Row("a tab before it", f"\t{N}", NONE, CELL),
    Row("an extension", f"{N}x12", NONE),
    Row("a letter O for a zero", "727555129O", NONE),
    Row("letters of a keypad", "727555CALL", NONE),
    Row("a whole area code", "727XXXXXXX", NONE),
    Row("a wildcard", "727555%", NONE),
    Row("tel:", f"tel:+1{N}", NONE),
    Row("a spreadsheet's apostrophe", f"'{N}", NONE, CELL),
    Row("a spreadsheet's formula", f'="{N}"', NONE, CELL),
    Row("a minus sign", f"-{N}", NONE),
    Row("non-breaking spaces", "727\u00a0555\u00a01299", NONE),
    Row("en dashes", "727\u2013555\u20131299", NONE),
    Row("a zero-width space", f"{N[:3]}\u200b{N[3:]}", NONE),
    Row("ten zeros", "0000000000", NONE),
    Row("nothing", "", NONE),
    Row("a space", " ", NONE),
    Row("no digit", "-", NONE),
]

through = pytest.mark.parametrize("door", DOORS, ids=lambda name: f"through {name}")


@pytest.mark.parametrize(
    ("row", "door", "edition"),
    [
        pytest.param(
            *(row, door, edition),
            marks=() if (n + m + o) % 2 else pytest.mark.soak,
            id=f"{row.name}-through {door}-{edition}",
        )
        for n, row in enumerate(FIVE_WAYS)
        for m, door in enumerate(DOORS)
        for o, edition in enumerate(Edition)
    ],
)
def test_none_of_vicidials_five_ways_leaves_a_number_callable(
    row: Row, edition: str, door: str, make_api, service_database
):
    api = make_api(edition=edition)
    doors = open_doors(api)

    said = doors[door].add(row.text, row.campaign)

    blocked = row.blocked_by(door)
    assert said.success is bool(blocked), said
    for number in (*blocked, NEVER) if blocked else (N,):
        answers = find_answers(doors, number)
        assert answers == dict.fromkeys(answers, number in blocked), said
    assert count(doors) == dict.fromkeys(COUNTERS, len(blocked)), said
    # On whatever list, and not only where a look-up looks.
    listed = stored.numbers(service_database, api.caller.organisation.id)
    assert listed == [f"1{number}" for number in blocked], said


@pytest.mark.parametrize(
    ("row", "door"),
    diagonal(SPELLINGS, DOORS),
    ids=lambda value: getattr(value, "name", f"through {value}"),
)
def test_a_spelling_is_blocked_everywhere_or_refused(row: Row, door: str, doors: Doors):
    said = doors[door].add(row.text)

    blocked = row.blocked_by(door)
    assert said.success is bool(blocked), said
    for number in blocked:
        answers = {name: doors[name].is_listed(number) for name in doors}
        assert answers == dict.fromkeys(DOORS, True), said
    # The workspace counts what is on any list, and not only where a look-up looks.
    assert count(doors) == dict.fromkeys(COUNTERS, len(blocked)), said


@through
def test_the_live_edition_blocks_and_refuses_the_same_spellings(door: str, make_api):
    doors = open_doors(make_api(edition="live"))
    everything = doors["workspace"]
    done, expected = {}, {}
    for row in SPELLINGS:
        blocked = row.blocked_by(door)
        success = doors[door].add(row.text).success
        listed = sum(everything.is_listed(number) for number in blocked)
        done[row.name] = success, listed, everything.count()
        expected[row.name] = bool(blocked), len(blocked), len(blocked)
        for number in blocked:
            doors["dncscrub"].delete(number)

    assert done == expected


@through
def test_the_comparison_quotes_what_is_answered(door: str, doors: Doors):
    text = COMPARISON.read_text().replace("\\|", "|")
    for row in FIVE_WAYS:
        said = doors[door].add(row.text, row.campaign)
        words = said.words.strip().replace(doors[door].keys.user, "6666")
        if door == "vicidial" or not said.success:
            assert f"`{words}`" in text, row.name
        for number in row.blocked_by(door):
            assert doors["convoso"].delete(number).success


def count(doors: Doors) -> dict[str, int]:
    """Return how many numbers each door that can count says there are."""
    return {name: doors[name].count() for name in COUNTERS}


# Who reads a calling code in the number, and so takes another country's.
INTERNATIONAL = [
    ("+49 30 12345678", "49", "3012345678", {"native", "vicidial", "workspace"}),
    ("0049 30 12345678", "49", "3012345678", {"native", "vicidial", "workspace"}),
    ("493012345678", "49", "3012345678", {"workspace"}),
    (f"{N}9", "7", "2755512999", {"workspace"}),
]


@through
@pytest.mark.parametrize(("text", "code", "national", "takers"), INTERNATIONAL)
def test_another_countrys_number_is_blocked_under_its_own_code_or_refused(  # noqa: PLR0917
    text, code, national, takers, door: str, api: Api, doors: Doors, service_database
):
    number = {"phone_number": national, "phone_code": code}

    said = doors[door].add(text)

    assert said.success is (door in takers), said
    assert api.call("dnc/check", **number)["data"]["callable"] is not said.success
    assert len(api.search(**number)) == said.success
    listed = stored.numbers(service_database, api.caller.organisation.id)
    assert listed == [f"{code}{national}"] * said.success
