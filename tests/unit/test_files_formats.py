"""Formats are told by what a file holds; every limit is refused by name."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ColumnMissing, FormatUnknown, RowTooLong, TextNotUtf8
from app.files import blocks, formats
from app.files.blocks import read_blocks
from app.files.lists import NumberList
from app.files.tables import Column, Table

HEADER = "phone_number,phone_code,reason\n"


def recognise(data: bytes | str) -> Table | NumberList:
    encoded = data.encode() if isinstance(data, str) else data
    return formats.recognise(io.BytesIO(encoded).read)


def rows_of(data: bytes | str) -> list[tuple[int, list[str]]]:
    """Return the rows of a table, each with its line."""
    table = recognise(data)
    assert isinstance(table, Table)
    return [pair for rows in table for pair in zip(rows.lines, rows.rows, strict=True)]


def lines_of(data: bytes | str) -> list[str]:
    numbers = recognise(data)
    assert isinstance(numbers, NumberList)
    return b"".join(block.data for block in numbers).decode().split("\n")[:-1]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("5551234567\n5551234568\n", id="one number a line"),
        pytest.param("5551234567\r\n5551234568\r\n", id="with Windows' line ends"),
        pytest.param("5551234567\r5551234568", id="with an old Macintosh's"),
        pytest.param("\ufeff5551234567\n5551234568", id="with a byte order mark"),
        pytest.param("555,1234567\n555,1234568\n", id="as the registry has them"),
        pytest.param('"555","1234567"\n555,1234568\n', id="as it has them in quotes"),
    ],
)
def test_a_list_is_told_from_a_table(data):
    assert lines_of(data) == ["5551234567", "5551234568"]


def test_the_registry_says_that_its_numbers_are_nanp():
    assert recognise("555,1234567").calling_code == "1"
    assert recognise("5551234567").calling_code is None


def test_a_line_that_is_not_the_registry_s_is_left_as_it_is():
    assert lines_of("555,1234567\n555,12\n5551234567\n")[1:] == ["555,12", "5551234567"]


@pytest.mark.parametrize(
    ("header", "where"),
    [
        ("phone_number", 0),
        ("Name;Phone Number;City", 1),
        ("a\tMSISDN", 1),
        ("a|b|Mobile Phone", 2),
        ('"Name, first","PHONE"', 1),
        ("\ufeffphone_number,phone_code", 0),
        ("\n\nphone_number,phone_code", 0),
    ],
)
def test_a_table_is_known_by_its_header(header, where):
    table = recognise(header + "\n")

    assert isinstance(table, Table)
    assert table.columns()[Column.PHONE_NUMBER] == where


@pytest.mark.parametrize(
    ("data", "refusal", "words"),
    [
        ("", FormatUnknown, "empty"),
        ("\n\r\n \n", FormatUnknown, "empty"),
        ("name,city\nAda,London\n", ColumnMissing, "line 1 .*: name, city"),
        ("\nDo not call\n5551234567\n", ColumnMissing, "line 2 .*: Do not call"),
        ("5551234567,Ada\n", ColumnMissing, "a row rather than a header"),
        ("5551234567\n".encode("utf-16"), TextNotUtf8, "UTF-16"),
        ("5551234567\n".encode("utf-16-le") * 9, TextNotUtf8, "UTF-16"),
        ("5551234567\n".encode("utf-16-be") * 9, TextNotUtf8, "UTF-16"),
        (HEADER.encode() + b"1,1,\n\n2,1,caf\xe9\n", TextNotUtf8, "line 4 "),
        (HEADER + f"1,1,\n2,1,{'x' * 70_000}\n", RowTooLong, "line 3 "),
        ("5" * 400_000, RowTooLong, "line 1 "),
        (HEADER + '1,1,"x\n' + "2,1,y\n" * 50_000, RowTooLong, "line 2.*mark"),
        (HEADER + '1,1,"' + "x\n" * 40_000 + '"\n', RowTooLong, "line 2.*longer"),
        (HEADER + '1,1,\n2,1,"x\n3', RowTooLong, "line 3.*quotation mark"),
    ],
)
def test_a_file_is_refused_by_name(data, refusal, words):
    with pytest.raises(refusal, match=words):
        rows_of(data)


def test_every_row_knows_its_line():
    data = HEADER + '1\n\n2,1,"two\nlines"\n3,1,x,more\n'

    assert rows_of(data) == [
        (2, ["1", "", ""]),
        (4, ["2", "1", "two\nlines"]),
        (6, ["3", "1", "x", "more"]),
    ]


def test_a_quotation_mark_within_a_field_is_one():
    assert rows_of(HEADER + '1,1,6" tall\n2,1,\n') == [
        (2, ["1", "1", '6" tall']),
        (3, ["2", "1", ""]),
    ]


FIELDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=8
)


@given(rows=st.lists(st.tuples(FIELDS, FIELDS, FIELDS)), length=st.integers(1, 40))
def test_what_a_csv_writer_wrote_is_read_back(rows, length):
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerows(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_LENGTH", length)

        found = [tuple(row) for _, row in rows_of(HEADER + text.getvalue())]

    assert found == rows


@given(text=st.text("a\r\n", max_size=30), length=st.integers(1, 5))
def test_lines_end_alike_wherever_the_reading_stops(text, length):
    def parts() -> Iterator[bytes]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "BLOCK_LENGTH", length)
            for block in read_blocks(io.BytesIO(text.encode()).read):
                assert block.data.endswith(b"\n")
                yield block.data

    whole = text.replace("\r\n", "\n").replace("\r", "\n").encode()

    assert b"".join(parts()) == whole + (
        b"\n" if whole and whole[-1:] != b"\n" else b""
    )


def test_a_stray_quote_hides_no_rows():
    table = recognise('phone,notes\n5551234567,"tall\n5553333333,x\n5552222222,6" p\n')

    with pytest.raises(FormatUnknown, match="line 4"):
        list(table)


def test_a_header_of_very_many_columns_is_refused():
    with pytest.raises(FormatUnknown, match="columns"):
        recognise("phone" + "," * 500 + "\n5551234567\n")
