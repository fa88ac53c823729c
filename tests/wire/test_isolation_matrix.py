"""
Every operation, every field that names something: own, another's, absent.

Generated from openapi.yaml by ``operations``. Whatever another organisation has is
answered as what nobody has, byte for byte, and stays as it was.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
import pytest
import requests

from app.domain.access import new_secret
from app.domain.entries import Draft
from app.domain.leads import LeadDraft, LeadStatus
from app.domain.phone import PhoneNumber
from app.domain.scopes import FILTER_PHONE_GROUP, Campaign, read_campaign
from app.services.organisations import EVERY_GRANT
from tests.wire import stored
from tests.wire.conftest import MakeApi
from tests.wire.operations import (
    MEANINGS,
    NOBODY_S,
    Field,
    Means,
    Operation,
    read_operations,
    send,
)
from tests.wire.service import Api

OPERATIONS = read_operations()

OWN, FOREIGN, ABSENT = "5551230001", "5551230002", "5551230003"
FOREIGN_MORE = [f"55512310{n:02}" for n in range(15)]

# Where a field is looked at only together with others.
BESIDE: Mapping[str, Mapping[str, Any]] = {
    "dncInsert.purpose": {"campaign_id": "-1"},
    "dncUpdate.purpose": {"campaign_id": "-1"},
    "dncDelete.purpose": {"campaign_id": "-1"},
    "dncDelete.lead_status": {"update_lead_status": "true"},
    "importList.purpose": {"campaign_id": "-1"},
    "nonAgentApi.campaign_id": {"campaign_dnc_check": "Y"},
    "rootNonAgentApi.campaign_id": {"campaign_dnc_check": "Y"},
}

# What a function needs that the document, which has all of them, cannot say.
PAGE = ("user", "pass", "source", "phone_number")
NEEDED: Mapping[str, tuple[str, ...]] = {
    "check_phone_number": (*PAGE, "dnc_check"),
    "add_dnc_phone": (*PAGE, "campaign_id"),
    "delete_dnc_phone": (*PAGE, "campaign_id"),
    "add_fpg_phone": (*PAGE, "group"),
    "delete_fpg_phone": (*PAGE, "group"),
    "add": ("loginId", "phoneList"),
    "remove": ("loginId", "phoneList"),
    "count": ("loginId",),
    "status": ("loginId", "phoneList"),
    "internalDnc": ("loginId",),
    "scrubNumbers": ("loginId",),
}

# Values of no meaning to isolation.
PLAIN: Mapping[str, Any] = {
    "phone_code": "1",
    "limit": "100",
    "enable": True,
    "source": "test",
    "dnc_check": "Y",
    "first_name": "Ada",
}

# The contract tells whose a record is, and nothing else of it.
TELLS_WHOSE = {("deleteRecord", "record_id"): (403, 404)}


@dataclass(frozen=True)
class Neighbours:
    """Two organisations, and of everything one that is ours, theirs and nobody's."""

    ours: Api
    theirs: Api
    url: str
    own: Mapping[Means, list[Any]]
    foreign: Mapping[Means, list[Any]]
    absent: Mapping[Means, list[Any]]

    def call(
        self, operation: Operation, values: Mapping[str, Any]
    ) -> requests.Response:
        answer = send(self.ours.base, operation, values)
        assert answer.status_code not in {500, 503}, (operation, answer.text)
        return answer

    def everything_of_theirs(self) -> dict[str, Any]:
        """Return a fingerprint of each table's rows of theirs, behind the service."""
        own = self.theirs.caller.organisation.id
        fingerprints = " UNION ALL ".join(
            f"SELECT '{table}' AS name, count(*), md5(string_agg(row::text, '|'"
            f" ORDER BY row::text)) FROM {table} AS row WHERE {column} = %(id)s"
            for table, column in tables_of_organisations(self.url)
        )
        return {row["name"]: row for row in stored.fetch(self.url, own, fingerprints)}


