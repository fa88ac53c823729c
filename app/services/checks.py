"""May these numbers be called?  Asked before every call, and answered afresh."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

import structlog

from app.domain import rules
from app.domain.access import Caller
from app.domain.erasure import Pseudonyms
from app.domain.errors import (
    DncError,
    StoreUnavailable,
)
from app.domain.events import OperationKind
from app.domain.patience import NotAtOnce
from app.domain.rules import Call, Finding, Question, Rule, Snapshot, Verdict
from app.domain.scopes import CampaignReference, Scope, scope_of
from app.services.begun_checks import Begun
from app.services.settling import settle
from app.services.together import Together
from app.store import campaigns, checks, operations, versions
from app.store.checks import Row
from app.store.database import Database
from app.store.roles import Plans
from app.store.roles import Scope as DatabaseScope
from app.store.transactions import Open

# So many at once that the database is asked as often as it can answer.
TOGETHER = 64

# What one statement looks up: some milliseconds.
PIECE = 2500

# More than so many may take longer than a request has, up to that many seconds.
MANY = 5000
MANY_DEADLINE = 20.0


class Hit(NamedTuple):
    """The entry that keeps a number of a long list from being called."""

    rule: Rule
    entry_id: int
    since: datetime
    reason: str | None


Hits = dict[int, Hit]

# For what is made for each of very many: a tuple of known length.
_new = tuple.__new__

_log = structlog.get_logger()


class Checks:
    """The dialer's question, for one number and for a great many."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        """Ask *database*, afresh for every question, also by *pseudonyms*."""
        self._database = database
        self._pseudonyms = pseudonyms
        self._together: dict[int, Together[Question, Finding]] = {}

    def check(self, caller: Caller, question: Question) -> Verdict:
        """
        Say whether the number may be called, and what stands against it.

        Whatever was acknowledged before this was called is seen. Raises
        CampaignUnknown: a campaign that does not exist has nothing against it.

        Where checking is switched off, each answer that ignores the list is recorded. A
        database that can record nothing, a full one, still knows the list: then that is
        what answers.
        """
        finding = self._asking(caller.organisation.id).answer(question)
        return self._conclude(caller, question, finding)

    def check_all(
        self, asked: Sequence[tuple[Caller, Question]]
    ) -> list[Verdict | DncError]:
        """
        Return of each question what ``check`` returns or raises, in their order.

        One thread's way to ask for many callers: a statement an organisation, one after
        the other. If one finds the database unavailable, the later ones do not try.
        """
        answers: list[Verdict | DncError] = [StoreUnavailable()] * len(asked)
        by_organisation: dict[int, list[int]] = {}
        for index, (caller, _) in enumerate(asked):
            by_organisation.setdefault(caller.organisation.id, []).append(index)
        for organisation_id, indexes in by_organisation.items():
            scope = _scope(organisation_id, Plans.ALONG_INDEX)
            try:
                findings = checks.check(
                    self._database.within(scope),
                    [asked[index][1] for index in indexes],
                    self._pseudonyms.of(organisation_id),
                )
            except StoreUnavailable as failure:
                return [
                    failure if isinstance(answer, StoreUnavailable) else answer
                    for answer in answers
                ]
            for index, finding in zip(indexes, findings, strict=True):
                try:
                    answers[index] = self._conclude(*asked[index], finding)
                except DncError as failure:
                    answers[index] = failure
        return answers

    def begin(self, asked: Sequence[tuple[Caller, Question]]) -> Begun:
        """
        Begin what ``check_all`` does, and wait for nothing.

        Raises NotAtOnce where it would have to: the usual case is that one
        organisation's dialers ask, by a connection that has served them before.
        """
        organisations = {caller.organisation.id for caller, _ in asked}
        if len(organisations) > 1:
            raise NotAtOnce
        organisation_id = organisations.pop()
        questions = [question for _, question in asked]
        stand_ins = self._pseudonyms.of(organisation_id)
        scope = _scope(organisation_id, Plans.ALONG_INDEX)
        begun = checks.begin(self._database.within(scope), questions, stand_ins)
        if begun is None:
            raise NotAtOnce
        return Begun(questions, begun)

    def check_as_of(
        self, caller: Caller, question: Question, as_of: datetime
    ) -> Verdict:
        """
        Say whether the list let the number be called at that instant.

        The same whenever it is asked, and by the list alone: whether checking is
        switched off is not looked at. Raises CampaignUnknown, InstantInvalid,
        InstantUnsettled.
        """
        settle(self._database, caller.organisation.id, as_of)
        scope = _scope(caller.organisation.id)
        with self._database.snapshot(scope) as tx:
            snapshot = checks.take_snapshot(tx)
            call = _find_call(tx, question.campaign)
            stand_ins = self._pseudonyms.of(caller.organisation.id)
            asked = {question.number.e164}
            names = stand_ins.require_names(snapshot.erasure_mark, asked)
            entries = versions.check(tx, asked | names.keys(), as_of)
        return rules.decide(entries, call, checked=True, checked_at=snapshot.taken_at)

    def find_listed(
        self,
        caller: Caller,
        e164s: Sequence[int],
        campaign: CampaignReference | None,
        *,
        with_reasons: bool = False,
        as_of: datetime | None = None,
    ) -> tuple[Snapshot, Hits]:
        """
        Return which of the numbers may not be called, by their keys.

        Why each is listed is told only if that is wanted: there may be very many.

        All from one snapshot; as it was at the instant *as_of*, if one is named.
        Whether a number is listed is told also where checking is switched off. Raises
        CampaignUnknown; with *as_of* InstantInvalid and InstantUnsettled.
        """
        find = checks.find_listed
        if as_of is not None:
            settle(self._database, caller.organisation.id, as_of)
            find = partial(versions.find_listed, as_of=as_of)
        scope = _scope(caller.organisation.id)
        deadline = MANY_DEADLINE if len(e164s) > MANY else None
        with self._database.snapshot(scope, deadline=deadline) as tx:
            snapshot = checks.take_snapshot(tx)
            call = _find_call(tx, campaign)
            stand_ins = self._pseudonyms.of(caller.organisation.id)
            names = stand_ins.require_names(snapshot.erasure_mark, e164s)
            # Side by side in the index, so that each of its pages is read once.
            keys = sorted([*e164s, *names])
            pieces = (
                keys[start : start + PIECE] for start in range(0, len(keys), PIECE)
            )
            found = find(tx, pieces, with_reasons=with_reasons)
            if names:
                found = ((names.get(row[0], row[0]), *row[1:]) for row in found)
            return snapshot, _strongest(found, call)

    def _asking(self, organisation_id: int) -> Together[Question, Finding]:
        asking = self._together.get(organisation_id)
        if asking is None:
            scope = _scope(organisation_id, Plans.ALONG_INDEX)
            asking = self._together.setdefault(
                organisation_id,
                Together(
                    partial(
                        checks.check,
                        self._database.within(scope),
                        stand_ins=self._pseudonyms.of(organisation_id),
                    ),
                    most=TOGETHER,
                    hopeless=StoreUnavailable,
                ),
            )
        return asking

    def _conclude(
        self, caller: Caller, question: Question, finding: Finding
    ) -> Verdict:
        verdict = rules.judge(question, finding)
        if verdict.checked or self._record_bypass(caller):
            return verdict
        return rules.decide(
            finding.entries,
            finding.call,
            checked=True,
            checked_at=finding.checked_at,
        )

    def _record_bypass(self, caller: Caller) -> bool:
        """Tell whether it is on record that the list was not asked."""
        once = self._database.of(caller.organisation.id)
        try:
            operations.append(once, caller, OperationKind.CHECK_BYPASSED, touched=0)
        except StoreUnavailable as error:
            _log.warning("bypass_not_recorded", cause=str(error))
            return False
        return True


