"""A ledger finds each way to break a promise, and nothing where all are kept."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults import figures
from tests.faults.ledger import Asker, Ledger, Said


@dataclass(frozen=True)
class Liar(Asker):
    """A list in memory that answers as the service does, but for one *lie*."""

    lie: str
    listed: set[str] = field(default_factory=set)
    answers: dict[str, Said] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def say(self, operation: str, number: str, key: str = "") -> tuple[Said, Any]:
        time.sleep(0.001)
        self.asked[operation] += 1
        nth = self.asked[operation]
        if operation == "check":
            listed = number in self.listed and not (self.lie == "open" and nth % 5 == 0)
            return (Said.LISTED if listed else Said.CLEAR), None
        if nth % 7 == 1:
            # Lost on the way there.
            return Said.UNKNOWN, None
        if nth % 7 == 2 and self.lie == "undeclared":
            return Said.UNDECLARED, None
        if key in self.answers:
            return self.answers[key], None
        said = self._change(operation, number)
        if key and self.lie != "forget keys":
            self.answers[key] = said
        if nth % 7 == 3:
            # Lost on the way back.
            return Said.UNKNOWN, None
        if nth % 7 == 4 and self.lie == operation:
            self.listed.symmetric_difference_update({number})
        return said, None

    def much_asked(self) -> None:
        """Wait until each thing that can go wrong has, and not to one line alone."""
        until = time.monotonic() + 20
        while self.asked["delete"] < 30 or self.asked["check"] < 5:
            assert time.monotonic() < until
            time.sleep(0.01)

    def _change(self, operation: str, number: str) -> Said:
        there = number in self.listed
        if operation == "insert":
            self.listed.add(number)
            return Said.ALREADY if there else Said.DONE
        self.listed.discard(number)
        return Said.DONE if there else Said.GONE


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        ("", set()),
        ("insert", {"lost"}),
        ("delete", {"resurrected"}),
        ("open", {"wrong clear"}),
        ("undeclared", {"undeclared"}),
        ("forget keys", {"other"}),
    ],
)
def test_a_ledger_finds_each_way_to_break_a_promise(lie, found):
    liar = Liar(lambda: "", "", lie)
    ledger = Ledger(liar, "20000", seed=7)

    ledger.fill(liar.much_asked, before=(0, 0), after=0)
    ledger.settle(lambda: [f"1{number}" for number in liar.listed])

    told = figures.count([ledger])
    wrong = {column for column in figures.COLUMNS[-5:] if told[column]}
    assert found <= wrong
    assert bool(found) is bool(wrong), ledger.wrong
