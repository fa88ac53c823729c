"""Ten thousand numbers in one question."""

import statistics

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

# THE SERVICE'S STATEMENT: keep this the same as what a batch runs.
SELECT = """
SELECT entry.e164, entry.id, entry.campaign_id, campaign.name, entry.purpose,
       entry.reason, entry.inserted_at
FROM dnc_entry AS entry
JOIN campaign ON campaign.organisation_id = entry.organisation_id
             AND campaign.id = entry.campaign_id
WHERE entry.organisation_id = {organisation}
  AND entry.e164 = ANY ('{{{numbers}}}'::bigint[])
  AND (entry.campaign_id IN (0, {campaign})
       OR entry.campaign_id = -1 AND entry.purpose = (
           SELECT purpose FROM campaign
           WHERE organisation_id = {organisation} AND id = {campaign}
       ));
"""


def run(stage: Stage) -> None:
    """Measure batches over one connection beside the same select in psql."""
    questions = _questions(stage.entries)
    script = "\\o /dev/null\n\\timing on\n" + "".join(
        SELECT.format(
            organisation=stage.organisation,
            numbers=",".join("1" + number for number in question),
            campaign=FIRST_CAMPAIGN,
        )
        for question in questions
    )
    requests = tuple(
        wire.batch(stage.token, question, FIRST_CAMPAIGN) for question in questions
    )
    loads, missing = {}, []
    for kind in ("gunicorn", "granian"):
        try:
            port = stage.service(kind).port
            # Every batch begins with a number that is listed.
            expected = (b'"callable":false',) * len(requests)
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
        ratio = base.value / line.value
        stage.report.judge(NAME, f"psql / {what} (speed)", ratio, at_least=BAR)
        python = (line.value - base.value) * 1000 / SIZE
        stage.report.judge(
            NAME,
            f"{what}: µs beyond the statement, a number",
            python,
            at_most=PYTHON_MICROSECONDS,
        )


def _questions(entries: int) -> list[list[str]]:
    listed = numbers.listed(entries, SIZE * DIFFERENT // 2)
    free = numbers.unlisted(SIZE * DIFFERENT)
    half = min(SIZE // 2, len(listed) // DIFFERENT)
    return [
        [
            *listed[half * n : half * (n + 1)],
            *free[SIZE * n : SIZE * (n + 1) - half],
        ]
        for n in range(DIFFERENT)
    ]
