"""No search reads the whole list, whatever it asks for, however often it was asked."""

from collections.abc import Iterator

import psycopg
import pytest

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import EntryFilter, Page
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.services.organisations import operator
from app.store import searches
from app.store.database import Database
from app.store.roles import Plans, Scope
from app.store.transactions import Open
from tests.conftest import TestServer, make_organisation
from tests.store.test_totals import everything

ENTRIES = 120_000
FILL = """
    INSERT INTO dnc_entry (
        organisation_id, e164, calling_code, campaign_id, purpose, reason, inserted_at,
        operation_id
    )
    SELECT %(organisation)s,
           CASE WHEN i %% 9 = 0 THEN 442070000000 ELSE 12020000000 END + i,
           CASE WHEN i %% 9 = 0 THEN 44 ELSE 1 END,
           CASE WHEN i %% 10 < 7 THEN 0 WHEN i %% 10 < 9 THEN %(campaign)s ELSE -1 END,
           CASE WHEN i %% 10 = 9 OR i %% 7 = 0 THEN 'TELEMKT' END,
           CASE i %% 4 WHEN 0 THEN NULL WHEN 1 THEN 'DNC' ELSE 'ConsentRevoked' END,
           CASE WHEN i < 60000 THEN timestamptz '2026-03-01 18:30:00Z'
                ELSE timestamptz '2026-01-01Z' + i * interval '1 minute' END,
           1
    FROM generate_series(1, %(entries)s) AS series (i)
"""


@pytest.fixture(scope="module")
def filled(server: TestServer, template: str) -> Iterator[tuple[Database, Caller]]:
    """A list of many entries, half of them of one instant."""
    with server.new_database(template) as url:
        database = Database(url, connections=1, bounded=False)
        services = build_services(database)
        caller = operator(
            services.organisations.add("test", make_organisation("Large")), "test"
        )
        spring = Campaign(0, "SPRING", "Spring", "", "TELEMKT")
        campaign = services.campaigns.add(caller, None, spring)
        with psycopg.connect(url, autocommit=True) as connection:
            own = caller.organisation.id
            connection.execute(
                "SELECT set_config('dncd.organisation', %s, false)", [str(own)]
            )
            connection.execute(
                FILL, {"organisation": own, "campaign": campaign, "entries": ENTRIES}
            )
            connection.execute("VACUUM ANALYZE")
        yield database, caller
        database.close()


class Explaining(Open):
    """A transaction that keeps the plan of each statement."""

    plans: list[str] = []  # noqa: RUF012  emptied by each test

    def fetch(self, statement, parameters):
        explained = self.connection.execute(f"EXPLAIN {statement}".encode(), parameters)
        plan = "\n".join(row["QUERY PLAN"] for row in explained)
        self.plans.append(f"{statement}\n{plan}")
        return Open.fetch(self, statement, parameters)


PAGES = (Page(), Page(100_000, 100))
NUMBERS = (
    EntryFilter(id=17),
    EntryFilter(numbers=(PhoneNumber("1", "2020000017"),)),
    EntryFilter(
        numbers=(PhoneNumber("1", "2020000017"), PhoneNumber("44", "2070000018")),
        campaign=read_campaign("0"),
    ),
)


# They are taken wherever PostgreSQL may: for tables of any size, for nothing.
FOR_MANY_PROCESSES = {
    "parallel_setup_cost": 0,
    "parallel_tuple_cost": 0,
    "min_parallel_table_scan_size": 0,
    "min_parallel_index_scan_size": 0,
}


@pytest.mark.parametrize("page", PAGES, ids=["first page", "far page"])
def test_no_search_scans_the_entries(
    filled: tuple[Database, Caller], page: Page
) -> None:
    database, caller = filled
    scope = Scope(caller.organisation.id, plans=Plans.BY_INDEX)
    wanted = [*everything("2026-03-02", "2026-03-02 00:00:00"), *NUMBERS]
    Explaining.plans.clear()
    with database.snapshot(scope) as tx:
        for name, value in FOR_MANY_PROCESSES.items():
            tx.connection.execute(f"SET LOCAL {name} = {value}".encode())
        for each in wanted:
            searches.search(Explaining(tx.connection, tx.scope), each, page)

    for plan in Explaining.plans:
        assert "Seq Scan on dnc_entry " not in plan, plan
        assert "Gather" not in plan, plan
    assert len(Explaining.plans) >= len(wanted)
