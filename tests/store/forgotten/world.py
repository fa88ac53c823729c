"""Two organisations that have the like of each other, and one of them at work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import Draft, Revision
from app.domain.errors import DncError
from app.domain.guards import Rules
from app.domain.idempotency import KeptAnswer, hash_key
from app.domain.leads import LeadDraft, LeadStatus
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from app.store import erasures
from app.store.database import Database
from app.store.erasures import Past
from app.store.roles import Scope
from tests.conftest import make_organisation
from tests.store import folding

OURS, THEIRS = "ours", "THEM"
OWN, FOREIGN, BOTH, NEW, GONE = (PhoneNumber("1", f"555123400{n}") for n in range(5))
ORGANISATION, PURPOSES = read_campaign("0"), read_campaign("-1")
CAMPAIGN, FOREIGN_CAMPAIGN = read_campaign("SPRING"), read_campaign("FALL")
KEY, FOREIGN_KEY = hash_key("both"), hash_key("theirs")

# Revised long ago, asked for some hours ago, and one operation each from before
# operations told their reach.
LONG_AGO = """
    UPDATE dnc_entry_past SET valid_from = valid_from - interval '10 years',
                              valid_until = valid_until - interval '9 years'
    WHERE campaign_id = 0;
    UPDATE release_request SET requested_at = requested_at - interval '2 hours';
    DELETE FROM operation_reach WHERE operation_id IN (
        SELECT min(operation_id) FROM dnc_entry GROUP BY organisation_id
    );
"""


@dataclass(frozen=True)
class World:
    """A database with two organisations, as the service of ours sees it."""

    database: Database
    services: Services
    caller: Caller
    approver: Caller
    entry: int
    foreign_entry: int
    ended: int
    foreign_ended: int
    foreign_past: tuple[Past, ...]
    then: datetime

    @property
    def own(self) -> Scope:
        """As which a step enters that goes to the store itself."""
        return Scope(self.caller.organisation.id)


def attempt(work: Callable[..., object], *arguments: object) -> object:
    """Return what *work* returns, or the condition that it raises, in words."""
    try:
        return work(*arguments)
    except DncError as error:
        return f"{type(error).__name__} {error}"


def fill(url: str, key_file: Path) -> Mapping[str, Any]:
    """Fill a database; return what a World knows of it, and whose id *theirs* is."""
    database = Database(url, connections=4)
    services = build_services(database, key_file)
    services.keys.start()
    both = [
        operator(services.organisations.add("test", make_organisation(name)), name)
        for name in (OURS, THEIRS)
    ]
    ids: dict[tuple[str, PhoneNumber, str], int] = {}
    for caller, number in zip(both, (OWN, FOREIGN), strict=True):
        _begin(services, caller, number, ids)
    with psycopg.connect(url) as owner:
        [(then,)] = owner.execute("SELECT clock_timestamp()").fetchall()
    for caller, number in zip(both, (OWN, FOREIGN), strict=True):
        _go_on(services, caller, number, ids)
        folding.fold(url, caller.organisation.id, most=3)
    ours, theirs = both
    _have_more(services, theirs)
    # Of two rows without an order that of theirs comes first: a change moved ours.
    services.organisations.switch_evidence(ours, required=False)
    with psycopg.connect(url) as owner:
        owner.execute(LONG_AGO)
    with database.transaction(Scope(theirs.organisation.id)) as tx:
        past = tuple(erasures.find_of_number(tx, FOREIGN.e164))
    (token,) = services.access.list_tokens(ours)
    database.close()
    return {
        "caller": ours,
        "theirs": theirs.organisation.id,
        "approver": ours._replace(token_id=token.id, actor=token.name),
        "entry": ids[OURS, BOTH, "0"],
        "foreign_entry": ids[THEIRS, BOTH, "0"],
        "ended": ids[OURS, BOTH, "SPRING"],
        "foreign_ended": ids[THEIRS, FOREIGN, "SPRING"],
        "foreign_past": past,
        "then": then,
    }


def _begin(
    services: Services,
    caller: Caller,
    number: PhoneNumber,
    ids: dict[tuple[str, PhoneNumber, str], int],
) -> None:
    """Let there be entries that are to end, for there is a past to see as well."""
    name = caller.organisation.name
    services.campaigns.add_purpose(caller, "SURVEY")
    services.campaigns.add(caller, 101, Campaign(0, "SPRING", name, ""))
    services.leads.define_status(caller, LeadStatus("STATUS", name))
    for each in (number, BOTH):
        draft = Draft(each, CAMPAIGN, None, name)
        ids[name, each, "SPRING"] = services.suppressions.suppress(caller, draft)


def _go_on(
    services: Services,
    caller: Caller,
    number: PhoneNumber,
    ids: dict[tuple[str, PhoneNumber, str], int],
) -> None:
    """End them, and list, revise and keep what each table has a row of."""
    name = caller.organisation.name
    suppressions = services.suppressions
    for each in (number, BOTH):
        suppressions.release(caller, each, CAMPAIGN, None, None)
        for on, purpose in ((ORGANISATION, None), (PURPOSES, "SURVEY")):
            draft = Draft(each, on, purpose, f"{name} asked")
            entry = ids[name, each, on.code] = suppressions.suppress(caller, draft)
            suppressions.revise(caller, entry, Revision(reason=f"asked {name}"))
        services.leads.insert(caller, LeadDraft(each, CAMPAIGN, "STATUS", name, ""))
    services.access.issue(caller, "first", EVERY_GRANT)
    _settle(services, caller, KEY)


def _settle(services: Services, caller: Caller, key: bytes) -> None:
    answer = KeptAnswer(200, (), caller.organisation.name.encode())
    services.idempotency.settle(caller, key, bytes(32), lambda: answer)


def _have_more(services: Services, theirs: Caller) -> None:
    """Let theirs have what ours have not; a release there waits for approval."""
    services.campaigns.add(theirs, 202, Campaign(0, "FALL", THEIRS, ""))
    services.campaigns.add_purpose(theirs, "RECALL")
    services.leads.define_status(theirs, LeadStatus("RECALLED", THEIRS))
    for number, on in ((BOTH, CAMPAIGN), (GONE, ORGANISATION)):
        services.suppressions.suppress(theirs, Draft(number, on, None, THEIRS))
    services.erasures.erase(theirs, GONE)
    _settle(services, theirs, FOREIGN_KEY)
    (token,) = services.access.list_tokens(theirs)
    services.guards.set_rules(theirs, Rules(four_eyes=True))
    asking = theirs._replace(token_id=token.id, actor=token.name)
    release = services.suppressions.release
    attempt(release, asking, BOTH, ORGANISATION, None, None)
