"""Opt-outs over HTTP, each on disk before it is acknowledged; beside searches."""

from functools import partial
from pathlib import Path

import psycopg

from bench import numbers, wire
from bench.environment import Stage
from bench.load import Load, Tally
from bench.loads import Measure, driven, require_answers, side_by_side
from bench.postgres import Programs
from bench.servers import NotAvailable

NAME = "insert"
BAR = 0.6
MANY = 32
# More than can be inserted in a second.
A_SECOND = 20_000

TABLE = """
DROP TABLE IF EXISTS bench_entry;
CREATE TABLE bench_entry (LIKE dnc_entry INCLUDING ALL);
"""

INSERT = """\
\\set i random(3000000000, 3400000000)
INSERT INTO bench_entry (
    organisation_id, e164, calling_code, campaign_id, reason, operation_id
) VALUES (
    {organisation}, 12000000000 + (:i * 2654435761) % 8000000000, 1, 0,
    'ConsentRevoked', 1
) ON CONFLICT DO NOTHING;
"""


class Inserts:
    """Makes loads of numbers that were never inserted before."""

    def __init__(self, stage: Stage) -> None:
        """Begin with the first number that is kept for it."""
        self._stage = stage
        self._next = numbers.TO_INSERT
        self.acknowledged = 0

    def run(self, port: int, connections: int, seconds: float) -> Tally:
        """Insert for so long and return what came back."""
        count = int(A_SECOND * (seconds + 0.5))
        first, self._next = self._next, self._next + count
        requests = tuple(
            wire.form(
                "/v1/dnc/insert",
                auth_token=self._stage.token,
                phone_number=numbers.national(i),
                phone_code=1,
                campaign_id=0,
                reason="ConsentRevoked",
            )
            for i in range(first, first + count)
        )
        expected = (b'"success":true',) * count
        tally = self._stage.generator.run(
            Load(port, requests, connections, seconds, expected, 1, once=True)
        )
        self.acknowledged += tally.answers - tally.refused - tally.wrong
        return tally


def run(stage: Stage) -> None:
    """Measure inserts at 1, 8 and 32 connections, and searches by number at 32."""
    inserts = Inserts(stage)
    before = _count(stage)
    # "total" is there only if the search went well.
    asked = wire.ring(
        *("/v1/dnc/search", stage.token, stage.entries), b'"total":1', b'"total":0'
    )
    programs = Programs.on(stage.url)
    programs.psql(TABLE)
    script = stage.folder / "insert.sql"
    script.write_text(INSERT.format(organisation=stage.organisation))
    kinds, missing = {}, []
    for kind in ("gunicorn", "granian"):
        try:
            kinds[kind] = stage.service(kind).port
            load = wire.load(kinds[kind], asked, 1, 0.1)
            require_answers(stage, f"search, {kind}", load)
        except NotAvailable as reason:
            kinds.pop(kind, None)
            missing.append(str(reason))
    for connections in (1, 8, MANY):
        _measure(stage, inserts, asked, script, kinds, connections)
    added = _count(stage) - before
    if added != inserts.acknowledged:
        stage.report.faults.append(
            f"insert: {inserts.acknowledged} were acknowledged and {added} are there"
        )
    programs.psql("DROP TABLE bench_entry; VACUUM ANALYZE dnc_entry; CHECKPOINT;")
    if missing:
        raise NotAvailable("; ".join(missing))


def _measure(
    stage: Stage,
    inserts: Inserts,
    asked: tuple[tuple[bytes, ...], tuple[bytes, ...]],
    script: Path,
    kinds: dict[str, int],
    connections: int,
) -> None:
    at = f", {connections}"
    programs = Programs.on(stage.url)
    measures: dict[str, Measure] = {
        f"pgbench insert{at}": lambda: programs.pgbench(
            script, connections, stage.seconds
        )
    }
    for kind, port in kinds.items():
        load = wire.load(port, asked, connections, stage.seconds)
        measures[f"search by number, {kind}{at}"] = driven(stage, load)
        measures[f"insert, {kind}{at}"] = partial(
            inserts.run, port, connections, stage.seconds
        )
    many = connections == MANY
    found = side_by_side(stage, NAME, stage.repeats if many else 1, measures)
    raw = found[f"pgbench insert{at}"]
    for kind in kinds:
        ours = found[f"insert, {kind}{at}"]
        searched = found[f"search by number, {kind}{at}"]
        stage.report.judge(
            NAME,
            f"insert / search by number, {kind}{at}",
            ours.over(searched),
            at_least=BAR if many else None,
        )
        stage.report.judge(NAME, f"insert, {kind} / pgbench{at}", ours.over(raw))


def _count(stage: Stage) -> int:
    with psycopg.connect(stage.url) as connection:
        row = connection.execute("SELECT count(*) FROM dnc_entry").fetchone()
        return int(row[0]) if row else 0
