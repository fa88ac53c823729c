"""
Each statement of the store with its organisation taken out, one condition at a time.

Row-level security must then say the same: the answer is that of the whole statement,
and what is another organisation's stays as it was. And each statement with another's
organisation in place of its own: nothing of the other's is seen, written or changed.
"""

import importlib
import io
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

import app.store
from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.dates import Interval
from app.domain.entries import Draft, EntryFilter, EntryText, Page, Revision
from app.domain.errors import DncError
from app.domain.guards import Rules
from app.domain.leads import LeadDraft, LeadFilter, LeadStatus
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import Campaign, read_campaign
from app.domain.texts import BLANK
from app.services import Services
from app.services.imports import ImportOptions, Source
from app.services.organisations import EVERY_GRANT, operator
from app.store import batches, searches, tallies
from app.store.database import Database, Scope
from app.store.lookups import Lookup
from tests.conftest import TestServer, make_organisation
from tests.store import folding

# Some hundred copies of a database.
pytestmark = pytest.mark.timeout(600)

OURS, THEIRS = "ours", "THEM"
OWN, FOREIGN, BOTH, NEW = (PhoneNumber("1", f"555123400{n}") for n in range(4))
ORGANISATION, PURPOSES = read_campaign("0"), read_campaign("-1")
CAMPAIGN = read_campaign("SPRING")

# Statements that have no organisation to take out, and why none is needed.
EXEMPT: Mapping[str, str] = {
    "database.ACT": "a setting of the transaction",
    "database.ENTER": "puts the organisation on",
    "database.LIMIT": "a setting of the transaction",
    "bulk.COPY_NUMBERS": "a temporary table",
    "bulk.COPY_ROWS": "a temporary table",
    "bulk.NOW": "the clock",
    "bulk.PAGES": "a temporary table",
    "embedded.GUESTS": "who else is connected to an embedded server",
    "entries.IS_FOREIGN": "asks of all organisations, and is answered yes or no",
    "login_failures.APPEND": "by possession of a key; of no organisation",
    "login_failures.COUNT": "by possession of a key; of no organisation",
    "login_failures.FORGET": "by possession of a key; of no organisation",
    "login_failures.PURGE": "only what has expired; of no organisation",
    "login_failures.QUEUE": "a lock",
    "organisations.FIND": "an operator's command, by possession of the name",
    "organisations.LOCK_FIRST_START": "a lock",
    "organisations.NEXT_ID": "a sequence; an operator's command",
    "organisations.NONE_YET": "a sequence; an operator's command",
    "readiness.SETTINGS": "settings of the server",
    "releases.QUEUE": "a lock",
    "tokens.FIND_BEARER": "by possession of the secret",
}

