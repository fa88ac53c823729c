"""Which list blocks which call. No database, no clock."""

from datetime import UTC, datetime

import pytest

from app.domain import rules
from app.domain.rules import Call, Listed, Rule

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SPRING = Call(campaign_id=101, purpose="TELEMKT")
SURVEY = Call(campaign_id=102, purpose=None)


def listed(campaign_id: int, purpose: str | None = None, entry_id: int = 1) -> Listed:
    return Listed(entry_id, campaign_id, "a list", purpose, None, NOON)


@pytest.mark.parametrize(
    ("entry", "call", "rule"),
    [
        pytest.param(listed(0), SPRING, Rule.ORGANISATION, id="the organisation's own"),
        pytest.param(listed(0, "TELEMKT"), SURVEY, Rule.ORGANISATION, id="with a note"),
        pytest.param(listed(101), SPRING, Rule.CAMPAIGN, id="the campaign's"),
        pytest.param(listed(102), SPRING, None, id="not another campaign's"),
        pytest.param(listed(102, "TELEMKT"), SPRING, None, id="nor by its note"),
        pytest.param(listed(-1, "TELEMKT"), SPRING, Rule.PURPOSE, id="its purpose's"),
        pytest.param(listed(-1, "COLLECT"), SPRING, None, id="not another purpose's"),
        pytest.param(listed(-1, "TELEMKT"), SURVEY, None, id="nor one for no purpose"),
    ],
)
def test_a_list_blocks_the_calls_that_it_covers(entry, call, rule):
    verdict = rules.decide([entry], call, checked=True, checked_at=NOON)

    assert verdict.callable is (rule is None)
    assert [match.rule for match in verdict.matches] == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("entry", "may_call", "rule"),
    [
        pytest.param(listed(0), False, Rule.ORGANISATION, id="the organisation's own"),
        pytest.param(listed(101), True, Rule.CAMPAIGN, id="a campaign's informs"),
        pytest.param(
            listed(-1, "COLLECT"), True, Rule.PURPOSE, id="so does a purpose's"
        ),
    ],
)
def test_a_call_for_no_campaign_is_blocked_by_the_organisation_alone(
    entry, may_call, rule
):
    verdict = rules.decide([entry], None, checked=True, checked_at=NOON)

    assert verdict.callable is may_call
    assert [match.rule for match in verdict.matches] == [rule]


def test_the_strongest_rule_comes_first_and_then_the_oldest_entry():
    entries = [listed(-1, "TELEMKT", 1), listed(101, None, 2), listed(0, None, 3)]

    verdict = rules.decide(entries, SPRING, checked=True, checked_at=NOON)

    assert [match.entry.id for match in verdict.matches] == [3, 2, 1]


def test_with_checking_off_a_listed_number_is_callable_and_its_entry_is_told():
    verdict = rules.decide([listed(0)], SPRING, checked=False, checked_at=NOON)

    assert verdict.callable
    assert not verdict.checked
    assert len(verdict.matches) == 1
