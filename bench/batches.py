"""Ten thousand numbers in one question."""

import statistics

from app.store import checks
from bench import numbers, wire
from bench.environment import Stage
from bench.fill import FIRST_CAMPAIGN
from bench.load import Load
from bench.loads import require_answers
from bench.postgres import Programs
from bench.servers import NotAvailable

NAME = "batch"
SIZE = 10_000
DIFFERENT = 8
BAR = 0.5
PYTHON_MICROSECONDS = 3.0

# The service's own statement, planned as it has it planned: psql would spend a fifth of
# its time on looking at ten thousand numbers for the plan.
PREPARE = (
    "SET plan_cache_mode = force_generic_plan;\nPREPARE look_up (bigint, text) AS "
    + checks.FIND_LISTED.replace("%(organisation_id)s", "$1")
    .replace("%(e164s)s", "$2")
    .replace("%(with_reasons)s", "false")
    + ";\n"
)
LOOK_UP = "EXECUTE look_up ({organisation}, '{{{numbers}}}');\n"


def run(stage: Stage) -> None:
    """Measure batches over one connection beside the same select in psql."""
    questions, listed = _questions(stage.entries)
    script = f"{PREPARE}\\o /dev/null\n\\timing on\n" + "".join(
        LOOK_UP.format(
            organisation=stage.organisation,
            numbers=",".join("1" + number for number in question),
        )
        for question in questions
    )
    requests = tuple(
        wire.batch(stage.token, question, FIRST_CAMPAIGN) for question in questions
    )
    counts = f'"numbers":{SIZE},"callable":{SIZE - listed},"listed":{listed}'
    expected = (counts.encode(),) * len(requests)
    loads, missing = {}, []
    for kind in ("gunicorn", "granian"):
        try:
            port = stage.service(kind).port
            load = Load(port, requests, 1, stage.seconds, expected, 1)
            require_answers(stage, f"batch, {kind}", load)
            loads[f"dncd batch, {kind}"] = load
        except NotAvailable as reason:
            missing.append(str(reason))
    _measure(stage, script, loads)
    if missing:
        raise NotAvailable("; ".join(missing))


def _measure(stage: Stage, script: str, loads: dict[str, Load]) -> None:
    programs = Programs.on(stage.url)
    raw: list[float] = []
    taken: dict[str, list[float]] = {what: [] for what in loads}
    for _ in range(stage.repeats):
        raw.append(statistics.median(programs.psql(script)) * 1000)
        for what, load in loads.items():
            tally = stage.generator.run(load)
            taken[what].append(tally.percentile_ms(50))
            if tally.refused or tally.wrong:
                stage.report.faults.append(
                    f"{what}: {tally.refused} refused, {tally.wrong} wrong"
                )
    base = stage.report.add(NAME, f"psql, {SIZE:,} numbers", "ms", raw)
    for what, values in taken.items():
        line = stage.report.add(NAME, what, "ms", values)
        ratio = base.over(line)
        stage.report.judge(NAME, f"psql / {what} (speed)", ratio, at_least=BAR)
        beyond = [took - its for took, its in zip(values, raw, strict=True)]
        python = statistics.median(beyond) * 1000 / SIZE
        stage.report.judge(
            NAME,
            f"{what}: µs beyond the statement, a number",
            python,
            at_most=PYTHON_MICROSECONDS,
        )


def _questions(entries: int) -> tuple[list[list[str]], int]:
    """Return different batches, and how many numbers of each are listed."""
    listed = numbers.listed(entries, SIZE * DIFFERENT // 2)
    free = numbers.unlisted(SIZE * DIFFERENT)
    half = min(SIZE // 2, len(listed) // DIFFERENT)
    batches = [
        [*listed[half * n : half * (n + 1)], *free[SIZE * n : SIZE * (n + 1) - half]]
        for n in range(DIFFERENT)
    ]
    return batches, half
