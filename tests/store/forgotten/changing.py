"""Steps that change something of ours."""

import io
from dataclasses import replace

from app.audit.verify import Anchor
from app.domain.access import hash_secret
from app.domain.entries import Draft, EntryFilter, Page, Revision
from app.domain.guards import Rules
from app.domain.history import Subject
from app.domain.idempotency import KeptAnswer
from app.domain.leads import LeadDraft, LeadStatus
from app.domain.rules import Question
from app.domain.scopes import Campaign
from app.services.imports import ImportOptions, Source
from app.services.organisations import EVERY_GRANT
from app.store import batches, erasures, recoveries, tokens
from app.store.migrations import newest_revision
from app.store.roles import Scope
from tests.conftest import make_organisation
from tests.store.forgotten.steps import change
from tests.store.forgotten.world import (
    BOTH,
    CAMPAIGN,
    FOREIGN,
    FOREIGN_CAMPAIGN,
    FOREIGN_KEY,
    KEY,
    NEW,
    ORGANISATION,
    OWN,
    PURPOSES,
    World,
    attempt,
)

# Of a chain that the database has nothing of.
LOST = Anchor(
    "00000000-0000-4000-8000-000000000000", 1, "00" * 32, 9, "2026-11-01T00:00:00+00:00"
)


@change
def suppress(world: World) -> object:
    suppressions = world.services.suppressions
    for on, purpose in (
        (CAMPAIGN, None),
        (FOREIGN_CAMPAIGN, None),
        (PURPOSES, "SURVEY"),
        (PURPOSES, "TELEMKT"),
        (PURPOSES, "RECALL"),
    ):
        for number in (NEW, FOREIGN, BOTH):
            yield attempt(
                suppressions.suppress, world.caller, Draft(number, on, purpose, "new")
            )


@change
def suppress_many(world: World) -> object:
    drafts = [Draft(number, on) for number in (NEW, BOTH) for on in (CAMPAIGN,)]
    drafts.append(Draft(FOREIGN, PURPOSES, "SURVEY"))
    yield world.services.suppressions.suppress_many(world.caller, drafts)


@change
def crossing(world: World) -> object:
    """What another has listed in between is looked for without waiting for it."""
    with world.database.transaction(world.own) as tx:
        keys = [(number.e164, 0, "") for number in (OWN, FOREIGN, BOTH)]
        yield sorted(batches.keep_unlocked(tx, keys))


@change
def revise(world: World) -> object:
    for entry_id in (world.foreign_entry, world.entry):
        for revision in (Revision(reason="changed"), Revision(campaign=CAMPAIGN)):
            yield attempt(
                world.services.suppressions.revise, world.caller, entry_id, revision
            )


@change
def release(world: World) -> object:
    release_ = world.services.suppressions.release
    for number, on, purpose in (
        (FOREIGN, ORGANISATION, None),
        (BOTH, ORGANISATION, None),
        (BOTH, PURPOSES, "SURVEY"),
    ):
        yield attempt(release_, world.caller, number, on, purpose, "NEW")


@change
def release_many(world: World) -> object:
    yield world.services.suppressions.release_many(
        world.caller, [OWN, FOREIGN, BOTH], ORGANISATION
    )


@change
def release_entry(world: World) -> object:
    for entry_id in (world.foreign_entry, world.entry):
        yield attempt(world.services.suppressions.release_entry, world.caller, entry_id)


@change
def guarded(world: World) -> object:
    """Asked for by one, approved by another; then capped, and expired ones purged."""
    services = world.services
    services.guards.set_rules(
        world.caller, Rules(four_eyes=True, per_hour=3, approval_hours=1)
    )
    first = world.approver._replace(actor="first", token_id=world.approver.token_id)
    second = first._replace(actor="second", token_id=(first.token_id or 0) + 1000)
    release_ = services.suppressions.release
    for by in (first, second, second):
        yield attempt(release_, by, BOTH, ORGANISATION, None, None)
    yield attempt(release_, second, OWN, ORGANISATION, None, None)
    yield len(services.guards.list_pending(world.caller))


@change
def import_file(world: World) -> object:
    rows = f"phone_number\n{NEW.national}\n{FOREIGN.national}\n{BOTH.national}\n"
    for dry_run in (True, False):
        source = Source(io.BytesIO(rows.encode()), "file")
        options = ImportOptions(campaign=CAMPAIGN, dry_run=dry_run)
        yield world.services.imports.run(world.caller, source, options)


