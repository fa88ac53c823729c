"""A clock that is set back dates nothing before what was told or sealed."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import Draft
from app.domain.errors import InstantInvalid
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.services import Services
from app.store.database import Database

NUMBER = PhoneNumber("1", "5551234567")
OTHER = PhoneNumber("1", "5551234568")
GLOBAL = read_campaign("0")
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def services(keyed: Services) -> Services:
    return keyed


def clock(url: str) -> datetime:
    with psycopg.connect(url) as connection:
        [(instant,)] = connection.execute("SELECT clock_timestamp()").fetchall()
        return instant.astimezone(UTC)


def settled(url: str) -> datetime | None:
    with psycopg.connect(url) as connection:
        [(told,)] = connection.execute(
            "SELECT pg_sequence_last_value('dnc_settled')"
        ).fetchall()
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return None if told is None else epoch + told * MICROSECOND


def set_clock_back(url: str, by: timedelta) -> datetime:
    """Let something have been told of an instant by a clock that was so far ahead."""
    told = clock(url) + by
    with psycopg.connect(url) as connection:
        microseconds = (told - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
        connection.execute("SELECT setval('dnc_settled', %s)", [microseconds])
    return told


def dates(url: str) -> list[datetime]:
    """Return when each operation was, in the order in which they were made."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT at FROM operation ORDER BY id").fetchall()
        return [at.astimezone(UTC) for (at,) in rows]


def test_an_answer_about_an_instant_binds_whatever_is_written_after(
    services: Services, caller: Caller, database_url: str
) -> None:
    asked = clock(database_url)

    services.checks.check_as_of(caller, Question(NUMBER), asked)

    assert settled(database_url) == asked
    services.checks.check_as_of(caller, Question(NUMBER), asked - timedelta(hours=1))
    assert settled(database_url) == asked


def test_an_instant_that_is_yet_to_come_binds_nobody(
    services: Services, caller: Caller, database_url: str
) -> None:
    ahead = clock(database_url) + timedelta(hours=1)

    with pytest.raises(InstantInvalid):
        services.checks.check_as_of(caller, Question(NUMBER), ahead)

    assert settled(database_url) is None


def test_what_is_written_after_the_clock_was_set_back_is_dated_later_than_what_was_told(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    told = set_clock_back(database_url, timedelta(hours=1))

    services.suppressions.suppress(caller, Draft(OTHER, GLOBAL))
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)

    assert dates(database_url)[-2:] == [told + MICROSECOND] * 2
    # And is believed at once.
    assert not services.checks.check(caller, Question(OTHER)).callable
    assert services.checks.check(caller, Question(NUMBER)).callable


def test_a_clock_that_was_more_than_a_day_ahead_binds_nobody_and_is_forgotten(
    services: Services, caller: Caller, database_url: str
) -> None:
    told = set_clock_back(database_url, timedelta(days=2))

    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))

    assert dates(database_url)[-1] < told - timedelta(days=1)
    asked = clock(database_url)
    services.checks.check_as_of(caller, Question(NUMBER), asked)
    assert settled(database_url) == asked


def test_nothing_is_dated_before_the_last_seal_and_such_a_history_verifies(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    services.sealing.run()
    anchor = services.sealing.newest()
    assert anchor is not None
    assert settled(database_url) == datetime.fromisoformat(anchor.at)
    set_clock_back(database_url, timedelta(hours=1))
    for number in (OTHER, PhoneNumber("1", "5551234569")):
        services.suppressions.suppress(caller, Draft(number, GLOBAL))
        services.sealing.run()

    report = services.audit.verify([anchor])

    assert report.findings == []


def test_a_database_that_takes_no_changes_tells_of_instants_all_the_same(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    asked = clock(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        change = "ALTER DATABASE {} SET default_transaction_read_only = on"
        connection.execute(sql.SQL(change).format(name))
    database = Database(database_url, connections=1)

    verdict = build_services(database).checks.check_as_of(
        caller, Question(NUMBER), asked
    )

    database.close()
    assert not verdict.callable