# How a statement says whose rows it means. Each is replaced by `true`, in turn.
CONDITION = re.compile(
    r"""
    (?: \b\w+\. )? \borganisation_id \s* = \s*
    (?: %\(organisation_id\)s (?: ::bigint )? | \$1::bigint | \w+\.organisation_id )
    | (?: \b\w+\. )? \bid \s* = \s* (?: %\(organisation_id\)s | \$1::bigint )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class World:
    """A database with two organisations, as the service of ours sees it."""

    url: str
    services: Services
    caller: Caller
    entry: int
    foreign_entry: int
    approver: Caller


@dataclass
class Tampering:
    """What becomes of statements on their way, and which there were."""

    seen: set[str] = field(default_factory=set)
    statement: str = ""
    instead: str = ""
    organisation_id: int | None = None

    def change(self, statement: Any, parameters: Any) -> tuple[Any, Any]:
        if not isinstance(statement, str):
            return statement, parameters
        self.seen.add(statement)
        if statement != self.statement:
            return statement, parameters
        if self.organisation_id is None:
            return self.instead, parameters
        if isinstance(parameters, Mapping):
            return statement, {**parameters, "organisation_id": self.organisation_id}
        return statement, [str(self.organisation_id), *(parameters or [""])[1:]]


Step = Callable[[World], object]
STEPS: dict[str, Step] = {}
CHANGING: set[str] = set()


def step(function: Step) -> Step:
    """Register what reads."""
    STEPS[function.__name__] = function
    return function


def change(function: Step) -> Step:
    """Register what changes something of ours."""
    CHANGING.add(function.__name__)
    return step(function)


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
    with world.services.searches._database.snapshot(
        Scope(world.caller.organisation.id)
    ) as tx:
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


@change
def suppress(world: World) -> object:
    suppressions = world.services.suppressions
    for on, purpose in ((CAMPAIGN, None), (PURPOSES, "SURVEY"), (PURPOSES, "TELEMKT")):
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
    with world.services.suppressions._database.transaction(
        Scope(world.caller.organisation.id)
    ) as tx:
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
    first = replace(world.approver, actor="first", token_id=world.approver.token_id)
    second = replace(first, actor="second", token_id=(first.token_id or 0) + 1000)
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
    yield list(services.leads.insert_many(caller, [draft], "file"))
    yield services.leads.define_status(caller, LeadStatus("LATER", "Later"))
    yield services.campaigns.add(caller, None, Campaign(0, "AUTUMN", "Autumn", ""))
    yield services.campaigns.add_purpose(caller, "MARKETING")


@change
def administer(world: World) -> object:
    services, caller = world.services, world.caller
    yield services.organisations.switch_checking(caller, enabled=True)
    yield services.organisations.switch_evidence(caller, required=True)
    yield bool(services.access.issue(caller, "matrix", EVERY_GRANT))
    yield services.access.revoke(caller, "matrix")
    added = services.organisations.add("test", make_organisation("another"))
    yield added.name
    secret = services.access.issue(caller, "used", EVERY_GRANT)
    services.access.authenticate(secret, dialect="", address=None, request_id="")


def attempt(work: Callable[..., object], *arguments: object) -> object:
    try:
        return work(*arguments)
    except DncError as error:
        return f"{type(error).__name__} {error}"


@pytest.fixture(scope="module")
def filled(server: TestServer, template: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of a database with two organisations, and what names them."""
    with server.new_database(template) as url:
        database = Database(url, connections=4)
        services = build_services(database)
        ours, theirs = (
            operator(services.organisations.add("test", make_organisation(name)), name)
            for name in (OURS, THEIRS)
        )
        ids = {}
        for caller, number in ((ours, OWN), (theirs, FOREIGN)):
            name = caller.organisation.name
            services.campaigns.add_purpose(caller, "SURVEY")
            services.campaigns.add(caller, 101, Campaign(0, "SPRING", name, ""))
            services.leads.define_status(caller, LeadStatus("STATUS", name))
            suppress_ = services.suppressions.suppress
            for each in (number, BOTH):
                # Some that ended, and been revised, for there is a past to see as well.
                ended = Draft(each, CAMPAIGN, None, name)
                suppress_(caller, ended)
                services.suppressions.release(caller, each, CAMPAIGN, None, None)
                for on, purpose in ((ORGANISATION, None), (PURPOSES, "SURVEY")):
                    entry = suppress_(caller, Draft(each, on, purpose, f"{name} asked"))
                    ids[name, each, on.code] = entry
                    revision = Revision(reason=f"asked {name}")
                    services.suppressions.revise(caller, entry, revision)
                services.leads.insert(
                    caller, LeadDraft(each, CAMPAIGN, "STATUS", name, "")
                )
            services.access.issue(caller, "first", EVERY_GRANT)
            if caller is theirs:
                (token,) = services.access.list_tokens(caller)
                services.guards.set_rules(caller, Rules(four_eyes=True))
                asking = replace(caller, token_id=token.id, actor=token.name)
                attempt(services.suppressions.release_entry, asking, entry)
            folding.fold(url, caller.organisation.id, most=3)
        (token,) = services.access.list_tokens(ours)
        database.close()
        name = conninfo.conninfo_to_dict(url)["dbname"]
        known = {
            "caller": ours,
            "theirs": theirs.organisation.id,
            "entry": ids[OURS, BOTH, "0"],
            "foreign_entry": ids[THEIRS, BOTH, "0"],
            "approver": replace(ours, token_id=token.id, actor=token.name),
        }
        yield name, known


@contextmanager
def tampered(tampering: Tampering) -> Iterator[None]:
    """Let statements pass *tampering* on their way to PostgreSQL."""
    execute, copy = psycopg.Cursor.execute, psycopg.Cursor.copy

    def changed_execute(
        self: Any, query: Any, params: Any = None, **more: Any
    ) -> object:
        return execute(self, *tampering.change(query, params), **more)

    def changed_copy(self: Any, query: Any, params: Any = None, **more: Any) -> object:
        return copy(self, *tampering.change(query, params), **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", changed_execute)
        patch.setattr(psycopg.Cursor, "copy", changed_copy)
        yield


@dataclass(frozen=True)
class Whole:
    """What a step says, the fingerprint of theirs, and the statements that it runs."""

    said: str
    theirs: dict[str, str]
    statements: list[str]


@dataclass
class Bench:
    """Copies of the filled database, a new one whenever a step has changed one."""

    server: TestServer
    template: str
    known: dict[str, Any]
    stack: ExitStack
    url: str = ""
    unguarded: bool = False
    wholes: dict[str, Whole] = field(default_factory=dict)
    # What was shown in one step need not be in another.
    shown: set[object] = field(default_factory=set)

    def whole(self, name: str) -> Whole:
        """Return what a step does when nothing is forgotten."""
        if name not in self.wholes:
            tampering = Tampering()
            said, theirs = self.run(name, tampering)
            self.wholes[name] = Whole(said, theirs, sorted(tampering.seen))
        return self.wholes[name]

    def is_news(self, tampering: object) -> bool:
        """Whether that was not yet tried; from now on it was."""
        is_news = tampering not in self.shown
        self.shown.add(tampering)
        return is_news

    def take_guard_off(self) -> None:
        with psycopg.connect(self.url) as connection:
            for (table,) in connection.execute(
                "SELECT relname FROM pg_class WHERE relrowsecurity"
            ).fetchall():
                connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")

    def run(
        self, name: str, tampering: Tampering, *, unguarded: bool = False
    ) -> tuple[str, dict[str, str]]:
        """
        Return what a step says, and the fingerprint of what is theirs.

        *unguarded* by row-level security, to see what it is for.
        """
        if not self.url or name in CHANGING or unguarded != self.unguarded:
            self.stack.close()
            new = self.server.new_database(self.template)
            self.url, self.unguarded = self.stack.enter_context(new), unguarded
            if unguarded:
                self.take_guard_off()
        database = Database(self.url, connections=4)
        known = {k: v for k, v in self.known.items() if k != "theirs"}
        world = World(self.url, build_services(database), **known)
        said: list[str] = []
        try:
            with tampered(tampering):
                said += (repr(one) for one in STEPS[name](world))
        except Exception as error:  # noqa: BLE001  whatever it is, it is compared
            said.append(f"{type(error).__name__} {error}")
        finally:
            database.close()
        return _PASSING.sub("…", "\n".join(said)), self.fingerprint()

    def fingerprint(self) -> dict[str, str]:
        with psycopg.connect(self.url) as connection:
            tables = connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND (column_name = 'organisation_id'"
                " OR table_name = 'organisation' AND column_name = 'id')"
            ).fetchall()
            return {
                table: str(
                    connection.execute(
                        "SELECT string_agg(row::text, '|' ORDER BY row::text)"
                        f" FROM {table} AS row WHERE {column} = %s",
                        [self.known["theirs"]],
                    ).fetchall()
                )
                for table, column in tables
            }


# Instants, and the name of a snapshot.
_PASSING = re.compile(
    r"datetime\.datetime\([^()]*(?:\([^()]*\)[^()]*)*\)|name='[0-9:,]+'"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(?:\+[0-9:]+|Z)?"
)


@pytest.fixture(scope="module")
def bench(server: TestServer, filled: tuple[str, dict[str, Any]]) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(server, *filled, stack)


def forgetful(statement: str) -> Iterator[str]:
    """Yield *statement* without one of its conditions, for each of them."""
    for match in CONDITION.finditer(statement):
        yield f"{statement[: match.start()]}true{statement[match.end() :]}"


@pytest.mark.parametrize("name", STEPS)
def test_a_forgotten_organisation_shows_and_changes_nothing_of_another_s(
    name: str, bench: Bench
) -> None:
    whole = bench.whole(name)
    assert "THEM" not in whole.said
    assert whole.said

    for statement in whole.statements:
        for instead in filter(bench.is_news, forgetful(statement)):
            told, left = bench.run(name, Tampering(set(), statement, instead))
            assert told == whole.said, instead
            assert left == whole.theirs, instead


@pytest.mark.parametrize("name", STEPS)
def test_another_s_organisation_in_place_of_the_own_shows_and_changes_nothing(
    name: str, bench: Bench
) -> None:
    whole = bench.whole(name)

    for statement in whole.statements:
        if not _NAMES_IT.search(statement) or not bench.is_news((statement, "theirs")):
            continue
        theirs = bench.known["theirs"]
        said, left = bench.run(name, Tampering(set(), statement, "", theirs))
        assert "THEM" not in said, statement
        assert str(FOREIGN.national) not in said.replace(repr(FOREIGN), ""), statement
        assert left == whole.theirs, statement


def test_without_row_level_security_forgetting_would_show_and_change(
    bench: Bench,
) -> None:
    """Or these tests would prove nothing."""
    noticed = 0
    for name in ("check_many", "measure", "export", "read_neighbours"):
        whole = Tampering()
        said, theirs = bench.run(name, whole, unguarded=True)
        for statement in sorted(whole.seen):
            for instead in forgetful(statement):
                tampering = Tampering(set(), statement, instead)
                noticed += bench.run(name, tampering, unguarded=True) != (said, theirs)

    assert noticed >= 10


def statements() -> dict[str, str]:
    """Return every statement of the store by its name."""
    found = {}
    for module in pkgutil.iter_modules(app.store.__path__, "app.store."):
        for name, value in vars(importlib.import_module(module.name)).items():
            text = value.statement if isinstance(value, Lookup) else value
            if isinstance(text, str) and _STATEMENT.search(text) and name.isupper():
                found[f"{module.name.rpartition('.')[2]}.{name}"] = text
    return found


_STATEMENT = re.compile(r"^\s*(WITH|SELECT|INSERT|UPDATE|DELETE|COPY)\b")


def test_every_statement_of_the_store_is_among_them(bench: Bench) -> None:
    """A new one is to be put into a step, or named with why it needs none."""
    seen = {text for name in STEPS for text in bench.whole(name).statements}
    unproven = {
        name
        for name, text in statements().items()
        if not any(_pieces(text).search(one) and _is_proven(one) for one in seen)
    }

    assert not unproven - set(EXEMPT), " ".join(sorted(unproven - set(EXEMPT)))
    assert not set(EXEMPT) - unproven, " ".join(sorted(set(EXEMPT) - unproven))


# A lock or a setting shows nothing.
_NAMES_IT = re.compile(
    r"^(?!.*(?:set_config|pg_advisory)).*(?:%\(organisation_id\)s|\$1::bigint)",
    re.DOTALL,
)


def _is_proven(statement: str) -> bool:
    """Whether its organisation was taken out, or another's put in its place."""
    return bool(CONDITION.search(statement) or _NAMES_IT.search(statement))


def _pieces(text: str) -> re.Pattern[str]:
    """Return what finds *text* where the names in its braces stand for anything."""
    return re.compile(".*".join(map(re.escape, re.split(r"\{\w+\}", text))), re.DOTALL)