def _find_call(tx: Open, campaign: CampaignReference | None) -> Call | None:
    if campaign is None:
        return None
    meant = campaigns.require(tx, campaign)
    return Call(meant.id, meant.purpose)


def _scope(organisation_id: int, plans: Plans = Plans.BY_NUMBER) -> DatabaseScope:
    return DatabaseScope(organisation_id, plans=plans, tells=True)


def _strongest(rows: Iterable[Row], call: Call | None) -> Hits:
    """Return of every number the entry whose rule blocks *call* and is strongest."""
    ranks: dict[tuple[int, str | None], int | None] = {}
    best: dict[int, int] = {}
    hits: Hits = {}
    weakest = len(rules.STRONGEST_FIRST)
    for e164, entry_id, campaign_id, purpose, since, reason in rows:
        on = campaign_id, purpose
        try:
            rank = ranks[on]
        except KeyError:
            rank = ranks[on] = _rank(scope_of(*on), call)
        if rank is not None and rank < best.get(e164, weakest):
            best[e164] = rank
            rule = rules.STRONGEST_FIRST[rank]
            hits[e164] = _new(Hit, (rule, entry_id, since, reason))
    return hits


def _rank(on: Scope, call: Call | None) -> int | None:
    rule = rules.find_rule(on, call)
    if rule is None or not rules.blocks(rule, call):
        return None
    return rules.STRONGEST_FIRST.index(rule)
