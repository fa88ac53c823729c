"""A number is found by its index, whatever PostgreSQL takes its list's length for."""

import time
from collections.abc import Callable, Sequence

import psycopg
import pytest

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import Draft
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.services import Services
from app.services.organisations import operator
from app.store.database import Database
from tests.conftest import make_organisation

OWN = read_campaign("0")
NUMBERS = [PhoneNumber("1", str(5553000000 + n)) for n in range(20_000)]
SMALL_LISTS = 60

Prepare = Callable[[Services, Caller], None]


def nothing(_services: Services, _caller: Caller) -> None:
    """A list that nobody has used."""


def short_lists(services: Services, _caller: Caller) -> None:
    """Other organisations have lists of one number each."""
    for n in range(SMALL_LISTS):
        other = operator(
            services.organisations.add("test", make_organisation(f"Small {n}")), "test"
        )
        put(services, other, NUMBERS[:1])
        services.checks.check(other, Question(NUMBERS[0]))


def one_number(services: Services, caller: Caller) -> None:
    """A list of one number, and no other."""
    put(services, caller, NUMBERS[:1])


def emptied(services: Services, caller: Caller) -> None:
    """A list of which everything was taken off."""
    put(services, caller, NUMBERS[:500])
    services.suppressions.release_many(caller, NUMBERS[:500], OWN)


def ask_of_many(services: Services, caller: Caller) -> None:
    services.searches.find_on_list(caller, NUMBERS, OWN)
    services.checks.find_listed(caller, [x.e164 for x in NUMBERS], None)
    services.suppressions.suppress_many(caller, [Draft(x, OWN) for x in NUMBERS])
    services.suppressions.release_many(caller, NUMBERS, OWN)


def check_each(services: Services, caller: Caller) -> None:
    for number in NUMBERS[:: len(NUMBERS) // 200]:
        assert not services.checks.check(caller, Question(number)).callable


def check_for_campaign(services: Services, caller: Caller) -> None:
    for number in NUMBERS[:: len(NUMBERS) // 200]:
        question = Question(number, OWN)
        assert not services.checks.check(caller, question).callable


@pytest.mark.parametrize(
    "before",
    [pytest.param(nothing, marks=pytest.mark.soak), short_lists, one_number, emptied],
)
@pytest.mark.parametrize("ask", [ask_of_many, check_each, check_for_campaign])
def test_a_long_list_is_never_read_whole_whatever_it_was_when_that_was_planned(
    database_url: str, caller: Caller, before: Prepare, ask: Prepare
) -> None:
    database = Database(database_url, connections=1)
    services = build_services(database)
    before(services, caller)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE dnc_entry")
    # From here on whatever is prepared was planned for such a list.
    for campaign in (None, OWN):
        services.checks.check(caller, Question(NUMBERS[0], campaign))
        services.checks.check(caller, Question(NUMBERS[0], campaign))
    put(services, caller, NUMBERS)

    read_before = entries_read(database_url)
    ask(services, caller)

    database.close()
    assert entries_read(database_url) - read_before < 6 * len(NUMBERS)


def put(services: Services, caller: Caller, numbers: Sequence[PhoneNumber]) -> None:
    services.suppressions.suppress_many(caller, [Draft(x, OWN) for x in numbers])


def entries_read(url: str) -> int:
    """Return how many entries all sessions have read so far, by whatever index."""
    time.sleep(0.1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes"
            " WHERE relname = 'dnc_entry'"
        ).fetchone()
    return int(row[0]) if row else 0
