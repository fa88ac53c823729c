"""
Random sequences of every operation, by a token that may do all but delete.

Generated from openapi.yaml by ``operations``, so that a new operation is among them.
What was blocked stays blocked, for the campaign that it was blocked for, whoever asks.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from app.domain.access import Grant
from app.domain.entries import Draft
from app.domain.leads import LeadDraft
from app.domain.phone import PhoneNumber
from app.domain.scopes import FILTER_PHONE_GROUP, Campaign, read_campaign
from app.services.organisations import EVERY_GRANT
from tests.wire.conftest import MakeApi, open_doors
from tests.wire.doors import Doors, find_answers
from tests.wire.operations import Field, Means, Operation, read_operations, send
from tests.wire.service import Api

OPERATIONS = read_operations()
NUMBERS = [f"55512340{n:02}" for n in range(6)]
CAMPAIGN, OTHER, GROUP = "SPRING", "AUTUMN", "FPG1"
CALLED = (None, CAMPAIGN, OTHER)

# What a dialer asks before it calls; the others tell of lists.
CHECKS = {
    *(("native", name) for name in ("check", "batch", "scrub")),
    *(("vicidial", name) for name in ("check_phone_number", "filter")),
    *(("dncscrub", name) for name in ("scrub", "scrub as json", "scrub as xml")),
}

Blocked = set[tuple[str | None, str]]

_users = itertools.count(1)


@dataclass(frozen=True)
class Attack:
    """A token, what it may name, and how to see what it has done."""

    api: Api
    url: str
    token: str
    user: str
    doors: Doors
    choose: random.Random
    operations: list[Operation] = field(default_factory=lambda: OPERATIONS)

    def own_ids(self) -> list[int]:
        """Return the id of every entry that is or was the organisation's."""
        own = self.api.caller.organisation.id
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "SELECT set_config('dncd.organisation', %s, true)", [str(own)]
            )
            rows = connection.execute(
                "SELECT id FROM dnc_entry WHERE organisation_id = %(own)s UNION"
                " SELECT id FROM dnc_entry_past WHERE organisation_id = %(own)s",
                {"own": own},
            ).fetchall()
        return sorted(entry_id for (entry_id,) in rows)

    def value(self, operation: Operation, field: Field, ids: list[int]) -> Any:
        """Return something that *field* may well be given, rarely what it may not."""
        means = operation.means(field)
        assert means, f"nobody has said what {operation}'s {field.name} means"
        if operation.chosen and means is Means.FUNCTION:
            return operation.chosen[1]
        if means is Means.SWITCH:
            return self.switch(field)
        pick = self.choose.choice
        number, entry = pick(NUMBERS), pick(ids)
        purpose, on = pick(["TELEMKT", "NOTIFY"]), pick(["0", "-1", CAMPAIGN])
        return pick(
            {
                Means.TOKEN: [self.token],
                Means.USER: [self.user],
                Means.ENTRY: [str(entry)],
                Means.LEAD: [str(entry)],
                Means.CAMPAIGN_ID: [str(entry)],
                Means.RECORD: [f"{entry:024x}"],
                Means.CAMPAIGN: [
                    *("0", "-1", "", CAMPAIGN, OTHER, GROUP, "SYSTEM_INTERNAL")
                ],
                Means.GROUP: [GROUP, CAMPAIGN, "0"],
                Means.NUMBER: [number, number, f"+1{number}", f"1{number}", "555"],
                Means.NUMBER_WITH_CODE: [f"1{number}", f"+1{number}"],
                Means.NUMBERS: [[number, *self.choose.sample(NUMBERS, 2)]],
                Means.ROWS: [
                    "phone_number,campaign_uid,purpose,reason\n"
                    f"{number},{on},{purpose},{reason}\n"
                    for reason in ("", "asked")
                ],
                Means.PURPOSE: ["TELEMKT", "NOTIFY", "telemkt", "", "-BLANK-"],
                Means.STATUS: ["NEW", "ACTIVE", "DNC", ""],
                Means.REASON: ["", "asked", "-BLANK-", "-NOTBLANK-"],
                Means.PART: [number, "asked"],
                Means.OFFSET: ["0", "1", "2"],
                Means.PAGE: ["0", "1", "2"],
                Means.LIMIT: ["0", "1", "2"],
                Means.CODE: ["1", "1", "1", "44"],
                Means.NOTE: ["test", "phone_number", ""],
            }[means]
        )

    def switch(self, field: Field) -> Any:
        if field.name == "enable":
            return self.choose.choice([True, False, False])
        if field.choices:
            return self.choose.choice(field.choices)
        return self.choose.choice(["true", "false", "Y", "N", "1", "0", ""])

    def send_one(self, operation: Operation, ids: list[int]) -> str:
        """Send a random request of *operation*; return what it was, for a message."""
        values = {
            field.name: self.value(operation, field, ids)
            for field in operation.fields
            # A key that came before would have nothing done.
            if field.name != "Idempotency-Key"
            if field.needed
            or operation.means(field) in {Means.TOKEN, Means.USER}
            or self.choose.random() < 0.6
        }
        answer = send(self.api.base, operation, values)
        assert answer.status_code not in {500, 503}, (operation, answer.text)
        return f"{operation} {values} -> {answer.status_code} {answer.text[:200]}"

    def blocked(self) -> Blocked:
        """Return which numbers may not be called, and for which campaign."""
        found = set()
        for campaign in CALLED:
            answer = self.api.session.post(
                f"{self.api.base}/v1/dnc/check/batch",
                json={
                    "phone_code": "1",
                    "numbers": NUMBERS,
                    "campaign_id": campaign or "",
                },
                headers={"Authorization": f"Bearer {self.api.token}"},
                timeout=20,
            ).json()
            assert answer["success"] is True, answer
            if answer["data"].get("checking") == "off":
                continue
            found |= {(campaign, NUMBERS[x["index"]]) for x in answer["data"]["listed"]}
        return found

    def rounds(self, count: int) -> Iterator[tuple[str, Blocked, Blocked]]:
        """Send every operation *count* times, in any order; yield what each did."""
        before = self.blocked()
        for _ in range(count):
            ids = self.own_ids()
            for operation in self.choose.sample(self.operations, len(self.operations)):
                sent = self.send_one(operation, ids)
                after = self.blocked()
                yield sent, before, after
                before = after

    def require_every_check_agrees(self, blocked: Blocked) -> None:
        """Ask each number of *blocked* in every way that a dialer may ask."""
        for campaign, number in sorted(blocked, key=str):
            answers = find_answers(self.doors, number, campaign)
            callable_by = {x for x in CHECKS & set(answers) if not answers[x]}
            assert not callable_by, (campaign, number)


