"""What spreadsheets make of numbers, and what lists of plain ones look like."""

NATIONAL_LENGTH = 10

_DIGITS = b"0123456789"


def plain_nanp(data: bytes) -> bytes | None:
    """
    Return ten-digit lines as they are staged, if *data* holds nothing else.

    Looks at a hundred thousand lines in a millisecond: all are of one length, their
    ends are where they must be, and all else is a digit. ``00`` begins a calling code.
    """
    prefix = b"1" if data.startswith(b"1") else b""
    width = len(prefix) + NATIONAL_LENGTH + 1
    count, rest = divmod(len(data), width)
    ends = b"\n" * count
    if rest or data[width - 1 :: width] != ends:
        return None
    if data.translate(None, _DIGITS) != ends:
        return None
    if data.startswith(prefix + b"00") or b"\n" + prefix + b"00" in data:
        return None
    if not prefix:
        return b"1" + data[:-1].replace(b"\n", b"\t1\n1") + b"\t1\n"
    return data.replace(b"\n", b"\t1\n") if data[::width] == prefix * count else None


def without_habits(text: str) -> str:
    """Return a number without what a spreadsheet puts around it to keep it text."""
    bare = text.strip(" \t\N{NO-BREAK SPACE}")
    return bare.removeprefix("=").strip('"').removeprefix("'").strip(" ")
