"""Rows that were not taken: where, why, and how to get them back corrected."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO


class Cause(StrEnum):
    """Why a row was not taken, in words."""

    NUMBER_MISSING = "no phone number"
    AREA_CODE = "an area code as a whole (XXXXXXX), not a phone number"
    SCIENTIFIC = "a spreadsheet's scientific notation: digits are lost"
    DECIMAL = "a spreadsheet's decimal number, not a phone number"
    NUL = "a NUL byte"
    NUMBER_IMPOSSIBLE = "not a possible phone number of its calling code"
    CALLING_CODE = "unknown calling code"
    CAMPAIGN = "unknown campaign"
    PURPOSE_UNKNOWN = "unknown purpose"
    PURPOSE_MISSING = "no purpose, which campaign -1 needs"
    PURPOSE_TEXT = "purpose is not printable text of at most 64 characters"
    REASON_LONG = "reason is longer than 255 characters"
    REASON_TEXT = "reason is not printable text"
    DATE = "inserted_at is not a date and time"
    FUTURE = "inserted_at is in the future"


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken, as its file has it."""

    line: int
    cause: Cause
    row: Sequence[str]


class RejectsFile:
    """
    A CSV file of rejects: line, cause, and the row under its own columns.

    Corrected, it can be imported as it is.
    """

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\n")

    def begin(self, header: Sequence[str]) -> None:
        """Write the header, given that of the file which is read."""
        self._writer.writerow(("line", "cause", *header))

    def write(self, reject: Reject) -> None:
        """Append one reject."""
        self._writer.writerow((reject.line, reject.cause, *reject.row))