def attack(
    api: Api, url: str, grants: frozenset[Grant], seed: int | None = None
) -> Attack:
    """Fill the list of *api*, and give a token that may do *grants* to an attacker."""
    services, caller = api.services, api.caller
    api.add_campaign(CAMPAIGN, "TELEMKT")
    api.add_campaign(OTHER)
    services.campaigns.add(
        caller, None, Campaign(0, GROUP, "a group", FILTER_PHONE_GROUP)
    )
    lists = [("0", None), (CAMPAIGN, None), ("-1", "TELEMKT"), (GROUP, None)]
    for number, (on, purpose) in zip(NUMBERS, lists, strict=False):
        phone = PhoneNumber("1", number)
        draft = Draft(phone, read_campaign(on), purpose, "asked")
        services.suppressions.suppress(caller, draft)
        lead = LeadDraft(phone, read_campaign(CAMPAIGN), "NEW", "", "")
        services.leads.insert(caller, lead)
    user = f"attacker-{caller.organisation.id}-{next(_users)}"
    token = services.access.issue(caller, "attacker", grants, user=user)
    seed = random.randrange(2**32) if seed is None else seed
    print(f"seed {seed}")
    return Attack(api, url, token, user, open_doors(api), random.Random(seed))


def hold_out(attacker: Attack, count: int) -> None:
    first = attacker.blocked()
    assert len(first) == 5, first
    every = set(first)
    for sent, before, after in attacker.rounds(count):
        assert before <= after, (sent, before - after)
        every |= after
    attacker.require_every_check_agrees(every)
    for number in {number for campaign, number in first if campaign is None}:
        answers = find_answers(attacker.doors, number)
        assert all(answers.values()), answers


GRANTS: Mapping[str, frozenset[Grant]] = {
    "all but delete": EVERY_GRANT - {Grant.DELETE},
    "neither delete nor admin": EVERY_GRANT - {Grant.DELETE, Grant.ADMIN},
}
with_grants = pytest.mark.parametrize("grants", GRANTS.values(), ids=GRANTS.keys())


@with_grants
def test_no_sequence_of_operations_unblocks_without_the_grant(
    grants: frozenset[Grant], api: Api, service_database: str
) -> None:
    hold_out(attack(api, service_database, grants, seed=2026), 1)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@with_grants
def test_no_long_sequence_of_operations_unblocks_without_the_grant(
    grants: frozenset[Grant], make_api: MakeApi, service_database: str
) -> None:
    for _ in range(5):
        hold_out(attack(make_api(), service_database, grants), 20)


def test_the_same_sequences_unblock_with_the_grant(
    api: Api, service_database: str
) -> None:
    """Or they would show nothing."""
    # Who is forgotten stays blocked, by whatever is asked afterwards.
    others = [one for one in OPERATIONS if not one.name.startswith("erase")]
    attacker = replace(
        attack(api, service_database, EVERY_GRANT, seed=2026), operations=others
    )

    unblocking = {
        sent.split()[0]
        for sent, before, after in attacker.rounds(2)
        if not before <= after
    }

    assert len(unblocking) >= 3, unblocking
