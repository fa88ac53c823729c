"""A look-up that failed leaves no connection on which every later one fails."""

import select
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.errors import StoreUnavailable
from app.domain.patience import NotAtOnce
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.begun_checks import Begun
from app.store.checks import CHECK
from app.store.database import Database
from app.store.roles import Plans, Scope

QUESTION = Question(PhoneNumber("1", "5551234567"))


@contextmanager
def without_names(url: str) -> Iterator[None]:
    """Let every look-up fail in the server until the block ends."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE campaign RENAME COLUMN name TO gone")
        yield
        connection.execute("ALTER TABLE campaign RENAME COLUMN gone TO name")


@pytest.mark.parametrize("asked_before", [0, 1, 2])
def test_checks_go_on_after_one_that_failed(database_url: str, caller, asked_before):
    database = Database(database_url, connections=1)
    checks = build_services(database).checks
    for _ in range(asked_before):
        checks.check(caller, QUESTION)

    with without_names(database_url):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                checks.check(caller, QUESTION)

    for _ in range(2):
        assert checks.check(caller, QUESTION).callable
    database.close()


@pytest.mark.parametrize("asked_before", [0, 1, 2])
def test_checks_go_on_after_one_that_failed_once_prepared(
    database_url: str, caller, asked_before
):
    """PREPARE outlasts the transaction in which what came after it failed."""
    database = Database(database_url, connections=1)
    checks = build_services(database).checks
    for _ in range(asked_before):
        checks.check(caller, QUESTION)
    scope = Scope(caller.organisation.id, plans=Plans.BY_INDEX)

    with pytest.raises(StoreUnavailable):
        database.within(scope).look_up(CHECK, [str(scope.organisation_id), "{x}"])

    for _ in range(2):
        assert checks.check(caller, QUESTION).callable
    database.close()


def test_the_plan_is_still_good_when_a_short_list_has_grown(database_url: str, caller):
    database = Database(database_url, connections=1)
    checks = build_services(database).checks
    for _ in range(2):
        checks.check(caller, QUESTION)
    with database.connection() as connection:
        rows = connection.execute("EXPLAIN EXECUTE dncd_check('1', '{1}')").fetchall()
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    database.close()

    assert "Index Scan using dnc_entry_number" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("asked_before", [("", ""), ("SPRING", "SPRING")])
@pytest.mark.parametrize("asked_after", [("", "SPRING", ""), ("SPRING", "", "SPRING")])
def test_checks_go_on_after_a_transaction_that_was_rolled_back(
    database_url: str, caller, asked_before, asked_after
):
    """Psycopg deallocates every prepared statement then, ours among them."""
    database = Database(database_url, connections=1)
    services = build_services(database)
    services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", "", "TELEMKT"))
    for campaign in asked_before:
        services.checks.check(caller, question(campaign))
    roll_back(database, services, caller)

    for campaign in asked_after:
        assert services.checks.check(caller, question(campaign)).callable
    database.close()


def test_who_waits_for_nobody_forgets_no_more_than_is_gone(database_url: str, caller):
    database = Database(database_url, connections=1)
    services = build_services(database)
    services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", "", "TELEMKT"))
    for campaign in ("", "SPRING"):
        services.checks.check(caller, question(campaign))
    roll_back(database, services, caller)
    services.checks.check(caller, question(""))

    begun = services.checks.begin([(caller, question("SPRING"))])
    with pytest.raises(NotAtOnce):
        receive(begun)
    begun.close()

    for campaign in ("SPRING", "", "SPRING"):
        assert services.checks.check(caller, question(campaign)).callable
    database.close()


def receive(begun: Begun) -> object:
    """Return an answer once all parts of it have come."""
    while (found := begun.receive()) is None:
        assert select.select([begun.fileno()], [], [], 10)[0]
    return found


def roll_back(database: Database, services: Services, caller: Caller) -> None:
    """Have psycopg deallocate what is prepared."""
    # So often that it has prepared something itself.
    for _ in range(8):
        services.checks.find_listed(caller, [QUESTION.number.e164], None)
    with (
        pytest.raises(ZeroDivisionError),
        database.transaction(Scope(caller.organisation.id)),
    ):
        raise ZeroDivisionError


def question(campaign: str) -> Question:
    return Question(QUESTION.number, read_campaign(campaign) if campaign else None)
