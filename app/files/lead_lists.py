"""
Somebody's list of leads as CSV: every row kept as it came, its number read beside it.

A row is not parsed further than to its number, and what is written is the row's own
text with columns added. Rows that hold no quotes are cut at their delimiters; the
others are read by the csv module, which also finds where they end.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from app.domain import phone
from app.domain.errors import (
    CallingCodeInvalid,
    ColumnMissing,
    FileRefused,
    FormatUnknown,
    NumberInvalid,
    RowTooLong,
    TextNotUtf8,
)
from app.files import headers, spellings
from app.files.blocks import refuse_utf_16
from app.files.compression import is_packed

# No row of leads is longer; what is, would have to be held whole.
ROW_LENGTH = 64 * 1024

# Few enough rows to hold, and so many that their numbers lie close together in an index
# of a million. The first are fewer, so that an answer begins early.
FIRST_BLOCK_BYTES = 16 * 1024
BLOCK_BYTES = 640 * 1024

_DELIMITERS = ",;\t|"
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold the number; a name that is None is looked for."""

    phone_number: str | None = None
    phone_code: str | None = None
    default_phone_code: str = phone.NANP_CALLING_CODE


@dataclass(frozen=True, slots=True)
class Block:
    """Some thousand rows: their text, and their numbers' keys, None for no number."""

    rows: list[str] = field(default_factory=list)
    keys: list[int | None] = field(default_factory=list)


