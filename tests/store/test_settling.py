"""Instants that others may still change: waited for, or said to be unsettled."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

import psycopg
import pytest

from app.domain import patience
from app.domain.access import Caller
from app.domain.entries import Draft, EntryFilter, Page
from app.domain.errors import (
    DncError,
    InstantUnsettled,
)
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.services import Services
from app.services.organisations import operator
from app.store import entries
from app.store.database import Database
from app.store.roles import Scope
from tests.conftest import make_organisation
from tests.store.instants import GLOBAL, NUMBER, OPEN, is_listed, now
from tests.waiting import require, require_soon

PUT = """
    INSERT INTO dnc_entry (
        organisation_id, e164, calling_code, campaign_id, operation_id
    )
    VALUES (%(organisation)s::bigint, %(e164)s, 1, 0, 1)
"""


@contextmanager
def held_open(url: str, caller: Caller) -> Iterator[psycopg.Connection]:
    """Yield a transaction of another program that lists NUMBER when it commits."""
    parameters = {"organisation": str(caller.organisation.id), "e164": NUMBER.e164}
    with psycopg.connect(url) as connection:
        connection.execute(OPEN, parameters)
        connection.execute(PUT, parameters)
        yield connection


@pytest.mark.usefixtures("as_shipped")
def test_what_began_before_and_ends_too_late_leaves_the_instant_unsettled(
    services: Services, caller: Caller, database_url: str
) -> None:
    before = now(database_url)
    time.sleep(1.1)
    with held_open(database_url, caller) as late:
        at = now(database_url)
        time.sleep(0.01)

        began = time.monotonic()
        for ask in (
            lambda: services.checks.check_as_of(caller, Question(NUMBER), at),
            lambda: services.checks.find_listed(caller, [1], None, as_of=at),
            lambda: services.searches.search(caller, EntryFilter(), Page(), at),
            lambda: services.exports.stream(caller, None, at),
        ):
            with pytest.raises(InstantUnsettled):
                ask()
        waited = time.monotonic() - began
        # What was listed a second before it began cannot change any more.
        assert not is_listed(services, caller, before)
        late.commit()

    assert waited > 3.0
    require_soon(waited, 1.6 * 4 * patience.turn_seconds())
    assert is_listed(services, caller, at)
    assert not is_listed(services, caller, before)


def test_a_commit_within_the_second_is_waited_for_and_seen(
    services: Services, caller: Caller, database_url: str
) -> None:
    with held_open(database_url, caller) as late:
        at = now(database_url)
        time.sleep(0.01)
        threading.Timer(0.3, late.commit).start()
        began = time.monotonic()

        verdict = services.checks.check_as_of(caller, Question(NUMBER), at)

        waited = time.monotonic() - began
        assert waited > 0.2
        require_soon(waited, 1.0)
        assert not verdict.callable
        time.sleep(0.2)


def test_one_that_is_rolled_back_was_never_there(
    services: Services, caller: Caller, database_url: str
) -> None:
    with held_open(database_url, caller) as late:
        at = now(database_url)
        time.sleep(0.01)
        threading.Timer(0.2, late.rollback).start()

        assert services.checks.check_as_of(caller, Question(NUMBER), at).callable
        time.sleep(0.2)


@pytest.mark.usefixtures("as_shipped")
def test_an_insert_of_the_service_whose_commit_is_held_is_waited_for(
    services: Services, caller: Caller, database: Database, database_url: str
) -> None:
    with database.transaction(Scope(caller.organisation.id)) as tx:
        assert entries.insert(tx, caller, Draft(NUMBER, GLOBAL)) is not None
        at = now(database_url)
        time.sleep(0.01)
        with pytest.raises(InstantUnsettled):
            services.checks.check_as_of(caller, Question(NUMBER), at)

    assert is_listed(services, caller, at)


@pytest.mark.usefixtures("as_shipped")
def test_a_release_whose_commit_is_held_is_waited_for(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    with psycopg.connect(database_url) as late:
        late.execute(OPEN, {"organisation": str(caller.organisation.id)})
        late.execute("SELECT set_config('dncd.operation', '1', true)")
        late.execute("DELETE FROM dnc_entry")
        at = now(database_url)
        time.sleep(0.01)
        with pytest.raises(InstantUnsettled):
            services.checks.check_as_of(caller, Question(NUMBER), at)

    assert not is_listed(services, caller, at)


def test_other_organisations_and_what_reads_are_not_waited_for(
    services: Services, caller: Caller, database: Database, database_url: str
) -> None:
    other = operator(
        services.organisations.add("test", make_organisation("Other")), "test"
    )
    reading = Scope(caller.organisation.id)
    with held_open(database_url, other), database.transaction(reading) as tx:
        tx.fetch("SELECT count(*) FROM dnc_entry", {})
        at = now(database_url)
        time.sleep(0.01)
        began = time.monotonic()

        assert not is_listed(services, caller, at)

        require_soon(time.monotonic() - began, 0.9)


@pytest.mark.usefixtures("as_shipped")
def test_what_is_changed_without_saying_for_whom_is_waited_for_by_all(
    services: Services, caller: Caller, database_url: str
) -> None:
    with psycopg.connect(database_url) as late:
        late.execute("SELECT dnc_instant()")
        at = now(database_url)
        time.sleep(0.01)

        with pytest.raises(InstantUnsettled):
            services.checks.check_as_of(caller, Question(NUMBER), at)


@pytest.mark.usefixtures("as_shipped")
def test_a_long_import_is_unsettled_only_from_when_it_began_to_store(
    services: Services, caller: Caller, database: Database, database_url: str
) -> None:
    scope = Scope(caller.organisation.id)
    with database.transaction(scope) as tx:
        tx.fetch("SELECT now()", {})
        time.sleep(1.1)
        reading = now(database_url)
        time.sleep(1.1)
        [row] = tx.fetch("SELECT dnc_instant() AS at", {})

        assert not is_listed(services, caller, reading)
        with pytest.raises(InstantUnsettled):
            services.checks.check_as_of(caller, Question(NUMBER), row["at"])


def test_answers_given_during_a_storm_of_changes_never_change(
    services: Services, caller: Caller, database_url: str
) -> None:
    numbers = [PhoneNumber("1", str(5552000000 + n)) for n in range(6)]
    stop = threading.Event()
    given: list[tuple[datetime, PhoneNumber, bool]] = []

    def change(seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            number = chance.choice(numbers)
            with suppress(DncError):
                if chance.random() < 0.5:
                    services.suppressions.suppress(caller, Draft(number, GLOBAL))
                else:
                    services.suppressions.release(caller, number, GLOBAL, None, None)

    def ask(seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            at = now(database_url) - timedelta(milliseconds=chance.choice([0, 0, 1, 5]))
            number = chance.choice(numbers)
            # A change that takes a second on a busy machine leaves it unsettled.
            with suppress(InstantUnsettled):
                verdict = services.checks.check_as_of(caller, Question(number), at)
                given.append((at, number, verdict.callable))

    def both_told_often() -> bool:
        return len(given) > 100 and {told for _, _, told in given} == {True, False}

    threads = [threading.Thread(target=change, args=[n]) for n in range(2)]
    threads += [threading.Thread(target=ask, args=[n]) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        require(both_told_often)
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    for at, number, told in given:
        verdict = services.checks.check_as_of(caller, Question(number), at)
        assert verdict.callable == told, (at, number)
