"""One number, over HTTP: may it be called?"""

from bench import wire
from bench.environment import Stage
from bench.loads import Measure, driven, require_answers, side_by_side
from bench.postgres import Programs
from bench.servers import NotAvailable

NAME = "check"
PATH = "/v1/dnc/check"
HELD, FREE = b'"callable":false', b'"callable":true'

# Half of the numbers that are asked about are on a list.
SELECT = """\
\\set i random(1, 2 * {entries})
SELECT id, campaign_id, purpose, reason, inserted_at FROM dnc_entry
WHERE organisation_id = {organisation}
  AND e164 = 12000000000 + (:i * 2654435761) % 8000000000;
"""

AT_LEAST = {"gunicorn": 0.5, "granian": 0.25}
AT_LEAST_FASTAPI = 2.5
MANY = 32


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
        SELECT.format(entries=stage.entries, organisation=stage.organisation)
    )
    programs = Programs.on(stage.url)
    measures: dict[str, Measure] = {
        f"pgbench select{at}": lambda: programs.pgbench(
            script, connections, stage.seconds
        )
    }
    constant = (asked[0], ())
    for what, port in ports.items():
        questions = constant if what.startswith("constant") else asked
        load = wire.load(port, questions, connections, stage.seconds)
        measures[what + at] = driven(stage, load)
    found = side_by_side(
        stage, NAME, stage.repeats if connections == MANY else 1, measures
    )
    raw = found[f"pgbench select{at}"].value
    rival = found[f"FastAPI check, uvicorn{at}"].value
    for kind, bar in AT_LEAST.items():
        ours = found.get(f"dncd check, {kind}{at}")
        if ours is None:
            continue
        its_bar = bar if connections == MANY else None
        constantly = found[f"constant, {kind}{at}"].value
        what = f"check / constant, {kind}{at}"
        stage.report.judge(NAME, what, ours.value / constantly, at_least=its_bar)
        fast = connections == MANY and kind == "granian"
        stage.report.judge(
            NAME,
            f"check, {kind} / FastAPI{at}",
            ours.value / rival,
            at_least=AT_LEAST_FASTAPI if fast else None,
        )
        stage.report.judge(NAME, f"check, {kind} / pgbench{at}", ours.value / raw)
