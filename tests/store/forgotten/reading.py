"""Steps that read."""

from dataclasses import replace
from datetime import UTC, datetime

from app.domain.dates import Interval
from app.domain.entries import EntryFilter, EntryText, Page
from app.domain.history import Subject
from app.domain.leads import LeadFilter
from app.domain.rules import Question
from app.domain.texts import BLANK
from app.store import erasures, organisations, sealed, searches, tallies
from tests.store.forgotten.steps import step
from tests.store.forgotten.world import (
    BOTH,
    CAMPAIGN,
    FOREIGN,
    ORGANISATION,
    OWN,
    World,
)


@step
def check(world: World) -> object:
    for campaign in (None, CAMPAIGN):
        for number in (OWN, FOREIGN, BOTH):
            question = Question(number, campaign)
            yield world.services.checks.check(world.caller, question)


@step
def check_many(world: World) -> object:
    keys = [number.e164 for number in (OWN, FOREIGN, BOTH)]
    for campaign in (None, CAMPAIGN):
        _, hits = world.services.checks.find_listed(
            world.caller, keys, campaign, with_reasons=True
        )
        yield hits


@step
def search(world: World) -> object:
    day = Interval(datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC))
    wanted = [
        EntryFilter(),
        EntryFilter(id=world.entry),
        EntryFilter(id=world.foreign_entry),
        EntryFilter(numbers=(BOTH,)),
        EntryFilter(numbers=(FOREIGN,)),
        EntryFilter(campaign=CAMPAIGN),
        EntryFilter(calling_code="1"),
        EntryFilter(reason="asked"),
        EntryFilter(reason=BLANK),
        EntryFilter(purpose="TELEMKT"),
        EntryFilter(inserted=(day,)),
    ]
    for one in wanted:
        for page in (Page(), Page(1, 2), Page(99_000, 1)):
            yield world.services.searches.search(world.caller, one, page)


@step
def search_far(world: World) -> object:
    """Where a page begins is found by blocks only when it begins far behind."""
    with world.database.snapshot(world.own) as tx:
        found = tallies.find(tx, EntryFilter())
        yield found
        yield tallies.skip(tx, EntryFilter(), found, 1)
        yield searches.read_page(tx, EntryFilter(), Page(), found)
        # Few among many ids are looked for by their facet.
        survey = EntryFilter(purpose="SURVEY")
        few = [replace(x, last_id=10**9) for x in tallies.find(tx, survey)]
        yield searches.read_page(tx, survey, Page(), few)


@step
def browse(world: World) -> object:
    for text in ("asked", "THEM", "555"):
        wanted = EntryText(text, "requestUUID", digits=text if text == "555" else None)
        yield world.services.searches.browse(world.caller, wanted, Page())


@step
def measure(world: World) -> object:
    for on in (ORGANISATION, CAMPAIGN):
        yield world.services.searches.measure_list(world.caller, on)
        yield world.services.searches.find_on_list(
            world.caller, [OWN, FOREIGN, BOTH], on
        )


@step
def export(world: World) -> object:
    for on in (None, CAMPAIGN):
        yield b"".join(world.services.exports.stream(world.caller, on))
        yield world.services.exports.count(world.caller, on)


@step
def read_neighbours(world: World) -> object:
    services, caller = world.services, world.caller
    yield services.campaigns.search(caller, None, Page())
    yield services.leads.search(caller, LeadFilter(), Page())
    yield services.leads.search(caller, LeadFilter(campaign=CAMPAIGN), Page())
    yield services.leads.search_statuses(caller, None, Page())
    yield services.access.list_tokens(caller)
    yield services.guards.rules(caller)
    yield services.guards.list_pending(caller)


@step
def as_of(world: World) -> object:
    """The same questions, of an instant when what has ended since was listed."""
    services, caller, then = world.services, world.caller, world.then
    keys = [number.e164 for number in (OWN, FOREIGN, BOTH)]
    for campaign in (None, CAMPAIGN):
        for number in (OWN, FOREIGN, BOTH):
            question = Question(number, campaign)
            yield services.checks.check_as_of(caller, question, then)
        _, hits = services.checks.find_listed(
            caller, keys, campaign, with_reasons=True, as_of=then
        )
        yield hits
        yield b"".join(services.exports.stream(caller, campaign, then))
        yield services.exports.count(caller, campaign, then)
    for wanted in (
        EntryFilter(id=world.ended),
        EntryFilter(id=world.foreign_ended),
        EntryFilter(numbers=(OWN, FOREIGN, BOTH)),
        EntryFilter(campaign=CAMPAIGN),
        EntryFilter(calling_code="1"),
    ):
        yield services.searches.search(caller, wanted, Page(), then)


@step
def history(world: World) -> object:
    for subject in (
        Subject(numbers=(FOREIGN, BOTH)),
        Subject(entry_id=world.ended),
        Subject(entry_id=world.entry),
        Subject(entry_id=world.foreign_ended),
        Subject(entry_id=world.foreign_entry),
    ):
        for page in (Page(), Page(1, 1)):
            yield world.services.histories.find(world.caller, subject, page)


@step
def read_sealed(world: World) -> object:
    """What is sealed, as an export and a very long operation's seal read it."""
    own = world.caller.organisation.id
    with world.database.snapshot(world.own) as tx:
        operations = list(sealed.every(tx, sealed.EVERY_OPERATION, own))
        yield operations
        for statement in (sealed.EVERY_VERSION, sealed.EVERY_END):
            yield list(sealed.every(tx, statement, own))
        found = sealed.reaches(tx, own, [(row[1], str(row[3])) for row in operations])
        for operation_id, where in found.items():
            key = own, operation_id
            yield list(sealed.stream_made(tx, *key, where.made))
            yield list(sealed.stream_ended(tx, *key, where.ended))


@step
def read_own(world: World) -> object:
    """Of each there is one row: another's may stand behind it."""
    own = {"organisation_id": world.caller.organisation.id}
    with world.database.snapshot(world.own) as tx:
        yield tx.fetch(organisations.FIND_OWN, own)
        yield tx.fetch(erasures.FIND_RETENTION, own)
