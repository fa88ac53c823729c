"""Rows that were not taken: where, why, and how to get them back corrected."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from app.domain.causes import Cause


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
        self._flush = file.flush

    def begin(self, header: Sequence[str]) -> None:
        """Write the header, given that of the file which is read."""
        self._writer.writerow(("line", "cause", *header))

    def write(self, reject: Reject) -> None:
        """Append one reject."""
        self._writer.writerow((reject.line, reject.cause, *reject.row))

    def finish(self) -> None:
        """Leave nothing unwritten; raises OSError where there is no room for it."""
        self._flush()
