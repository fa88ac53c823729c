"""
Pages of entries with their exact total, beside the same page without a total.

Twice: over HTTP beside the page's statement alone, and on the same level, where both
sides are the service's own Python and statements, and one leaves the total out.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from app.dialects.convoso import wire as convoso
from app.http.paging import read_page
from app.store import searches as statements
from app.store import tallies
from app.store.database import Database
from app.store.roles import Plans, Scope
from bench import wire
from bench.environment import Stage
from bench.filters import FILTERS
from bench.load import Load, Tally

NAME = "search"
BAR = 3.0
OFFSET_BAR = 10.0
FAR = 100_000
BRIEF_SECONDS = 0.15
AT_LEAST = 3
HTTP = "with total, HTTP"

PAGE: Any = """
    SELECT entry.id, entry.e164, entry.calling_code, entry.campaign_id, entry.purpose,
           entry.reason, entry.inserted_at, entry.valid_from,
           campaign.uid, campaign.name, campaign.type
    FROM (
        SELECT * FROM dnc_entry WHERE {conditions} ORDER BY id OFFSET {offset} LIMIT 100
    ) AS entry
    JOIN campaign USING (organisation_id)
    WHERE campaign.id = entry.campaign_id
    ORDER BY entry.id
"""
TOTAL: Any = "SELECT count(*) FROM dnc_entry WHERE {conditions}"


def run(stage: Stage) -> None:
    """Measure every filter's first page, and a far page of those that have one."""
    database = Database(stage.url, connections=1, bounded=False)
    try:
        with psycopg.connect(stage.url, autocommit=True) as connection:
            Pages(stage, database, connection).run()
    finally:
        database.close()


class Pages:
    """Each way to ask for a page."""

    def __init__(
        self, stage: Stage, database: Database, connection: psycopg.Connection
    ) -> None:
        """Ask the service of *stage*, and its database in two ways."""
        self._stage = stage
        self._database = database
        self._connection = connection

    def run(self) -> None:
        """Measure and judge."""
        for name, (fields, conditions) in FILTERS.items():
            own = f"organisation_id = {self._stage.organisation}"
            meant = " AND ".join((own, *conditions))
            total = self._total(meant)
            near = self._measure(name, fields, meant, 0, total)
            judge = self._stage.report.judge
            judge(NAME, f"{name}: HTTP / page alone", near[3] / near[0])
            judge(NAME, f"{name}: on one level", near[2] / near[1], at_most=BAR)
            if total > FAR and len(fields) <= 1:
                far = self._measure(name, fields, meant, FAR, total)
                for level, what in ((2, "service"), (3, "HTTP")):
                    judge(
                        NAME,
                        f"{name}: offset {FAR:,} / 0, {what}",
                        far[level] / near[level],
                        at_most=OFFSET_BAR,
                    )

    def _measure(
        self, name: str, fields: dict[str, str], meant: str, offset: int, total: int
    ) -> list[float]:
        stage, caller = self._stage, self._stage.caller
        page_alone = PAGE.format(conditions=meant, offset=offset)
        wanted = convoso.read_filter(fields, caller.organisation)
        page = read_page({"offset": str(offset)})
        zone = ZoneInfo("UTC")
        searches = stage.services.searches

        scope = Scope(stage.organisation, plans=Plans.BY_INDEX)
        with self._database.snapshot(scope) as tx:
            matching = tallies.find(tx, wanted)

        def without_total() -> None:
            with self._database.snapshot(scope) as tx:
                found = statements.read_page(tx, wanted, page, matching)
            for entry in found:
                convoso.write_entry(entry, zone)

        def with_total() -> None:
            found, _ = searches.search(caller, wanted, page)
            for entry in found:
                convoso.write_entry(entry, zone)

        ways: dict[str, Callable[[], float]] = {
            "page alone": lambda: _brief(
                lambda: self._connection.execute(page_alone).fetchall()
            ),
            "page, one level": lambda: _brief(
                without_total
                if matching
                else lambda: self._connection.execute(page_alone).fetchall()
            ),
            "total, one level": lambda: _brief(with_total),
            HTTP: lambda: self._over_http(name, fields, offset, total),
        }
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(stage.repeats):
            for way, measure in ways.items():
                taken[way].append(measure())
        medians = {way: statistics.median(each) for way, each in taken.items()}
        line = stage.report.add(
            NAME,
            f"{name} at {offset:,}" if offset else name,
            "ms",
            taken[HTTP],
            **{way: value for way, value in medians.items() if way != HTTP},
            total=total,
        )
        return [*list(medians.values())[:-1], line.value]

    def _over_http(
        self, name: str, fields: dict[str, str], offset: int, total: int
    ) -> float:
        stage = self._stage
        request = wire.form(
            "/v1/dnc/search", auth_token=stage.token, offset=offset, **fields
        )
        port = stage.service("gunicorn").port
        part = b'"total":%d,' % total

        def ask(times: int) -> Tally:
            asked, expected = (request,) * times, (part,) * times
            # However long it takes.
            return stage.generator.run(
                Load(port, asked, 1, 600.0, expected, 1, 0.0, once=True)
            )

        tally = ask(AT_LEAST)
        often = int(BRIEF_SECONDS * 1000 / tally.percentile_ms(50))
        if often > AT_LEAST:
            tally = ask(min(often, 500))
        if tally.refused or tally.wrong:
            fault = f"search: {name}: {tally.refused} refused, {tally.wrong} wrong"
            if fault not in stage.report.faults:
                stage.report.faults.append(fault)
        return tally.percentile_ms(50)

    def _total(self, meant: str) -> int:
        row = self._connection.execute(TOTAL.format(conditions=meant)).fetchone()
        return int(row[0]) if row else 0


def _brief(do: Callable[[], object]) -> float:
    """Return the median milliseconds of doing it for a moment."""
    taken: list[float] = []
    ends = time.perf_counter() + BRIEF_SECONDS
    while len(taken) < AT_LEAST or time.perf_counter() < ends:
        began = time.perf_counter()
        do()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)
