"""Loads side by side: each in turn, again and again, so that drift cancels out."""

from collections.abc import Callable, Mapping

from bench.environment import Stage
from bench.load import Load, Tally, Unusable
from bench.postgres import Rate
from bench.report import Line
from bench.servers import NotAvailable

Measure = Callable[[], Tally | Rate]

# A machine that others use may stand still for as long as something is measured.
TRIES = 3


def driven(stage: Stage, load: Load) -> Measure:
    """Return what drives *load*."""
    return lambda: stage.generator.run(load)


def require_answers(stage: Stage, what: str, load: Load) -> None:
    """Send a few requests of *load*; raises NotAvailable if they are not answered."""
    probe = Load(
        load.port, load.requests[:16], 1, 0.05, load.expected[:16], 1, 0.0, once=True
    )
    try:
        tally = stage.generator.run(probe)
    except Unusable as error:
        raise NotAvailable(f"{what}: {error}") from error
    if tally.refused or tally.wrong or not tally.checked:
        raise NotAvailable(
            f"{what}: {tally.refused} of {tally.answers} answers are refusals, "
            f"{tally.wrong} of {tally.checked} wrong"
        )


def side_by_side(
    stage: Stage, benchmark: str, repeats: int, measures: Mapping[str, Measure]
) -> dict[str, Line]:
    """
    Run every measure *repeats* times in turn, and report each.

    Raises NotAvailable if one of them does nothing at all, several times over.
    """
    rates: dict[str, list[float]] = {what: [] for what in measures}
    notes: dict[str, dict[str, float | str]] = {what: {} for what in measures}
    for _ in range(repeats):
        for what, measure in measures.items():
            found = _find(what, measure)
            rates[what].append(found.per_second)
            if isinstance(found, Rate):
                notes[what] = {"average ms": found.average_ms}
                continue
            notes[what] = {
                "p50 ms": found.percentile_ms(50),
                "p99 ms": found.percentile_ms(99),
            }
            _note_faults(stage, f"{benchmark}: {what}", found)
    return {
        what: stage.report.add(benchmark, what, "a second", values, **notes[what])
        for what, values in rates.items()
    }


def _find(what: str, measure: Measure) -> Tally | Rate:
    """Return what is measured, as soon as that is anything."""
    for _ in range(TRIES):
        found = measure()
        if found.per_second:
            return found
    raise NotAvailable(f"{what}: nothing was done, {TRIES} times")


def _note_faults(stage: Stage, what: str, tally: Tally) -> None:
    if tally.refused or tally.wrong:
        stage.report.faults.append(
            f"{what}: of {tally.answers} answers {tally.refused} had not status 200; "
            f"of {tally.checked} looked at {tally.wrong} were wrong"
        )
    if tally.reconnected:
        stage.report.faults.append(f"{what}: {tally.reconnected} connections closed")
