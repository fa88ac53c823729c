"""Which of the formats that dncd reads a file is: told by what it holds."""

import csv
import re
from collections.abc import Iterator
from itertools import chain

from app.domain.errors import ColumnMissing, FormatUnknown
from app.files import headers, lists
from app.files.blocks import Block, read_blocks
from app.files.compression import Read
from app.files.lists import NumberList
from app.files.tables import Table

DELIMITERS = ",;\t|"
SHOWN_COLUMNS = 20

_QUOTED = re.compile(r'"[^"]*"')
_DIGIT = re.compile(r"[0-9]")


def recognise(read: Read) -> Table | NumberList:
    """
    Return the file that *read* reads, as the format that its first line shows.

    Raises ColumnMissing if that is neither a number nor a header with a column of
    numbers, FormatUnknown if there is nothing; and as ``read_blocks`` does.
    """
    blocks = read_blocks(read)
    for block in blocks:
        lines = block.text().split("\n")
        for number, line in enumerate(lines, block.line):
            if line.strip(DELIMITERS + ' "'):
                return _recognise_from(line, number, block, blocks)
    message = "the file is empty"
    raise FormatUnknown(message)


def _recognise_from(
    line: str, number: int, block: Block, blocks: Iterator[Block]
) -> Table | NumberList:
    every_block = chain([block], blocks)
    delimiter = _delimiter(line)
    header = next(csv.reader([line], delimiter=delimiter or ","))
    if headers.find_column(header, headers.PHONE_NUMBER) is not None:
        headers.require_few(header)
        below = block.data.split(b"\n", number - block.line + 1)[-1]
        rest = [Block(number + 1, below)] if below else []
        return Table(header, delimiter or ",", chain(rest, blocks))
    if lists.is_registry_line(line.encode()):
        return lists.from_registry(every_block)
    if delimiter is None and _DIGIT.search(line):
        return NumberList(every_block)
    shown = ", ".join(name.strip()[:30] for name in header[:SHOWN_COLUMNS])
    if _DIGIT.search(line):
        shown = "which has digits and may be a row rather than a header"
    message = f"line {number} names no column of phone numbers: {shown}"
    raise ColumnMissing(message)


def _delimiter(line: str) -> str | None:
    """Return what separates the fields of *line*, or None if it is one field."""
    plain = _QUOTED.sub("", line).rstrip(DELIMITERS + " ")
    delimiter = max(DELIMITERS, key=plain.count)
    return delimiter if delimiter in plain else None
