"""One number a line: blocks of lines, for whoever can take many at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.files.blocks import Block

_REGISTRY_LINE = re.compile(rb'"?([0-9]{3})"?,"?([0-9]{7})"?')
_REGISTRY_WIDTH = len("201,5551234\n")
_DIGITS = b"0123456789"


@dataclass(frozen=True, slots=True)
class NumberList:
    """A file of numbers; *calling_code* is what it tells of all of them."""

    blocks: Iterator[Block]
    calling_code: str | None = None
    header: tuple[str, ...] = ("phone_number",)

    def __iter__(self) -> Iterator[Block]:
        """Yield its lines; raises RowTooLong, TextNotUtf8."""
        return self.blocks


def from_registry(blocks: Iterator[Block]) -> NumberList:
    """Return the numbers of ``area code,seven digits`` lines."""
    return NumberList(map(_joined, blocks), calling_code="1")


def is_registry_line(line: bytes) -> bool:
    """Whether *line* is an area code and seven digits, with a comma between them."""
    return _REGISTRY_LINE.fullmatch(line) is not None


def _joined(block: Block) -> Block:
    data = block.data
    count, rest = divmod(len(data), _REGISTRY_WIDTH)
    uniform = (
        not rest
        and data.translate(None, _DIGITS) == b",\n" * count
        and data[3::_REGISTRY_WIDTH] == b"," * count
    )
    if uniform:
        return replace(block, data=data.replace(b",", b""))
    lines = []
    for line in data.split(b"\n"):
        parts = _REGISTRY_LINE.fullmatch(line)
        lines.append(parts[1] + parts[2] if parts else line)
    return replace(block, data=b"\n".join(lines))
