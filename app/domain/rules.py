"""
May this number be called?  Every rule, strongest first.

To add a rule, write one function here and name it in ``RULES``. A rule says of a list
whether being on it blocks a call for the campaign that is asked about.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.domain.errors import CampaignUnknown
from app.domain.phone import PhoneNumber
from app.domain.scopes import (
    ORGANISATION_LIST,
    PURPOSE_LIST,
    CampaignReference,
    Scope,
    scope_of,
)


class Rule(StrEnum):
    """Why an entry blocks a call."""

    ORGANISATION = "organisation"
    CAMPAIGN = "campaign"
    PURPOSE = "purpose"


# Made for every check, which tuples cost a fifth of.
class Question(NamedTuple):
    """May *number* be called for that campaign, or for none in particular?"""

    number: PhoneNumber
    campaign: CampaignReference | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What a dialer is about to do: call for a campaign, and for what purpose."""

    campaign_id: int
    purpose: str | None


class Listed(NamedTuple):
    """An entry of the number that is asked about."""

    id: int
    campaign_id: int
    campaign_name: str
    purpose: str | None
    reason: str | None
    since: datetime


class Finding(NamedTuple):
    """
    What the database knows about one question, all read at the same instant.

    *call* is None if the question named no campaign, or none that there is.
    """

    call: Call | None
    entries: tuple[Listed, ...]
    checking_enabled: bool
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The instant that a transaction sees; *name* is PostgreSQL's own for it.

    *erasure_mark* is there where numbers are kept under stand-ins.
    """

    name: str
    taken_at: datetime
    checking_enabled: bool
    erasure_mark: str | None = None


class Match(NamedTuple):
    """An entry and the rule by which it blocks calls."""

    entry: Listed
    rule: Rule


class Verdict(NamedTuple):
    """
    The answer to a question, and what it rests on.

    *matches* has every entry that blocks the call, strongest rule first; asked without
    a campaign also those that block the calls of some. Where the organisation has
    switched its checking off, *checked* is false and every number counts as callable.
    """

    callable: bool
    checked: bool
    checked_at: datetime
    matches: tuple[Match, ...]


def organisation_list(on: Scope, _call: Call | None) -> bool:
    """The organisation's own list blocks every call."""
    return on.campaign_id == ORGANISATION_LIST


def campaign_list(on: Scope, call: Call | None) -> bool:
    """A campaign's list blocks that campaign's calls."""
    if on.campaign_id in {ORGANISATION_LIST, PURPOSE_LIST}:
        return False
    return call is None or on.campaign_id == call.campaign_id


def purpose_list(on: Scope, call: Call | None) -> bool:
    """A purpose's list blocks the calls of every campaign with that purpose."""
    if on.campaign_id != PURPOSE_LIST:
        return False
    return call is None or on.purpose == call.purpose


RULES: tuple[tuple[Rule, Callable[[Scope, Call | None], bool]], ...] = (
    (Rule.ORGANISATION, organisation_list),
    (Rule.CAMPAIGN, campaign_list),
    (Rule.PURPOSE, purpose_list),
)

STRONGEST_FIRST = tuple(rule for rule, _ in RULES)


def find_rule(on: Scope, call: Call | None) -> Rule | None:
    """
    Return the rule by which the list *on* blocks *call*, or None.

    Where the call is for no campaign in particular, the rule by which it blocks any.
    """
    for rule, speaks in RULES:
        if speaks(on, call):
            return rule
    return None


def blocks(rule: Rule, call: Call | None) -> bool:
    """
    Whether what *rule* says keeps the call that is asked about from being made.

    Asked without a campaign, the lists of campaigns and purposes only inform.
    """
    return call is not None or rule == Rule.ORGANISATION


def decide(
    entries: Sequence[Listed],
    call: Call | None,
    *,
    checked: bool,
    checked_at: datetime,
) -> Verdict:
    """Return the verdict on *call* to a number that has *entries*."""
    if not entries:
        return Verdict(True, checked, checked_at, ())  # noqa: FBT003
    matches = [
        Match(entry, rule)
        for entry in entries
        if (rule := find_rule(scope_of(entry.campaign_id, entry.purpose), call))
    ]
    if len(matches) > 1:
        matches.sort(key=_strength)
    blocked = any(blocks(match.rule, call) for match in matches)
    return Verdict(not (checked and blocked), checked, checked_at, tuple(matches))


def judge(question: Question, finding: Finding) -> Verdict:
    """Return the verdict on *question*; raises CampaignUnknown."""
    if question.campaign is not None and finding.call is None:
        raise CampaignUnknown
    return decide(
        finding.entries,
        finding.call,
        checked=finding.checking_enabled,
        checked_at=finding.checked_at,
    )


def _strength(match: Match) -> tuple[int, int]:
    return STRONGEST_FIRST.index(match.rule), match.entry.id
