"""Text in blocks of whole lines, each ended by one line feed."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.errors import RowTooLong, TextNotUtf8
from app.files.compression import Read

BLOCK_LENGTH = 256 * 1024
ROW_LENGTH = 64 * 1024

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, of which the first is number *line* of the file."""

    line: int
    data: bytes

    def text(self) -> str:
        """Return the lines as text; raises TextNotUtf8 with the line's number."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            line = self.line + self.data.count(b"\n", 0, error.start)
            message = f"line {line} is not UTF-8 text: save the file as UTF-8"
            raise TextNotUtf8(message) from None


def read_blocks(read: Read) -> Iterator[Block]:
    """
    Yield the lines of a file, whichever way it ends them, without byte order mark.

    Raises RowTooLong, and TextNotUtf8 for UTF-16.
    """
    line, rest = 1, b""
    start = True
    while data := read(BLOCK_LENGTH):
        data = rest + data
        if start and len(data) >= len(_BOM):
            data = _without_mark(data)
            start = False
        # A line feed may follow the last carriage return.
        held = b"\r" if data.endswith(b"\r") else b""
        lines = _with_line_feeds(data.removesuffix(b"\r"))
        end = lines.rfind(b"\n") + 1
        block, rest = Block(line, lines[:end]), lines[end:]
        _require_short_rows(Block(line, lines))
        rest += held
        if end:
            yield block
            line += block.data.count(b"\n")
    rest = _with_line_feeds(_without_mark(rest) if start else rest)
    if rest:
        yield Block(line, rest if rest.endswith(b"\n") else rest + b"\n")


def _with_line_feeds(data: bytes) -> bytes:
    if b"\r" in data:
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def refuse_utf_16(data: bytes) -> None:
    """Raise TextNotUtf8 if a file that begins with *data* is UTF-16."""
    head = data[:64]
    zeros = max(head[0::2].count(0), head[1::2].count(0))
    if head.startswith(_UTF_16) or zeros * 4 > len(head):
        message = "the file is UTF-16 text: save it as UTF-8"
        raise TextNotUtf8(message)


def _without_mark(data: bytes) -> bytes:
    """Return *data* without its byte order mark; raises TextNotUtf8 for UTF-16."""
    refuse_utf_16(data)
    return data.removeprefix(_BOM)


def _require_short_rows(block: Block) -> None:
    """Raise RowTooLong for a line that is longer than any row of numbers can be."""
    data, start = block.data, 0
    while len(data) - start > ROW_LENGTH:
        end = data.rfind(b"\n", start, start + ROW_LENGTH + 1)
        if end < 0:
            line = block.line + data.count(b"\n", 0, start)
            message = f"line {line} is longer than {ROW_LENGTH // 1024} KiB"
            raise RowTooLong(message)
        start = end + 1
