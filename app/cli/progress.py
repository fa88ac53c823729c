"""How far a long command is: rows, rate and time left, on a terminal only."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class RowsColumn(ProgressColumn):
    """How many rows, and how many in a second."""

    def render(self, task: Task) -> Text:
        """Return both as words."""
        rows = task.fields["rows"]
        rate = rows / task.elapsed if task.elapsed else 0
        return Text(f"{rows:,} rows  {rate:,.0f}/s")


class Bar:
    """One line for one stage after another."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.is_shown = not progress.disable
        self._stage = ""
        self._task = progress.add_task("", total=None, rows=0, visible=False)

    def show(self, stage: str, rows: int, fraction: float | None) -> None:
        """Show *stage*; a *fraction* of None is not known."""
        if stage != self._stage:
            self._stage = stage
            self._progress.reset(
                self._task, description=stage, visible=True, total=None, rows=0
            )
        self._progress.update(
            self._task,
            total=None if fraction is None else 1.0,
            completed=fraction or 0.0,
            rows=rows,
        )


@contextmanager
def progress_bar(*, hidden: bool = False) -> Iterator[Bar]:
    """Yield a bar on standard error, which stays empty where that is no terminal."""
    console = Console(stderr=True)
    hidden = hidden or not console.is_terminal
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        BarColumn(),
        RowsColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=hidden
    ) as progress:
        yield Bar(progress)
