"""One number, over HTTP: may it be called?"""

from bench import numbers, wire
from bench.environment import Stage
from bench.loads import Measure, driven, require_answers, side_by_side
from bench.postgres import Programs
from bench.servers import NotAvailable

NAME = "check"
PATH = "/v1/dnc/check"
HELD, FREE = b'"callable":false', b'"callable":true'

# As many numbers as are asked about over HTTP, of which nearly half are on a list: more
# would put out of PostgreSQL's memory what the next in turn looks for.
SELECT = """\
\\set k random(0, {ring} - 1)
\\set i CASE WHEN :k % 2 = 0 THEN 1 + {spacing} * :k ELSE {unlisted} + :k END
SELECT id, campaign_id, purpose, reason, inserted_at FROM dnc_entry
WHERE organisation_id = {organisation}
  AND e164 = 12000000000 + (:i * 2654435761) % 8000000000;
"""

AT_LEAST = {"gunicorn": 0.5, "granian": 0.25}
AT_LEAST_FASTAPI = 2.5
MANY = 32

# At so many, rounds for each repeat, of half as long: the bars are on their ratios.
ROUNDS = 3


def run(stage: Stage) -> None:
    """Measure the check at 1, 8 and 32 connections beside all it is compared with."""
    asked = wire.ring(PATH, stage.token, stage.entries, HELD, FREE)
    ports, missing = {}, []
    for kind in AT_LEAST:
        try:
            ports[f"constant, {kind}"] = stage.constant(kind).port
            port = stage.service(kind).port
            require_answers(stage, f"dncd, {kind}", wire.load(port, asked, 1, 0.1))
            ports[f"dncd check, {kind}"] = port
        except NotAvailable as reason:
            missing.append(str(reason))
    ports["FastAPI check, uvicorn"] = stage.fastapi().port
    for connections in (1, 8, MANY):
        _measure(stage, asked, ports, connections)
    if missing:
        raise NotAvailable("; ".join(missing))


def _measure(
    stage: Stage,
    asked: tuple[tuple[bytes, ...], tuple[bytes, ...]],
    ports: dict[str, int],
    connections: int,
) -> None:
    at = f", {connections}"
    script = stage.folder / "select.sql"
    script.write_text(
        SELECT.format(
            ring=wire.RING,
            spacing=numbers.spacing(stage.entries, wire.RING // 2),
            unlisted=numbers.UNLISTED,
            organisation=stage.organisation,
        )
    )
    programs = Programs.on(stage.url)
    many = connections == MANY
    seconds = stage.seconds / 2 if many else stage.seconds
    measures: dict[str, Measure] = {
        f"pgbench select{at}": lambda: programs.pgbench(script, connections, seconds)
    }
    constant = (asked[0], ())
    for what, port in ports.items():
        questions = constant if what.startswith("constant") else asked
        load = wire.load(port, questions, connections, seconds)
        measures[what + at] = driven(stage, load)
    found = side_by_side(stage, NAME, ROUNDS * stage.repeats if many else 1, measures)
    raw, rival = found[f"pgbench select{at}"], found[f"FastAPI check, uvicorn{at}"]
    for kind, bar in AT_LEAST.items():
        ours = found.get(f"dncd check, {kind}{at}")
        if ours is None:
            continue
        its_bar = bar if many else None
        ratio = ours.over(found[f"constant, {kind}{at}"])
        what = f"check / constant, {kind}{at}"
        stage.report.judge(NAME, what, ratio, at_least=its_bar)
        fast = many and kind == "granian"
        stage.report.judge(
            NAME,
            f"check, {kind} / FastAPI{at}",
            ours.over(rival),
            at_least=AT_LEAST_FASTAPI if fast else None,
        )
        stage.report.judge(NAME, f"check, {kind} / pgbench{at}", ours.over(raw))