@cache
def tables_of_organisations(url: str) -> list[tuple[str, str]]:
    """Return each table with rows of organisations, and the column that says whose."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND (column_name = 'organisation_id'"
            " OR table_name = 'organisation' AND column_name = 'id')"
            # Sealing goes on by itself.
            " AND table_name <> 'seal_leaf'"
        ).fetchall()
    assert len(tables) > 10
    return tables


def fill(api: Api, name: str, number: str, more: list[str]) -> dict[Means, list[Any]]:
    """Give an organisation one of everything; return what names it."""
    services, caller = api.services, api.caller
    purpose, status, reason = f"{name}PURPOSE", f"{name}STATUS", f"{name} reason"
    services.campaigns.add_purpose(caller, purpose)
    services.leads.define_status(caller, LeadStatus(status, f"{name} status name"))
    campaign = Campaign(0, f"{name}CAMP", f"{name} campaign", "outbound", purpose)
    campaign_id = {"OURS": 8899901, "THEM": 8899902}[name]
    services.campaigns.add(caller, campaign_id, campaign)
    group = Campaign(0, f"{name}FPG", f"{name} group", FILTER_PHONE_GROUP)
    services.campaigns.add(caller, campaign_id + 10, group)
    phone = PhoneNumber("1", number)
    evidence = {"batchId": f"{name} batch", "requestUUID": f"{name} request"}
    entry = services.suppressions.suppress(
        caller, Draft(phone, read_campaign("0"), None, reason, evidence)
    )
    for on, its in ((campaign.uid, None), (group.uid, None), ("-1", purpose)):
        draft = Draft(phone, read_campaign(on), its, reason)
        services.suppressions.suppress(caller, draft)
    drafts = [
        Draft(PhoneNumber("1", one), read_campaign("0"), None, reason) for one in more
    ]
    if drafts:
        services.suppressions.suppress_many(caller, drafts)
    lead = services.leads.insert(
        caller, LeadDraft(phone, read_campaign(campaign.uid), status, f"{name}ada", "")
    )
    user = f"user-{name}-{caller.organisation.id}"
    token = services.access.issue(caller, "matrix", EVERY_GRANT, user=user)
    return {
        Means.TOKEN: [token],
        Means.USER: [user],
        Means.ENTRY: [str(entry)],
        Means.RECORD: [f"{entry:024x}"],
        Means.LEAD: [str(lead)],
        Means.CAMPAIGN: [campaign.uid, str(campaign_id)],
        Means.CAMPAIGN_ID: [str(campaign_id)],
        Means.GROUP: [group.uid, str(campaign_id + 10)],
        Means.PURPOSE: [purpose],
        Means.STATUS: [status],
        Means.REASON: [reason],
        Means.PART: [number, reason, f"{name} request", f"+1{number}"],
        **numbers(number, campaign.uid, purpose),
    }


def numbers(number: str, campaign: str, purpose: str) -> dict[Means, list[Any]]:
    head = "phone_number,phone_code,campaign_uid,purpose\n"
    return {
        Means.NUMBER: [number],
        Means.NUMBER_WITH_CODE: [f"1{number}"],
        Means.NUMBERS: [[number]],
        Means.ROWS: [
            f"phone_number\n{number}\n",
            f"{head}{OWN},1,{campaign},\n",
            f"{head}{OWN},1,-1,{purpose}\n",
        ],
    }


def absent_of(url: str, ours: Api, theirs: Mapping[Means, list[Any]]) -> dict[Any, Any]:
    """Return what nobody has, and as long as what is theirs."""
    with psycopg.connect(url) as connection:
        ids = connection.execute(
            "SELECT nextval(pg_get_serial_sequence('dnc_entry', 'id')),"
            " nextval(pg_get_serial_sequence('lead', 'id'))"
        ).fetchall()
    entry, lead = ids[0]
    absent = {
        Means.TOKEN: [new_secret()],
        Means.USER: [f"user-NONE-{ours.caller.organisation.id + 1}"],
        Means.ENTRY: [str(entry)],
        Means.RECORD: [f"{entry:024x}"],
        Means.LEAD: [str(lead)],
        Means.CAMPAIGN: ["NONECAMP", "8899992"],
        Means.CAMPAIGN_ID: ["8899992"],
        Means.GROUP: ["NONEFPG", "8899993"],
        Means.PURPOSE: ["NONEPURPOSE"],
        Means.STATUS: ["NONESTATUS"],
        Means.REASON: ["NONE reason"],
        Means.PART: [ABSENT, "NONE reason", "NONE request", f"+1{ABSENT}"],
        Means.OFFSET: ["97"],
        Means.PAGE: ["98"],
        **numbers(ABSENT, "NONECAMP", "NONEPURPOSE"),
    }
    for means, values in theirs.items():
        assert [len(str(v)) for v in values] == [len(str(v)) for v in absent[means]]
    return absent


@pytest.fixture
def neighbours(make_api: MakeApi, service_database: str, edition: str) -> Neighbours:
    ours, theirs = make_api(edition=edition), make_api(edition=edition)
    with psycopg.connect(service_database, autocommit=True) as connection:
        # So many that ids differ by no digit, however many other tests take.
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('dnc_entry', 'id'), greatest(200000,"
            " nextval(pg_get_serial_sequence('dnc_entry', 'id')))),"
            " setval(pg_get_serial_sequence('lead', 'id'), greatest(200000,"
            " nextval(pg_get_serial_sequence('lead', 'id'))))"
        )
    own = fill(ours, "OURS", OWN, [])
    foreign = fill(theirs, "THEM", FOREIGN, FOREIGN_MORE)
    # A token of theirs that works is theirs; one that is revoked is nobody's.
    revoked = theirs.services.access.issue(theirs.caller, "ended", EVERY_GRANT)
    theirs.services.access.revoke(theirs.caller, "ended")
    foreign[Means.TOKEN] = [revoked]
    foreign[Means.OFFSET], foreign[Means.PAGE] = ["12"], ["11"]
    own[Means.OFFSET], own[Means.PAGE] = ["0"], ["1"]
    absent = absent_of(service_database, ours, foreign)
    return Neighbours(ours, theirs, service_database, own, foreign, absent)


def basis(operation: Operation, own: Mapping[Means, list[Any]]) -> dict[str, Any]:
    """Return a request of ours that can be carried out."""
    named = (*NEEDED.get(operation.base, ()),)
    if operation.chosen:
        named += NEEDED.get(operation.chosen[1], ())
    values = {
        field.name: own_value(operation, field, own)
        for field in operation.fields
        if field.needed or field.name in named
    }
    if operation.chosen:
        values[operation.chosen[0]] = operation.chosen[1]
    return values


def own_value(
    operation: Operation, field: Field, own: Mapping[Means, list[Any]]
) -> Any:
    means = operation.means(field)
    assert means is not None, (operation, field.name)
    return PLAIN.get(field.name) if means in NOBODY_S else own[means][0]


def probes(
    operation: Operation, neighbours: Neighbours
) -> Iterator[tuple[Field, Any, Any, Any]]:
    """Yield each field with a value of ours, of theirs and of nobody's."""
    for field in operation.fields:
        means = operation.means(field)
        if means is None or means in NOBODY_S:
            continue
        owned = neighbours.own[means]
        for n, (theirs, nobodys) in enumerate(
            zip(neighbours.foreign[means], neighbours.absent[means], strict=True)
        ):
            yield field, owned[min(n, len(owned) - 1)], theirs, nobodys


