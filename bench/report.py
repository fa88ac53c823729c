"""What was measured: tables for people, the same as JSON."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Line:
    """One thing measured, several times; *value* is the median."""

    benchmark: str
    what: str
    unit: str
    values: list[float]
    notes: dict[str, float | str] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of what was measured."""
        return statistics.median(self.values)

    def over(self, other: "Line") -> float:
        """
        Return how many times *other* this is: the median over the rounds.

        Both were measured in each round, one soon after the other: a machine that
        others use may be twice as fast a minute later.
        """
        pairs = zip(self.values, other.values, strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ratio of two lines, and the bar that it has to clear, if there is one."""

    benchmark: str
    what: str
    ratio: float
    bar: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        if self.bar is None:
            return None
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar


@dataclass(slots=True)
class Report:
    """Everything that one run found."""

    about: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(
        self,
        benchmark: str,
        what: str,
        unit: str,
        values: Sequence[float],
        **notes: float | str,
    ) -> Line:
        """Note what was measured, and return it for ratios."""
        line = Line(benchmark, what, unit, list(values), notes)
        self.lines.append(line)
        return line

    def judge(
        self,
        benchmark: str,
        what: str,
        ratio: float,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Note a ratio and its bar."""
        bar = at_most if at_least is None else at_least
        verdict = Verdict(benchmark, what, ratio, bar, at_most=at_most is not None)
        self.verdicts.append(verdict)

    @property
    def missed(self) -> list[Verdict]:
        """The ratios whose bars are not met."""
        return [verdict for verdict in self.verdicts if verdict.met is False]

    def write_json(self, file: Path) -> None:
        """Write everything to *file*."""
        whole = {
            "about": self.about,
            "lines": [asdict(x) | {"value": x.value} for x in self.lines],
            "verdicts": [asdict(x) | {"met": x.met} for x in self.verdicts],
            "memory": self.memory,
            "faults": self.faults,
        }
        file.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")

    def print_lines(self, console: Console, benchmark: str) -> None:
        """Print the measurements and ratios of one benchmark."""
        table = Table(title=benchmark, title_justify="left", title_style="bold")
        table.add_column("measured")
        for name in ("median", "lowest", "highest", "unit"):
            table.add_column(name, justify="right" if name != "unit" else "left")
        table.add_column("notes", overflow="fold")
        for line in (x for x in self.lines if x.benchmark == benchmark):
            figures = (line.value, min(line.values), max(line.values))
            notes = ", ".join(f"{k} {_figure(v)}" for k, v in line.notes.items())
            table.add_row(line.what, *map(_figure, figures), line.unit, notes)
        console.print(table)
        self._print_verdicts(
            console, [x for x in self.verdicts if x.benchmark == benchmark]
        )

    def print_end(self, console: Console) -> None:
        """Print memory, the bars that are missed, and what went wrong."""
        if self.memory:
            table = Table(title="memory, at its highest", title_justify="left")
            for name in self.memory[0]:
                table.add_column(name, justify="left" if name == "kind" else "right")
            for row in self.memory:
                table.add_row(*(_figure(value) for value in row.values()))
            console.print(table)
        self._print_verdicts(console, self.missed)
        bars = [verdict for verdict in self.verdicts if verdict.bar is not None]
        console.print(f"{len(bars) - len(self.missed)} of {len(bars)} bars are met.")
        for fault in self.faults:
            console.print(f"[red]failed:[/] {escape(fault)}")

    @staticmethod
    def _print_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
        if not verdicts:
            return
        table = Table("ratio of", "ratio", "bar", "met")
        for verdict in verdicts:
            sign = "≤" if verdict.at_most else "≥"
            bar = f"{sign} {_figure(verdict.bar)}" if verdict.bar is not None else ""
            met = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[verdict.met]
            table.add_row(verdict.what, f"{verdict.ratio:.2f}", bar, met)
        console.print(table)


def _figure(value: float | str | None) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