class LeadList:
    """
    A list of leads that is read once, from its beginning to its end.

    Raises, when it is made and while it is read, what the list is refused for:
    ColumnMissing, TextNotUtf8, RowTooLong, FormatUnknown; FileRefused of a compressed
    one.
    """

    def __init__(self, source: Iterable[bytes], columns: Columns) -> None:
        """
        Read the header of the list in *source*, blocks of bytes of any size.

        Raises also CallingCodeInvalid for the default code.
        """
        self._default_code = phone.read_calling_code(columns.default_phone_code)
        self._read_default = phone.bulk_reader(self._default_code)
        self._readers: dict[str, Callable[[str], int]] = {"": self._read_default}
        self._line = 0
        self._lines = self._read_lines(source)
        first = next(self._lines, None)
        if first is None:
            raise ColumnMissing("the file is empty")
        self.bom = _BOM if first[0].startswith(_BOM) else ""
        self.newline = "\r\n" if first[0].endswith("\r") else "\n"
        self._rest = first[1:]
        self.header = first[0].removeprefix(_BOM).removesuffix("\r")
        self._line = 1
        self.delimiter, cells = _split_header(self.header, columns)
        self._width = len(cells)
        self._number = _require_column(
            cells, columns.phone_number, headers.PHONE_NUMBER
        )
        self._code: int | None = None
        if columns.phone_code is not None:
            self._code = _require_column(cells, columns.phone_code, ())
        else:
            self._code = headers.find_column(cells, headers.PHONE_CODE)
        self._plain: re.Pattern[str] | None = None
        if self._code is None and columns.default_phone_code == phone.NANP_CALLING_CODE:
            self._plain = _plain_rows(self.delimiter, self._number, self._width)

    def read_blocks(self) -> Iterator[Block]:
        """Yield the rows after the header, without those that are blank."""
        lines: list[str] | None = self._rest
        while lines is not None:
            block = Block()
            text = "\n".join(lines)
            if '"' in text:
                self._read_quoted(lines, block)
            elif not self._read_plain(text, lines, block):
                self._read_unquoted(lines, block)
            yield block
            lines = next(self._lines, None)

    def _read_plain(self, text: str, lines: list[str], block: Block) -> bool:
        """Read rows whose numbers are all ten plain digits; false if one is not."""
        if self._plain is None:
            return False
        if lines and not lines[-1]:
            lines.pop()
        numbers = self._plain.findall(text)
        if len(numbers) != len(lines):
            return False
        if "\r" in text:
            lines = [line.removesuffix("\r") for line in lines]
        block.rows.extend(lines)
        block.keys.extend(phone.plain_nanp_keys(numbers))
        self._line += len(lines)
        return True

    def _read_unquoted(self, lines: list[str], block: Block) -> None:
        for line in lines:
            self._line += 1
            row = line.removesuffix("\r")
            if row:
                self._add(block, row, row.split(self.delimiter))

    def _read_quoted(self, lines: list[str], block: Block) -> None:
        source = _Lines(lines, self._lines)
        # Or a stray quote would hide the numbers of the rows that follow it.
        reader = csv.reader(source, delimiter=self.delimiter, strict=True)
        try:
            for cells in reader:
                row = source.take()
                self._line += 1
                if row:
                    self._add(block, row, cells)
                self._line += source.count - 1
        except csv.Error as error:
            cause = "a quote is never closed" if source.is_cut_off else str(error)
            raise FormatUnknown(f"line {self._line + 1}: {cause}") from error

    def _add(self, block: Block, row: str, cells: list[str]) -> None:
        """Add a row, with as many cells as the header has."""
        if len(cells) != self._width:
            row = self._mend(row, cells)
        block.rows.append(row)
        try:
            if self._code is None:
                key = self._read_default(cells[self._number])
            else:
                key = self._reader(cells[self._code])(cells[self._number])
        except (NumberInvalid, CallingCodeInvalid, IndexError):
            block.keys.append(self._read_carefully(cells))
        else:
            block.keys.append(key)

    def _read_carefully(self, cells: Sequence[str]) -> int | None:
        """Return the key of what a spreadsheet made of a number, None if it is none."""
        with suppress(NumberInvalid, CallingCodeInvalid, IndexError):
            spelling = spellings.without_habits(cells[self._number])
            code = "" if self._code is None else cells[self._code]
            if code:
                return self._reader(code)(spelling)
            return phone.read_for_certain(spelling, self._default_code).e164
        return None

    def _reader(self, code: str) -> Callable[[str], int]:
        reader = self._readers.get(code)
        if reader is None:
            reader = phone.bulk_reader(phone.read_calling_code(code))
            self._readers[code] = reader
        return reader

    def _mend(self, row: str, cells: Sequence[str]) -> str:
        """Return *row* as wide as the header, so that added columns are in line."""
        missing = self._width - len(cells)
        if missing > 0:
            return row + self.delimiter * missing
        if row.endswith(self.delimiter * -missing) and not any(cells[self._width :]):
            return row[:missing]
        raise FormatUnknown(f"line {self._line}: more cells than the header has")

    def _read_lines(self, source: Iterable[bytes]) -> Iterator[list[str]]:
        """Yield the lines that are whole, some thousand at a time."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        pending, number = "", 1
        for data, is_last in _in_blocks(source):
            if number == 1 and not pending:
                _require_text(data)
            try:
                text = pending + decoder.decode(data, final=is_last)
            except UnicodeDecodeError as error:
                number += error.object[: error.start].count(b"\n")
                raise TextNotUtf8(f"line {number}: bytes that are no UTF-8") from error
            lines = text.split("\n")
            pending = "" if is_last else lines.pop()
            lengths = [*map(len, lines), len(pending)]
            if max(lengths) > ROW_LENGTH:
                number += lengths.index(max(lengths))
                raise RowTooLong(f"line {number}: more than {ROW_LENGTH} characters")
            number += len(lines)
            if lines:
                yield lines


def _require_text(data: bytes) -> None:
    """Refuse by its name what begins with *data* and is no text of ours."""
    if is_packed(data):
        raise FileRefused("the list is compressed: it is read as it is, unpack it")
    refuse_utf_16(data)


def _plain_rows(delimiter: str, number: int, width: int) -> re.Pattern[str]:
    """Return what matches a row of *width* cells with ten plain digits as *number*."""
    cell, between = f"[^{re.escape(delimiter)}\\r\\n]*", re.escape(delimiter)
    before = f"(?:{cell}{between}){{{number}}}"
    after = f"(?:{between}{cell}){{{width - number - 1}}}"
    return re.compile(
        f"^{before}({phone.PLAIN_NANP.pattern}){after}\\r?$", re.MULTILINE
    )


class _Lines:
    """Hands lines to the csv module, and keeps what it took for one row."""

    def __init__(self, lines: list[str], following: Iterator[list[str]]) -> None:
        self._lines = iter(lines)
        self._following = following
        self._taken: list[str] = []
        self.count = 0
        self.is_cut_off = False
        self._length = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        """Return a line; those of the next block only where a row goes on in it."""
        line = next(self._lines, None)
        if line is None and self._taken:
            self._lines = iter(next(self._following, ()))
            line = next(self._lines, None)
        if line is None:
            self.is_cut_off = self.is_cut_off or bool(self._taken)
            raise StopIteration
        self._taken.append(line)
        self._length += len(line) + 1
        if self._length > ROW_LENGTH:
            raise RowTooLong(f"a row has more than {ROW_LENGTH} characters")
        return line + "\n"

    def take(self) -> str:
        """Return the text of the row that was just read."""
        row, self.count = "\n".join(self._taken).removesuffix("\r"), len(self._taken)
        self._taken.clear()
        self._length = 0
        return row


def _in_blocks(source: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """
    Yield the same bytes in blocks that are worth a question, and whether one is last.

    So a short list is one block, and whatever it is refused for is known at once.
    """
    parts: list[bytes] = []
    size, enough = 0, FIRST_BLOCK_BYTES
    for part in source:
        if size >= enough:
            yield b"".join(parts), False
            parts, size, enough = [], 0, min(2 * enough, BLOCK_BYTES)
        parts.append(part)
        size += len(part)
    yield b"".join(parts), True


def _split_header(header: str, columns: Columns) -> tuple[str, list[str]]:
    """Return the delimiter that makes *header* one with numbers, and its cells."""
    wanted = (columns.phone_number,) if columns.phone_number else headers.PHONE_NUMBER
    for delimiter in _DELIMITERS:
        cells: list[str] = []
        with suppress(csv.Error):
            cells = next(csv.reader([header], delimiter=delimiter, strict=True), [])
        if headers.find_column(cells, wanted) is not None:
            headers.require_few(cells)
            return delimiter, cells
    named = f"named {columns.phone_number!r}" if columns.phone_number else "of numbers"
    raise ColumnMissing(f"the first row has no column {named}")


def _require_column(
    cells: Sequence[str], named: str | None, known: Sequence[str]
) -> int:
    found = headers.find_column(cells, (named,) if named is not None else known)
    if found is None:
        raise ColumnMissing(f"the first row has no column named {named!r}")
    return found