_PASSING = [
    re.compile(pattern)
    for pattern in (
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(?:\+[0-9:]+|Z)?",
        r"[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9:]{8}",
        r'"snapshot": ?"[0-9:,]+"',
        r'"operation_id": ?"[0-9]+"',
        # An entry or a lead of ours that has just been made has a new id.
        r'"id": ?[0-9]+',
        r"EPOCH: [0-9]+",
    )
]


def told(answer: requests.Response, value: Any) -> tuple[int, Any, str]:
    """Return an answer without what passes and what it repeats."""
    text = answer.text
    for part in re.split(r"[\n,]", str(value).strip("[]'")):
        # A page that is repeated is a member of its own, not any number like it.
        exactly = rf'(?<=: |":){part}(?=,|\}})' if len(part) < 3 else re.escape(part)
        text = re.sub(exactly, "ECHO", text) if part.strip() else text
    for passing in _PASSING:
        text = passing.sub("PASSING", text)
    headers = {
        name.lower(): shown
        for name, shown in answer.headers.items()
        if name.lower() not in {"x-request-id", "date"}
    }
    return answer.status_code, headers, text


# Two vendors have two editions; the others say the same in both.
IN_EDITIONS = [
    (operation, edition)
    for operation in OPERATIONS
    for edition in ("documented", "live")
    if edition == "documented" or operation.dialect in {"convoso", "vicidial"}
]