@change
def leads_and_campaigns(world: World) -> object:
    services, caller = world.services, world.caller
    draft = LeadDraft(NEW, CAMPAIGN, "NEW", "Ada", "")
    yield services.leads.insert(caller, draft)
    for foreign in (
        replace(draft, campaign=FOREIGN_CAMPAIGN),
        replace(draft, status="RECALLED"),
    ):
        yield attempt(services.leads.insert, caller, foreign)
    yield list(services.leads.insert_many(caller, [draft], "file"))
    yield services.leads.define_status(caller, LeadStatus("LATER", "Later"))
    for code in ("AUTUMN", "FALL", "fall"):
        campaign = Campaign(0, code, "Autumn", "")
        yield attempt(services.campaigns.add, caller, None, campaign)
    yield services.campaigns.add_purpose(caller, "MARKETING")


@change
def administer(world: World) -> object:
    services, caller = world.services, world.caller
    yield services.organisations.switch_checking(caller, enabled=False)
    yield services.organisations.switch_evidence(caller, required=True)
    yield bool(services.access.issue(caller, "matrix", EVERY_GRANT))
    yield services.access.revoke(caller, "first")
    added = services.organisations.add("test", make_organisation("another"))
    yield added.name
    secret = services.access.issue(caller, "used", EVERY_GRANT)
    yield services.access.authenticate(secret, dialect="", address=None, request_id="")
    # By possession of the secret as well, and with a look at what was anchored.
    shown = hash_secret(secret)
    holder = world.database.within(Scope(secret_hash=shown))
    yield tokens.find_bearer(holder, shown, newest_revision(), LOST)


@change
def restore(world: World) -> object:
    restore_ = world.services.histories.restore
    for entry_id in (world.foreign_ended, world.ended, world.entry):
        yield attempt(restore_, world.caller, entry_id)
    yield world.services.histories.find(
        world.caller, Subject(entry_id=world.ended), Page()
    )


@change
def erase(world: World) -> object:
    """Also a number that was erased before, and is listed again since."""
    services, caller = world.services, world.caller
    for number in (FOREIGN, BOTH):
        yield services.erasures.erase(caller, number)
    services.suppressions.suppress(caller, Draft(BOTH, ORGANISATION))
    yield services.erasures.erase(caller, BOTH)
    yield services.checks.check(caller, Question(BOTH))
    yield services.histories.find(caller, Subject(numbers=(BOTH,)), Page())
    yield services.searches.search(caller, EntryFilter(numbers=(BOTH,)), Page())


@change
def forget_theirs(world: World) -> object:
    """What may forget the past forgets none of another's that it is named."""
    past = world.foreign_past
    assert past
    digests = [bytes(32) for _ in past]
    with world.database.transaction(world.own) as tx:
        yield erasures.forget_versions(tx, past, [-1 for _ in past], digests)
        ids = [version.operation_id for version in past]
        yield erasures.forget_why(tx, ids, digests)
        yield erasures.forget_leads(tx, FOREIGN.e164)
        yield erasures.forget_reasons(tx, past)


@change
def retain(world: World) -> object:
    retention, caller = world.services.retention, world.caller
    retention.set(caller, 60)
    yield retention.find(caller)
    for dry_run in (True, False, False):
        yield retention.apply(caller, dry_run=dry_run)


@change
def settle(world: World) -> object:
    """What another was answered under a key is no answer to the same key of ours."""

    def work() -> KeptAnswer:
        entry = world.services.suppressions.suppress(
            world.caller, Draft(NEW, ORGANISATION)
        )
        return KeptAnswer(200, (), str(entry).encode())

    for key in (KEY, FOREIGN_KEY, FOREIGN_KEY):
        yield world.services.idempotency.settle(world.caller, key, bytes(32), work)


@change
def prove(world: World) -> object:
    """Seals all that there is; then what has come since, whose hashes are new."""
    services, caller = world.services, world.caller
    for number in (BOTH, FOREIGN):
        proof = services.proofs.prove(caller, number, world.then, ())
        yield replace(proof, chain=())
    services.suppressions.suppress(caller, Draft(NEW, CAMPAIGN))
    services.suppressions.release(caller, NEW, CAMPAIGN, None, None)
    proof = services.proofs.prove(caller, NEW, None, ())
    yield proof.versions
    yield [(place, seal.sequence) for place, seal in proof.seals.items()]


@change
def measure_loss(world: World) -> object:
    recoveries.notice(world.database.within(Scope()), LOST)
    own = world.caller.organisation.id
    with world.database.transaction(Scope()) as tx:
        yield recoveries.measure(tx, LOST, range(own, own + 1))
