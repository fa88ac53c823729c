"""A file of opt-outs into an empty list."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from app.store.postgres_binaries import dies_with_us
from bench import numbers
from bench.environment import DNCD, ORGANISATION, Stage
from bench.postgres import Programs
from bench.report import Line
from bench.servers import NotAvailable, inherited

NAME = "import"
MILLION = 1_000_000
LARGE = 10 * MILLION
BAR = 1.5
GROWTH_BAR = 1.3
MOST_REPEATS = 2

# What is to be said besides the file's name.
OPTIONS = ("--organisation", ORGANISATION)

# The organisation is the first of its database.
MERGE = """
BEGIN;
SELECT set_config('dncd.organisation', '1', true);
CREATE TEMPORARY TABLE staging (phone_number text) ON COMMIT DROP;
\\copy staging FROM '{file}' CSV HEADER
INSERT INTO operation (organisation_id, actor, dialect, request_id, kind, touched)
VALUES (1, 'bench', 'cli', '', 'import', {rows}) RETURNING id AS operation \\gset
INSERT INTO dnc_entry (organisation_id, e164, calling_code, campaign_id, operation_id)
SELECT 1, 10000000000 + phone_number::bigint, 1, 0, :operation
FROM staging ORDER BY 2
ON CONFLICT DO NOTHING;
COMMIT;
"""

COPY = """
CREATE TABLE unindexed (phone_number text);
\\copy unindexed FROM '{file}' CSV HEADER
"""


def run(stage: Stage) -> None:
    """Measure imports of a million numbers, and of ten if so many are listed."""
    _require_import()
    small = _measure(stage, MILLION, min(stage.repeats, MOST_REPEATS))
    if stage.entries >= LARGE:
        large = _measure(stage, LARGE, 1)
        stage.report.judge(
            NAME,
            "a row of ten million / of one",
            large.value / LARGE / (small.value / MILLION),
            at_most=GROWTH_BAR,
        )


def _measure(stage: Stage, rows: int, repeats: int) -> Line:
    file = stage.folder / "import.csv"
    _write(file, rows)
    ways: dict[str, Callable[[str], object]] = {
        "psql COPY, unindexed": lambda url: Programs.on(url).psql(
            COPY.format(file=file)
        ),
        "psql COPY and merge": lambda url: Programs.on(url).psql(
            MERGE.format(file=file, rows=rows)
        ),
        "dncd import": lambda url: _import(file, url),
    }
    taken: dict[str, list[float]] = {what: [] for what in ways}
    for _ in range(repeats):
        for what, way in ways.items():
            with stage.new_database() as url:
                Programs.on(url).psql("CHECKPOINT;")
                began = time.monotonic()
                way(url)
                taken[what].append(time.monotonic() - began)
                _verify(stage, what, url, rows)
    file.unlink()
    lines = [
        stage.report.add(NAME, f"{what}, {rows:,} rows", "s", values)
        for what, values in taken.items()
    ]
    copied, merged, imported = lines
    ratio = imported.over(merged)
    report = stage.report
    report.judge(NAME, f"dncd / psql merge, {rows:,} (time)", ratio, at_most=BAR)
    ratio = imported.over(copied)
    report.judge(NAME, f"dncd / COPY, unindexed, {rows:,} (time)", ratio)
    return imported


def _write(file: Path, rows: int) -> None:
    with file.open("w", encoding="ascii") as out:
        out.write("phone_number\n")
        for i in range(numbers.UNLISTED, numbers.UNLISTED + rows):
            out.write(numbers.national(i) + "\n")


def _import(file: Path, url: str) -> None:
    done = _dncd("import", *OPTIONS, str(file), url=url)
    if done.returncode:
        raise NotAvailable(f"dncd import: {done.stderr.strip() or done.stdout[-500:]}")


def _require_import() -> None:
    if _dncd("import", "--help").returncode:
        raise NotAvailable("this version has no `dncd import`")


def _dncd(*arguments: str, url: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [DNCD, *arguments],
        env=inherited() | ({"DATABASE_URL": url} if url else {}),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=dies_with_us(),
    )


def _verify(stage: Stage, what: str, url: str, rows: int) -> None:
    if "unindexed" in what:
        return
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM dnc_entry").fetchone()
    if row is None or row[0] != rows:
        stage.report.faults.append(f"{what}: {row and row[0]} entries of {rows}")
