"""What the hot paths cost: how often they wait for the database."""

from collections.abc import Iterator

import pytest

from app.bootstrap import build_services
from app.domain.access import Caller, Grant
from app.domain.entries import Draft, EntryFilter, Page
from app.domain.errors import EntryRepeated
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.services import Services
from app.store.database import Database
from tests.store.wire_tap import WireTap, tapped

NUMBER = PhoneNumber("1", "5551234567")
OTHER = PhoneNumber("1", "5551234568")
GLOBAL = read_campaign("0")


@pytest.fixture
def tap(database_url: str) -> Iterator[WireTap]:
    with tapped(database_url) as found:
        yield found


@pytest.fixture
def tapped_services(tap: WireTap) -> Iterator[Services]:
    """Services whose one connection is open and goes through the tap."""
    database = Database(tap.url, connections=1)
    services = build_services(database)
    assert services.readiness.find_faults() == []
    tap.messages.clear()
    yield services
    database.close()


def test_an_insert_is_one_statement_and_one_round_trip(
    tapped_services: Services, tap: WireTap, caller: Caller
) -> None:
    tapped_services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))

    assert tap.round_trips == 1
    # the entering of the organisation, and the insert itself
    assert tap.statements == 2

    tapped_services.suppressions.suppress(caller, Draft(OTHER, GLOBAL))

    assert tap.round_trips == 2
    assert tap.statements == 3


def test_a_search_by_number_is_one_statement_and_one_round_trip(
    tapped_services: Services, tap: WireTap, caller: Caller
) -> None:
    wanted = EntryFilter(numbers=(NUMBER,))

    tapped_services.searches.search(caller, wanted, Page())

    assert tap.round_trips == 1
    assert tap.statements == 2


def test_a_check_is_one_statement_and_one_round_trip(
    tapped_services: Services, tap: WireTap, caller: Caller
) -> None:
    tapped_services.checks.check(caller, Question(NUMBER))

    assert tap.round_trips == 1
    # the entering of the organisation, the preparing, and the question itself
    assert tap.statements == 3

    tapped_services.checks.check(caller, Question(OTHER))

    assert tap.round_trips == 2
    assert tap.statements == 4


def test_behind_a_pooler_each_statement_is_a_transaction_in_one_round_trip(
    tap: WireTap, caller: Caller
) -> None:
    database = Database(tap.url, connections=1, prepare_statements=False)
    services = build_services(database)
    services.checks.check(caller, Question(NUMBER))
    tap.messages.clear()

    services.checks.check(caller, Question(NUMBER))

    assert tap.round_trips == 1
    # BEGIN, the entering of the organisation, the question itself, COMMIT
    assert tap.statements == 4
    database.close()


def test_a_token_is_looked_up_once_and_then_remembered(
    tapped_services: Services, tap: WireTap, caller: Caller, services: Services
) -> None:
    secret = services.access.issue(caller, "busy", [Grant.READ])

    def authenticate() -> None:
        tapped_services.access.authenticate(
            secret, dialect="convoso", address=None, request_id="x"
        )

    authenticate()
    first = tap.round_trips
    authenticate()

    assert first == 2  # the look-up, and noting that the token is used
    assert tap.round_trips == first


def test_a_repeated_insert_asks_why_it_was_kept_out(
    tapped_services: Services, tap: WireTap, caller: Caller
) -> None:
    draft = Draft(NUMBER, GLOBAL)
    stored = tapped_services.suppressions.suppress(caller, draft)
    tap.messages.clear()

    with pytest.raises(EntryRepeated) as refused:
        tapped_services.suppressions.suppress(caller, draft)

    assert refused.value.entry_id == stored
    assert tap.round_trips <= 6
