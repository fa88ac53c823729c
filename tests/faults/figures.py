"""What the faults of a run did, in figures that the run tells at its end."""

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.faults.ledger import Ledger

TOLD = pytest.StashKey[list[str]]()

COLUMNS = (
    *("rounds", "struck", "asked", "acknowledged", "unknown", "done unanswered"),
    "checked",
    *("lost", "resurrected", "wrong clear", "undeclared", "other"),
)

# Each kind of wrong that has a column of its own, and that column.
KINDS = {
    "lost": "lost",
    "resurrected": "resurrected",
    "false clear": "wrong clear",
    "undeclared": "undeclared",
}


def count(ledgers: Sequence[Ledger]) -> dict[str, int]:
    """Return a figure for each of COLUMNS; *struck* are rounds that clients noticed."""
    counts = Counter[str]()
    found = Counter(
        KINDS.get(kind, "other") for ledger in ledgers for kind, _ in ledger.wrong
    )
    for ledger in ledgers:
        counts += ledger.counts
    probes = sum(n for said, n in counts.items() if said.startswith("probe "))
    figures = {
        "rounds": len(ledgers),
        "struck": sum(1 for ledger in ledgers if ledger.counts["unknown"]),
        "asked": counts["done"] + counts["unknown"] + counts["in flight"],
        "acknowledged": counts["done"] + counts["certain later"],
        "unknown": counts["unknown"],
        # Of the changes without a key, that is; the others' answers do not tell.
        "done unanswered": counts["unanswered"],
        "checked": probes,
    }
    return figures | {column: found[column] for column in COLUMNS[len(figures) :]}


def line(name: str, figures: dict[str, int]) -> str:
    """Return the figures in words."""
    return f"{name}: " + ", ".join(f"{figures[each]} {each}" for each in COLUMNS)


def tell(config: pytest.Config, text: str) -> None:
    """Have *text* told when the run ends, whatever becomes of its test."""
    config.stash.setdefault(TOLD, []).append(text)
