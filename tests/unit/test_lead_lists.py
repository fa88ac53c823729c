"""Lists of leads: every row kept as it came, its number found. No database."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import (
    CallingCodeInvalid,
    ColumnMissing,
    FormatUnknown,
    RowTooLong,
    TextNotUtf8,
)
from app.files import lead_lists
from app.files.lead_lists import Columns, LeadList

KEY = 15551234567


def read(
    text: str | bytes, size: int = 7, **columns: str
) -> list[tuple[str, int | None]]:
    data = text.encode() if isinstance(text, str) else text
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    found = []
    for block in LeadList(parts, Columns(**columns)).read_blocks():
        found += zip(block.rows, block.keys, strict=True)
    return found


@pytest.mark.parametrize(
    "name",
    ["phone_number", "Phone Number", "PHONE", "phone-number", "Telephone", "msisdn"],
)
def test_the_column_of_numbers_is_found_by_its_usual_names(name):
    assert read(f"name,{name},x\nAda,5551234567,1\n") == [("Ada,5551234567,1", KEY)]


def test_a_column_can_be_named():
    rows = read("phone,Work\n1,5551234567\n", phone_number="work")

    assert rows == [("1,5551234567", KEY)]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('"=""5551234567"""', KEY),
        ("'5551234567", KEY),
        ("\N{NO-BREAK SPACE}555-123-4567", KEY),
        ("+442079460958", 442079460958),
        ("00442079460958", 442079460958),
        # Brazil and Egypt, or North America with a plus too many.
        ("+5551234567", None),
        ("+2015551234", None),
        ("5.55123e9", None),
    ],
)
def test_what_a_spreadsheet_made_of_a_number_is_read_as_in_an_import(text, key):
    rows = read(f"phone,name\n{text},Ada\n")

    assert rows == [(f"{text},Ada", key)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_columns(delimiter):
    text = (
        delimiter.join(["name", "phone"]) + "\n" + delimiter.join(["A", "5551234567"])
    )

    assert [key for _, key in read(text)] == [KEY]


def test_a_column_of_calling_codes_is_used_row_by_row():
    text = "phone,phone_code\n5551234567,1\n2079460958,44\n2079460958,\n5551234567,xx\n"

    keys = [key for _, key in read(text)]

    assert keys == [KEY, 442079460958, 12079460958, None]


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        pytest.param('"Lovelace, Ada",5551234567,1', None, id="a quoted delimiter"),
        pytest.param('"two\nlines",5551234567,1', None, id="a quoted line break"),
        pytest.param('"say ""hi""",5551234567,1', None, id="a doubled quote"),
        pytest.param('Ada,"(555) 123-4567",1', None, id="a quoted number"),
        pytest.param("Ada,+1 (555) 123-4567,1", None, id="a spelled number"),
        pytest.param("Ada,5551234567", "Ada,5551234567,", id="a cell that is missing"),
        pytest.param("Ada,5551234567,1,,", "Ada,5551234567,1", id="cells too many"),
    ],
)
def test_a_row_is_kept_as_it_came_and_as_wide_as_the_header(row, kept):
    text = f"name,phone,x\n{row}\nBen,5551234567,2\n"

    assert read(text) == [(kept or row, KEY), ("Ben,5551234567,2", KEY)]


def test_line_ends_and_a_byte_order_mark_are_kept():
    data = "\ufeffphone\r\n5551234567\r\n\r\n555\r\n".encode()
    leads = LeadList([data], Columns())

    assert (leads.bom, leads.header, leads.newline) == ("\ufeff", "phone", "\r\n")
    (block, *_) = leads.read_blocks()
    assert block.rows == ["5551234567", "555"]
    assert block.keys == [KEY, None]


@pytest.mark.parametrize(
    ("text", "refusal", "words"),
    [
        pytest.param("", ColumnMissing, "no column", id="nothing at all"),
        pytest.param("name,x\nAda,1\n", ColumnMissing, "no column", id="no numbers"),
        pytest.param(b"phone\n\xff\n", TextNotUtf8, "line 2", id="bytes"),
        pytest.param("phone\n".encode("utf-16"), TextNotUtf8, "UTF-16", id="UTF-16"),
        pytest.param("phone\n\n" + "x" * 70_000, RowTooLong, "line 3", id="a long row"),
        pytest.param(
            'phone\n"' + "x\n" * 40_000, RowTooLong, "row", id="an open quote"
        ),
        pytest.param('phone\n"55', FormatUnknown, "line 2", id="a quote never closed"),
        pytest.param("phone\n1,2\n", FormatUnknown, "line 2", id="too many cells"),
    ],
)
def test_what_cannot_be_read_to_its_end_is_refused_by_name(text, refusal, words):
    with pytest.raises(refusal, match=words):
        read(text, size=5000)


def test_a_column_that_was_named_must_be_there():
    with pytest.raises(ColumnMissing, match="'work'"):
        read("phone\n", phone_number="work")
    with pytest.raises(ColumnMissing, match="'code'"):
        read("phone\n", phone_code="code")
    with pytest.raises(CallingCodeInvalid):
        read("phone\n", default_phone_code="x")


CELL = st.text(
    st.characters(exclude_characters="\x00\r", exclude_categories=["Cs"]), max_size=12
)


@given(
    rows=st.lists(st.tuples(CELL, st.sampled_from(["5551234567", "555"]), CELL)),
    size=st.integers(1, 64),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_added_columns_stand_in_line_whatever_the_cells_hold(rows, size, quoting):
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator="\n")
    writer.writerow(["a", "phone", "b"])
    writer.writerows(rows)

    found = read(text.getvalue(), size)

    again = csv.reader(io.StringIO("".join(f"{row},{key}\n" for row, key in found)))
    expected = [[*row, str(KEY if row[1] == "5551234567" else None)] for row in rows]
    assert list(again) == expected


def test_what_is_held_at_a_time_is_bounded():
    def source():
        yield b"phone\n"
        for _ in range(300):
            yield b"5551234567\n" * 1000

    sizes = [len(block.rows) for block in LeadList(source(), Columns()).read_blocks()]

    assert sum(sizes) == 300_000
    assert max(sizes) * 11 <= 2 * lead_lists.BLOCK_BYTES


def test_a_stray_quote_hides_no_rows():
    text = 'phone,notes\n5551234567,"tall\n5553333333,x\n5552222222,6" pipe\n'

    with pytest.raises(FormatUnknown, match="line 2"):
        read(text)


def test_a_cell_too_many_is_refused_though_it_is_empty():
    with pytest.raises(FormatUnknown, match="line 2: more cells"):
        read('phone,name\n5551234567,Ada,""\n')


def test_a_header_of_very_many_columns_is_refused():
    with pytest.raises(FormatUnknown, match="columns"):
        read("phone" + "," * 500 + "\n5551234567\n")