def test_every_field_has_a_meaning() -> None:
    unknown = {
        f"{operation.base}.{field.name}"
        for operation in OPERATIONS
        for field in operation.fields
        if operation.means(field) is None
    }
    names = {field.name for operation in OPERATIONS for field in operation.fields}
    names |= {f"{o.base}.{f.name}" for o in OPERATIONS for f in o.fields}

    assert not unknown
    assert set(MEANINGS) <= names, "what no operation has any more"
    assert len(OPERATIONS) > 40


@pytest.mark.parametrize(
    ("operation", "edition"),
    [
        pytest.param(*each, marks=[pytest.mark.soak] if each[1] == "live" else [])
        for each in IN_EDITIONS
    ],
    ids=[f"{edition} {operation}" for operation, edition in IN_EDITIONS],
)
def test_another_s_is_answered_like_nobody_s_and_stays_as_it_was(
    operation: Operation, neighbours: Neighbours
) -> None:
    before = neighbours.everything_of_theirs()
    probed = 0
    for field, own, theirs, nobodys in probes(operation, neighbours):
        where = f"{operation}: {field.name}"
        beside = BESIDE.get(f"{operation.base}.{field.name}", {})
        asked = {**basis(operation, neighbours.own), **beside}
        probed += 1

        foreign = neighbours.call(operation, {**asked, field.name: theirs})
        absent = neighbours.call(operation, {**asked, field.name: nobodys})

        if differ := TELLS_WHOSE.get((operation.base, field.name)):
            assert (foreign.status_code, absent.status_code) == differ, where
        else:
            assert told(foreign, theirs) == told(absent, nobodys), where
        # What is shown of theirs is what was sent, and no more.
        shown = re.sub(re.escape(str(theirs)), "", foreign.text)
        for secret in ("THEM", FOREIGN, *FOREIGN_MORE):
            assert secret in str(theirs) or secret not in shown, where

        answer = neighbours.call(operation, {**asked, field.name: own})
        assert "THEM" not in answer.text, where
        assert FOREIGN not in answer.text, where
    assert neighbours.everything_of_theirs() == before
    assert probed or not operation.fields or operation.chosen == ("function", "version")


@pytest.mark.parametrize("edition", ["documented"])
def test_no_answer_changes_when_another_s_list_grows(neighbours: Neighbours) -> None:
    """No total, no page and no size: asked before, and again after each growth."""
    changed = []
    for n, operation in enumerate(OPERATIONS):
        again = Draft(PhoneNumber("1", OWN), read_campaign("0"), None, "OURS reason")
        neighbours.ours.services.suppressions.suppress_many(
            neighbours.ours.caller, [again]
        )
        asked = basis(operation, neighbours.own)
        neighbours.call(operation, asked)
        before = told(neighbours.call(operation, asked), "")

        grow(neighbours.theirs, [f"55512{n:03}{m:02}" for m in range(3)])

        if told(neighbours.call(operation, asked), "") != before:
            changed.append(str(operation))
    assert changed == []


def grow(theirs: Api, more: list[str]) -> None:
    """List more numbers, and one of ours, on each of their lists; add a lead."""
    drafts = [
        Draft(PhoneNumber("1", number), read_campaign(on), purpose, "OURS reason")
        for on, purpose in (("0", None), ("THEMCAMP", None), ("-1", "THEMPURPOSE"))
        for number in (*more, OWN)
    ]
    theirs.services.suppressions.suppress_many(theirs.caller, drafts)
    phone = PhoneNumber("1", OWN)
    lead = LeadDraft(phone, read_campaign("THEMCAMP"), "THEMSTATUS", "", "")
    theirs.services.leads.insert(theirs.caller, lead)
