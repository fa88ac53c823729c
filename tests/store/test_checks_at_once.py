"""Checks that are begun, and whose answers somebody else waits for."""

import select
from typing import Any

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.entries import Draft
from app.domain.errors import CampaignUnknown
from app.domain.patience import NotAtOnce
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import ORGANISATION, read_campaign
from app.services import Services
from app.services.organisations import operator
from tests.conftest import make_organisation
from tests.waiting import require

LISTED = Question(PhoneNumber("1", "5551234567"))
FREE = Question(PhoneNumber("1", "5557654321"))

HANG_UP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'dncd'
"""


@pytest.fixture
def asking(services: Services, caller: Caller) -> Services:
    """Services that have asked before, on the connection that they have idle."""
    services.suppressions.suppress(caller, Draft(LISTED.number, ORGANISATION))
    services.checks.check(caller, FREE)
    return services


def answers(services: Services, caller: Caller, *questions: Question) -> list[Any]:
    begun = services.checks.begin([(caller, question) for question in questions])
    try:
        while True:
            assert select.select([begun.fileno()], [], [], 10)[0]
            found = begun.receive()
            if found is not None:
                return found
    finally:
        begun.close()


def test_they_are_what_waiting_for_them_would_have_found(asking, caller):
    asked = [(caller, LISTED), (caller, FREE)]

    for _ in range(20):
        found = answers(asking, caller, LISTED, FREE)

        listed, free = asking.checks.check_all(asked)
        assert [found[0].callable, found[1].callable] == [False, True]
        assert found[0].matches == listed.matches
        assert free.checked_at >= found[1].checked_at


def test_what_is_acknowledged_before_blocks(asking, caller):
    for n in range(20):
        number = PhoneNumber("1", str(5552000000 + n))
        asking.suppressions.suppress(caller, Draft(number, ORGANISATION))
        # What changes the list enters it otherwise than what asks.
        asking.checks.check(caller, FREE)

        assert not answers(asking, caller, Question(number))[0].callable


def test_without_a_connection_that_has_asked_before_nothing_is_begun(services, caller):
    with pytest.raises(NotAtOnce):
        services.checks.begin([(caller, FREE)])


def test_no_organisation_is_answered_as_another(asking, caller):
    added = asking.organisations.add("test", make_organisation("Other"))
    other = operator(added, "test")

    with pytest.raises(NotAtOnce):
        asking.checks.begin([(caller, LISTED), (other, LISTED)])
    with pytest.raises(NotAtOnce):
        asking.checks.begin([(other, LISTED)])

    assert asking.checks.check(other, LISTED).callable
    assert answers(asking, other, LISTED)[0].callable
    with pytest.raises(NotAtOnce):
        asking.checks.begin([(caller, LISTED)])
    assert not asking.checks.check(caller, LISTED).callable


def test_a_connection_that_the_server_has_ended_is_replaced(
    asking, caller, database_url
):
    with psycopg.connect(database_url) as connection:
        connection.execute(HANG_UP)

    with pytest.raises(NotAtOnce):
        answers(asking, caller, LISTED)

    def is_answered_again() -> bool:
        assert not asking.checks.check(caller, LISTED).callable
        try:
            return not answers(asking, caller, LISTED)[0].callable
        except NotAtOnce:
            return False

    require(is_answered_again)


def test_an_unknown_campaign_is_an_error_of_its_question_alone(asking, caller):
    unknown = Question(FREE.number, read_campaign("NOSUCH"))
    asking.checks.check_all([(caller, unknown)])

    wrong, listed = answers(asking, caller, unknown, LISTED)

    assert isinstance(wrong, CampaignUnknown)
    assert not listed.callable


def test_what_ignores_the_list_is_left_to_those_who_can_record_it(asking, caller):
    asking.organisations.switch_checking(caller, enabled=False)

    with pytest.raises(NotAtOnce):
        answers(asking, caller, LISTED)

    assert asking.checks.check(caller, LISTED).checked is False
