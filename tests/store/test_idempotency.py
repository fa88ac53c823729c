"""What is done under a key is one transaction, which the services' own join."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import UNCHANGED, Draft, Revision
from app.domain.errors import (
    AlreadySuppressed,
    IdempotencyKeyInUse,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    NotSuppressed,
    StoreUnavailable,
)
from app.domain.idempotency import KeptAnswer, hash_key
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.services import Services, idempotency
from app.services.idempotency import Refusal, Unsettled
from app.store import idempotent_requests
from app.store.database import Database
from app.store.roles import Plans, Scope
from tests.store.wire_tap import WireTap, tapped

NUMBER = PhoneNumber("1", "5551234567")
OTHER = PhoneNumber("1", "5551234568")
GLOBAL = read_campaign("0")
KEY, ANOTHER = hash_key("one"), hash_key("another")
ASKED = bytes(32)

DONE = KeptAnswer(200, (("Content-Type", "text/plain"),), b"done\x00\xff")
NO = KeptAnswer(422, (), b"no")

AGES = ["29 days", "31 days", "32 days", "1 day"]

ENTER = "SELECT set_config('dncd.organisation', %s, true)"
SETTING = "SELECT current_setting(%(name)s, true) AS value"


def suppressing(services: Services, caller: Caller) -> Callable[[], KeptAnswer]:
    def work() -> KeptAnswer:
        services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
        return DONE

    return work


def is_listed(services: Services, caller: Caller, number: PhoneNumber = NUMBER) -> bool:
    return not services.checks.check(caller, Question(number)).callable


def test_an_answer_comes_back_as_it_was_and_the_work_is_not_done_again(
    services: Services, caller: Caller
) -> None:
    settle = services.idempotency.settle
    first = settle(caller, KEY, ASKED, suppressing(services, caller))
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)

    again = settle(caller, KEY, ASKED, suppressing(services, caller))

    assert (first.answer, first.replayed) == (DONE, False)
    assert (again.answer, again.replayed) == (DONE, True)
    assert not is_listed(services, caller)


def test_what_is_refused_is_undone_and_its_answer_kept(
    services: Services, caller: Caller
) -> None:
    """What the first of two services has done goes with what the second refuses."""

    def work() -> KeptAnswer:
        services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
        try:
            services.suppressions.release(caller, OTHER, GLOBAL, None, None)
        except NotSuppressed:
            raise Refusal(NO) from None
        return DONE

    for replayed in (False, True):
        settled = services.idempotency.settle(caller, KEY, ASKED, work)
        assert (settled.answer, settled.replayed) == (NO, replayed)
        assert not is_listed(services, caller)


@pytest.mark.parametrize("failure", [StoreUnavailable, ZeroDivisionError])
def test_of_what_fails_nothing_is_kept(
    failure: type[Exception], services: Services, caller: Caller
) -> None:
    def work() -> KeptAnswer:
        services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
        raise failure

    for _ in range(2):
        with pytest.raises(failure):
            services.idempotency.settle(caller, KEY, ASKED, work)
        assert not is_listed(services, caller)


def test_of_what_is_unsettled_nothing_is_kept(
    services: Services, caller: Caller
) -> None:
    def work() -> KeptAnswer:
        services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
        raise Unsettled(NO)

    for _ in range(2):
        settled = services.idempotency.settle(caller, KEY, ASKED, work)
        assert (settled.answer, settled.replayed) == (NO, False)
        assert not is_listed(services, caller)


def test_a_key_is_refused_to_another_request_and_while_it_is_in_use(
    services: Services, caller: Caller
) -> None:
    settle = services.idempotency.settle

    def work() -> KeptAnswer:
        with ThreadPoolExecutor(1) as pool, pytest.raises(IdempotencyKeyInUse):
            pool.submit(settle, caller, KEY, ASKED, work).result()
        return DONE

    settle(caller, KEY, ASKED, work)

    with pytest.raises(IdempotencyKeyReused):
        settle(caller, KEY, bytes(31) + b"\x01", work)


def test_nothing_that_is_not_committed_is_seen_by_a_check(
    services: Services, caller: Caller
) -> None:
    def work() -> KeptAnswer:
        services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
        assert not is_listed(services, caller)
        with ThreadPoolExecutor(1) as pool:
            assert not pool.submit(is_listed, services, caller).result()
        return DONE

    services.idempotency.settle(caller, KEY, ASKED, work)

    assert is_listed(services, caller)


def test_every_service_that_changes_something_joins(
    services: Services, caller: Caller
) -> None:
    """Undone together; services that look before they change see what was changed."""
    entry = services.suppressions.suppress(caller, Draft(OTHER, GLOBAL))
    third = PhoneNumber("1", "5551234569")

    def work() -> KeptAnswer:
        suppressions = services.suppressions
        added = suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
        with pytest.raises(AlreadySuppressed) as met:
            suppressions.suppress(caller, Draft(NUMBER, GLOBAL, reason="again"))
        assert met.value.entry_id == added
        drafts = [Draft(NUMBER, GLOBAL), Draft(third, GLOBAL)]
        assert suppressions.suppress_many(caller, drafts)[0] is None
        to_number = Revision(NUMBER.national, UNCHANGED, GLOBAL, None, None)
        with pytest.raises(AlreadySuppressed):
            suppressions.revise(caller, entry, to_number)
        to_other = Revision(UNCHANGED, UNCHANGED, GLOBAL, "because", None)
        suppressions.revise(caller, entry, to_other)
        assert suppressions.release_many(caller, [third], GLOBAL) == 1
        suppressions.release_entry(caller, entry)
        services.organisations.switch_checking(caller, enabled=False)
        raise Unsettled(NO)

    services.idempotency.settle(caller, KEY, ASKED, work)

    assert is_listed(services, caller, OTHER)
    assert not is_listed(services, caller)
    assert not is_listed(services, caller, third)


@pytest.fixture
def shared(caller: Caller) -> Scope:
    return Scope(caller.organisation.id)


def test_what_a_part_sets_for_itself_ends_with_it(
    database: Database, shared: Scope
) -> None:
    names = [
        "plan_cache_mode",
        "enable_hashjoin",
        "dncd.operation",
        "statement_timeout",
    ]
    with database.shared(shared) as tx:
        before = [tx.fetch(SETTING, {"name": name}) for name in names]
        planned = replace(shared, plans=Plans.BY_NUMBER)
        with database.transaction(planned, deadline=30) as part:
            part.act_for(7)
            part.limit(5)
            during = [part.fetch(SETTING, {"name": name}) for name in names]
            database.of(shared.organisation_id or 0).fetch("SELECT 1", {})
            assert [part.fetch(SETTING, {"name": name}) for name in names] == during
        after = [tx.fetch(SETTING, {"name": name}) for name in names]
        assert tx.connection.deadline == 30

    assert during != before
    assert [row[0]["value"] or "" for row in after] == [
        row[0]["value"] or "" for row in before
    ]


def test_a_part_that_fails_is_undone_alone_whatever_the_server_said(
    database: Database, shared: Scope
) -> None:
    with database.shared(shared) as tx:
        with pytest.raises(StoreUnavailable):
            database.of(shared.organisation_id or 0).fetch("SELECT 1 / 0", {})
        with pytest.raises(KeyError), database.transaction(shared):
            raise KeyError
        assert tx.fetch("SELECT 1 AS one", {}) == [{"one": 1}]


def test_only_the_organisation_s_own_transactions_of_this_thread_join(
    database: Database, shared: Scope
) -> None:
    asked = "SELECT pg_backend_pid() AS pid"

    def pid(scope: Scope) -> int:
        with database.transaction(scope) as tx:
            found: int = tx.fetch(asked, {})[0]["pid"]
        assert database.within(scope).fetch(asked, {})
        return found

    with database.shared(shared) as tx:
        ours = tx.fetch(asked, {})[0]["pid"]
        assert pid(shared) == ours
        assert pid(replace(shared, plans=Plans.BY_INDEX)) == ours
        for other in (
            Scope(),
            Scope((shared.organisation_id or 0) + 1),
            Scope(secret_hash=bytes(32)),
            Scope(organisation_name="Acme"),
            replace(shared, secret_hash=bytes(32)),
        ):
            assert pid(other) != ours
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(pid, shared).result() != ours
        with database.snapshot(shared) as snapshot:
            assert snapshot.fetch(asked, {})[0]["pid"] != ours
    assert database.transaction(shared)


@pytest.fixture
def tap(database_url: str) -> Iterator[WireTap]:
    with tapped(database_url) as found:
        yield found


def test_a_key_costs_an_insert_six_round_trips_more(
    tap: WireTap, caller: Caller
) -> None:
    database = Database(tap.url, connections=1)
    services = build_services(database)
    # The first one sweeps.
    services.idempotency.settle(caller, ANOTHER, ASKED, lambda: DONE)
    tap.messages.clear()
    services.idempotency.settle(caller, KEY, ASKED, suppressing(services, caller))
    with_key = tap.round_trips
    tap.messages.clear()
    services.idempotency.settle(caller, KEY, ASKED, suppressing(services, caller))
    replayed = tap.round_trips
    database.close()

    assert with_key == 7
    assert replayed == 3


def test_a_sweep_takes_what_has_expired_of_everybody_and_no_more(
    database: Database, database_url: str
) -> None:
    for number, age in enumerate(AGES, 1):
        with psycopg.connect(database_url) as owner:
            owner.execute(ENTER, [str(number)])
            owner.execute(
                "INSERT INTO idempotent_request (organisation_id, key, request,"
                " request_id, at, status, headers, body) VALUES (%s, %s, %s, 'x',"
                " now() - %s::interval, 200, '[]', '')",
                [number, bytes(32), bytes(32), age],
            )

    def sweep(most: int) -> int:
        with database.transaction(Scope()) as tx:
            return idempotent_requests.sweep(tx, most)

    assert [sweep(1), sweep(10), sweep(10)] == [1, 1, 0]
    kept = []
    for number in range(1, 5):
        rows = "SELECT organisation_id AS kept FROM idempotent_request"
        kept += database.of(number).fetch(rows, {})
    assert kept == [{"kept": 1}, {"kept": 4}]


def test_who_does_not_sweep_sees_nothing_of_others_that_has_expired(
    database: Database, services: Services, caller: Caller, database_url: str
) -> None:
    services.idempotency.settle(caller, KEY, ASKED, lambda: DONE)
    with psycopg.connect(database_url) as owner:
        owner.execute(ENTER, [str(caller.organisation.id)])
        owner.execute("UPDATE idempotent_request SET at = at - interval '31 days'")
    everything = "SELECT count(*) AS n FROM idempotent_request"

    assert database.of(caller.organisation.id).fetch(everything, {}) == [{"n": 1}]
    for scope in (Scope(), Scope(caller.organisation.id + 1)):
        assert database.within(scope).fetch(everything, {}) == [{"n": 0}]


def test_a_service_sweeps_once_a_minute_and_again_at_once_while_there_is_much(
    database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant, swept, found = [0.0], [], [idempotency.SWEPT, 3, 0]

    def sweep(_tx: object, most: int) -> int:
        swept.append((instant[0], most))
        return found.pop(0)

    monkeypatch.setattr(idempotency.idempotent_requests, "sweep", sweep)
    service = idempotency.Idempotency(database, clock=lambda: instant[0])
    for second in (0.0, 1.0, 2.0, 60.0, 61.5, 62.0):
        instant[0] = second
        service.settle(caller, hash_key(str(second)), ASKED, lambda: DONE)

    assert [at for at, _ in swept] == [0.0, 1.0, 61.5]


@pytest.mark.parametrize(
    "key", ["", " ", "a b", '"', '"a', '"a"b', '"\\a"', "é", "x" * 256]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(IdempotencyKeyInvalid):
        hash_key(key)


def test_a_quoted_key_is_the_bare_one() -> None:
    assert hash_key('"a-b"') == hash_key("a-b") == hash_key(" a-b\t")
    assert hash_key('"a\\"\\\\"') == hash_key('a"\\')
    assert hash_key("a") != hash_key("A")
