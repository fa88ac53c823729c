"""CSV with a header: rows of named columns."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.errors import FileRefused, FormatUnknown, RowTooLong
from app.files import headers
from app.files.blocks import ROW_LENGTH, Block

# What the csv module says of a row that goes on, and of one that is too long.
_CUT_OFF = "unexpected end of data"
_TOO_LONG = "field larger than field limit"


class Column(StrEnum):
    """The columns of a list of entries, in the order in which dncd writes them."""

    PHONE_NUMBER = "phone_number"
    PHONE_CODE = "phone_code"
    CAMPAIGN_ID = "campaign_id"
    CAMPAIGN_UID = "campaign_uid"
    PURPOSE = "purpose"
    REASON = "reason"
    INSERTED_AT = "inserted_at"
    EVIDENCE = "evidence"


NAMES = {
    Column.PHONE_NUMBER: headers.PHONE_NUMBER,
    Column.PHONE_CODE: headers.PHONE_CODE,
    Column.CAMPAIGN_ID: headers.CAMPAIGN_ID,
    Column.CAMPAIGN_UID: headers.CAMPAIGN_UID,
    Column.PURPOSE: headers.PURPOSE,
    Column.REASON: headers.REASON,
    Column.INSERTED_AT: headers.INSERTED_AT,
    Column.EVIDENCE: headers.EVIDENCE,
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows, none shorter than the header, and the line on which each begins."""

    lines: Sequence[int]
    rows: Sequence[list[str]]


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows; *header* stands before them."""

    header: Sequence[str]
    delimiter: str
    blocks: Iterator[Block]

    def columns(self) -> Mapping[Column, int]:
        """Return where the columns stand that the file has."""
        found = {
            column: headers.find_column(self.header, names)
            for column, names in NAMES.items()
        }
        return {column: at for column, at in found.items() if at is not None}

    def __iter__(self) -> Iterator[Rows]:
        """Yield the rows; raises RowTooLong, TextNotUtf8, FileRefused."""
        line, text = 1, ""
        width = max(self.columns().values()) + 1
        for block in self.blocks:
            if not text:
                line = block.line
            text += block.text()
            rows, open_from = self._parse(text, line)
            yield _numbered(rows, line, text, width)
            if open_from is None:
                text = ""
                continue
            line += open_from
            text = "".join(io.StringIO(text, newline="\n").readlines()[open_from:])
            if len(text) > ROW_LENGTH:
                raise _never_closed(line)
        if text:
            raise _never_closed(line)

    def _parse(self, text: str, line: int) -> tuple[list[list[str]], int | None]:
        """Return the rows of *text*, and at which line one begins that is not whole."""
        lines = io.StringIO(text, newline="\n")
        # Or a stray quote would hide the numbers of the rows that follow it.
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        rows: list[list[str]] = []
        try:
            rows.extend(reader)
        except csv.Error as error:
            open_from = sum(map(_height, rows))
            if str(error) == _CUT_OFF:
                return rows, open_from
            if str(error).startswith(_TOO_LONG):
                raise _never_closed(line + open_from) from error
            message = f"line {line + reader.line_num - 1}: {error}"
            raise FormatUnknown(message) from error
        return rows, None


def _numbered(rows: list[list[str]], line: int, text: str, width: int) -> Rows:
    """
    Leave out blank lines, fill short rows up to *width*, say where each begins.

    Raises RowTooLong for one of several lines that no line was too long for.
    """
    if rows and min(map(len, rows)) >= width and '"' not in text:
        return Rows(range(line, line + len(rows)), rows)
    lines, whole = [], []
    for row in rows:
        if row:
            if sum(map(len, row)) > ROW_LENGTH:
                raise _never_closed(line)
            lines.append(line)
            whole.append(row + [""] * (width - len(row)))
        line += _height(row)
    return Rows(lines, whole)


def _height(row: list[str]) -> int:
    return 1 + sum(field.count("\n") for field in row)


def _never_closed(line: int) -> FileRefused:
    return RowTooLong(
        f"line {line}: the row is longer than {ROW_LENGTH // 1024} KiB, "
        "or a quotation mark is never closed"
    )
