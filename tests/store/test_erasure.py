"""A person who is forgotten stays suppressed, whoever asks, in whatever way."""

import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

from app.bootstrap import build_services
from app.domain.access import Caller, Grant
from app.domain.entries import Draft, EntryFilter, Page, Revision, read_entry_text
from app.domain.errors import (
    AlreadySuppressed,
    EntryErased,
    ErasureKeyWrong,
    Forbidden,
    NotSuppressed,
)
from app.domain.history import Subject
from app.domain.leads import LeadDraft
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import Campaign, CampaignReference, read_campaign
from app.files.lead_lists import Columns, LeadList
from app.services import Services
from app.services.imports import ImportOptions, Outcome, Source
from app.services.organisations import operator
from app.services.scrubs import Counts
from app.store.database import Database
from tests.conftest import make_organisation

NUMBER = PhoneNumber("1", "9175550148")
OTHER = PhoneNumber("1", "9175550149")
GLOBAL = read_campaign("0")
REASON = "Quokka of Rottnest asked"
EVIDENCE = {"requestUUID": "quokka-7"}
DRAFT = Draft(NUMBER, GLOBAL, None, REASON, EVIDENCE)
SEARCH = EntryFilter(numbers=(NUMBER,))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "key"


@pytest.fixture
def services(database: Database, key_file: Path) -> Services:
    found = build_services(database, key_file)
    found.keys.start()
    return found


@pytest.fixture
def fresh(database_url: str, key_file: Path) -> Iterator[Services]:
    """Another process, which knew the list before anything was erased."""
    database = Database(database_url, connections=4)
    yield build_services(database, key_file)
    database.close()


def is_callable(services: Services, caller: Caller, number: PhoneNumber) -> bool:
    return services.checks.check(caller, Question(number)).callable


def listed(services: Services, caller: Caller, number: PhoneNumber) -> bool:
    _, hits = services.checks.find_listed(caller, [number.e164, OTHER.e164], None)
    return number.e164 in hits


def everything_stored(url: str) -> str:
    """Return the text of every row of every table."""
    with psycopg.connect(url) as owner:
        tables = owner.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        return "\n".join(
            str(row)
            for (table,) in tables
            for row in owner.execute(
                f"SELECT t::text FROM {table} AS t"  # type: ignore[arg-type]
            ).fetchall()
        )


def test_an_erased_number_is_blocked_by_every_question(
    services: Services, fresh: Services, caller: Caller
) -> None:
    entry_id = services.suppressions.suppress(caller, DRAFT)
    assert not is_callable(fresh, caller, NUMBER)

    erased = services.erasures.erase(caller, NUMBER)

    assert (erased.entries, erased.versions) == (1, 1)
    # Both who erased it and who knew nothing of that.
    for found in (fresh, services):
        for _ in range(2):
            assert not is_callable(found, caller, NUMBER)
            assert is_callable(found, caller, OTHER)
            assert listed(found, caller, NUMBER)
            assert not listed(found, caller, OTHER)
            on_list = found.searches.find_on_list(caller, [NUMBER, OTHER], GLOBAL)
            assert {key: entry.id for key, entry in on_list.items()} == {
                NUMBER.e164: entry_id
            }
            (entry,), total = found.searches.search(caller, SEARCH, Page())
            assert (entry.id, entry.number, total) == (entry_id, NUMBER, 1)
            assert entry.reason is None
            assert entry.evidence is None


def test_a_question_that_knew_nothing_of_an_erasure_finds_it_at_once(
    services: Services, database_url: str, key_file: Path, caller: Caller
) -> None:
    """Each way of asking is the first of its process."""
    services.suppressions.suppress(caller, DRAFT)
    services.erasures.erase(caller, NUMBER)
    lead_list = b"phone\n9175550148\n9175550149\n"
    part = read_entry_text("19175550148", "x", "1")

    def scrubbed(found: Services) -> bool:
        rows = found.scrubs.scrub(
            caller,
            LeadList(iter([lead_list]), Columns(default_phone_code="1")),
            None,
            None,
            Counts(),
        )
        return b"9175550148,listed" in b"".join(rows)

    ways = (
        lambda found: not is_callable(found, caller, NUMBER),
        lambda found: listed(found, caller, NUMBER),
        lambda found: found.searches.search(caller, SEARCH, Page())[1] == 1,
        lambda found: found.searches.find_on_list(caller, [NUMBER], GLOBAL) != {},
        lambda found: found.searches.browse(caller, part, Page())[1] == 1,
        lambda found: (
            found.searches.browse(caller, replace(part, is_whole=False), Page())[1] == 1
        ),
        scrubbed,
        lambda found: found.suppressions.release_many(caller, [NUMBER], GLOBAL) == 1,
    )
    for asks in ways:
        database = Database(database_url, connections=4)
        assert asks(build_services(database, key_file))
        database.close()


def test_nothing_personal_is_left_in_any_table(
    services: Services, caller: Caller, database_url: str
) -> None:
    campaign_id = services.campaigns.add(
        caller, None, Campaign(0, "SALES", "Sales", "outbound")
    )
    entry_id = services.suppressions.suppress(caller, DRAFT)
    on_campaign = replace(DRAFT, campaign=CampaignReference(campaign_id, "SALES"))
    services.suppressions.suppress(caller, on_campaign)
    services.suppressions.revise(caller, entry_id, Revision(reason="Quokka again"))
    services.suppressions.release(caller, NUMBER, on_campaign.campaign, None, None)
    lead = LeadDraft(NUMBER, on_campaign.campaign, "NEW", "Quokka", "of Rottnest")
    services.leads.insert(caller, lead)
    services.suppressions.suppress(caller, Draft(OTHER, GLOBAL, None, "Wombat"))

    erased = services.erasures.erase(caller, NUMBER, "ticket 4711")

    assert (erased.entries, erased.versions, erased.leads) == (1, 3, 1)
    left = everything_stored(database_url)
    for canary in ("9175550148", "uokka", "Rottnest"):
        assert canary not in left, left[left.index(canary) - 200 :]
    assert "ticket 4711" in left
    assert "Wombat" in left
    assert str(OTHER.e164) in left


def test_totals_and_pages_count_an_erased_entry_as_before(
    services: Services, caller: Caller
) -> None:
    for last in range(5):
        number = PhoneNumber("1", f"917555014{last}")
        services.suppressions.suppress(caller, Draft(number, GLOBAL, None, REASON))
    services.erasures.erase(caller, PhoneNumber("1", "9175550142"))

    found, total = services.searches.search(caller, EntryFilter(), Page())

    assert total == 5
    assert [entry.number.national for entry in found] == [
        "9175550140",
        "9175550141",
        "",
        "9175550143",
        "9175550144",
    ]
    by_code = EntryFilter(calling_code="1")
    assert services.searches.search(caller, by_code, Page())[1] == 5
    by_reason = EntryFilter(reason=REASON)
    assert services.searches.search(caller, by_reason, Page())[1] == 4
    assert services.searches.measure_list(caller, GLOBAL).numbers == 5
    # Digits that the stand-in has by chance are no part of a number.
    for digit in "0123456789":
        part = read_entry_text(digit, "x", "1")
        browsed, _ = services.searches.browse(caller, part, Page())
        assert all(not entry.number.is_erased for entry in browsed)


def test_an_erased_number_that_asks_again_is_listed_anew_and_erased_into_one(
    services: Services, caller: Caller
) -> None:
    first = services.suppressions.suppress(caller, DRAFT)
    services.erasures.erase(caller, NUMBER)

    second = services.suppressions.suppress(caller, DRAFT)

    found, _ = services.searches.search(caller, SEARCH, Page())
    assert [entry.id for entry in found] == [first, second]
    with pytest.raises(AlreadySuppressed):
        services.suppressions.suppress(caller, DRAFT)
    shown = services.searches.find_on_list(caller, [NUMBER], GLOBAL)
    assert shown[NUMBER.e164].id == second
    assert services.erasures.erase(caller, NUMBER).entries == 1
    found, _ = services.searches.search(caller, SEARCH, Page())
    assert [entry.id for entry in found] == [first]
    assert not is_callable(services, caller, NUMBER)


@pytest.mark.parametrize("again", [False, True])
def test_a_release_takes_an_erased_number_off_wherever_it_stands(
    again: bool,  # noqa: FBT001
    services: Services,
    fresh: Services,
    caller: Caller,
) -> None:
    services.suppressions.suppress(caller, DRAFT)
    services.erasures.erase(caller, NUMBER)
    if again:
        services.suppressions.suppress(caller, DRAFT)

    fresh.suppressions.release(caller, NUMBER, GLOBAL, None, None)

    assert is_callable(services, caller, NUMBER)
    assert services.searches.search(caller, SEARCH, Page())[1] == 0
    for found in (fresh, services):
        with pytest.raises(NotSuppressed):
            found.suppressions.release(caller, NUMBER, GLOBAL, None, None)


def test_an_erased_entry_is_taken_off_by_its_id_but_not_changed(
    services: Services, caller: Caller
) -> None:
    entry_id = services.suppressions.suppress(caller, DRAFT)
    services.erasures.erase(caller, NUMBER)

    with pytest.raises(EntryErased):
        services.suppressions.revise(caller, entry_id, Revision(reason="x"))
    assert not is_callable(services, caller, NUMBER)

    services.suppressions.release_entry(caller, entry_id)
    assert is_callable(services, caller, NUMBER)


def test_nothing_is_clear_without_the_key_that_erased(
    services: Services, database_url: str, caller: Caller, key_file: Path
) -> None:
    services.suppressions.suppress(caller, DRAFT)
    services.erasures.erase(caller, NUMBER)
    right = key_file.read_text()
    other = key_file.with_name("other")
    other.write_text("0" * 64)

    for file in (other, key_file.with_name("missing")):
        database = Database(database_url, connections=4)
        found = build_services(database, file)
        for asks in (
            lambda found: is_callable(found, caller, OTHER),
            lambda found: found.checks.find_listed(caller, [OTHER.e164], None),
            lambda found: found.searches.search(caller, SEARCH, Page()),
            lambda found: found.searches.find_on_list(caller, [OTHER], GLOBAL),
            lambda found: found.suppressions.release(caller, OTHER, GLOBAL, None, None),
            lambda found: found.suppressions.release_many(caller, [OTHER], GLOBAL),
            lambda found: found.erasures.erase(caller, OTHER),
        ):
            with pytest.raises(ErasureKeyWrong):
                asks(found)
        # Put back, it is found by itself.
        file.write_text(right)
        assert is_callable(found, caller, OTHER)
        assert not is_callable(found, caller, NUMBER)
        database.close()


def test_who_erased_and_why_is_recorded_and_the_number_is_not(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, DRAFT)

    first = services.erasures.erase(caller, NUMBER, "ticket 4711")
    nothing = services.erasures.erase(caller, OTHER)

    with psycopg.connect(database_url) as owner:
        recorded = owner.execute(
            "SELECT id, kind, actor, why, touched FROM operation"
            " WHERE kind = 'entry:erased' ORDER BY id"
        ).fetchall()
    assert recorded == [
        (first.operation_id, "entry:erased", "test", "ticket 4711", 1),
        (nothing.operation_id, "entry:erased", "test", None, 0),
    ]


@pytest.mark.parametrize("missing", [Grant.ADMIN, Grant.DELETE])
def test_erasing_needs_admin_and_delete(
    missing: Grant, services: Services, caller: Caller
) -> None:
    narrow = caller._replace(grants=caller.grants - {missing})

    with pytest.raises(Forbidden):
        services.erasures.erase(narrow, NUMBER)


def test_another_organisation_is_not_touched_and_has_other_stand_ins(
    services: Services, caller: Caller, database_url: str
) -> None:
    neighbour = operator(
        services.organisations.add("test", make_organisation("Neighbour")), "test"
    )
    for each in (caller, neighbour):
        services.suppressions.suppress(each, DRAFT)
    services.erasures.erase(caller, NUMBER)

    (entry,), _ = services.searches.search(neighbour, SEARCH, Page())
    assert entry.reason == REASON
    services.erasures.erase(neighbour, NUMBER)

    with psycopg.connect(database_url) as owner:
        keys = owner.execute("SELECT DISTINCT e164 FROM dnc_entry").fetchall()
    assert len(keys) == 2
    assert all(key < 0 for (key,) in keys)


def test_an_export_says_erased_and_an_import_elsewhere_refuses_that(
    services: Services, caller: Caller
) -> None:
    services.suppressions.suppress(caller, DRAFT)
    services.suppressions.suppress(caller, replace(DRAFT, number=OTHER))
    services.erasures.erase(caller, NUMBER)
    elsewhere = operator(
        services.organisations.add("test", make_organisation("Elsewhere")), "test"
    )

    exported = b"".join(services.exports.stream(caller))

    assert b"9175550148" not in exported
    report = services.imports.run(
        elsewhere, Source(io.BytesIO(exported), "list.csv"), ImportOptions()
    )
    assert report.outcome is Outcome.REFUSED
    assert report.rejected == 1
    assert "erased" in report.first_rejects[0].cause
    skipped = services.imports.run(
        elsewhere,
        Source(io.BytesIO(exported), "list.csv"),
        ImportOptions(skip_invalid=True),
    )
    assert (skipped.inserted, skipped.rejected) == (1, 1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sealed_history_verifies_when_somebody_of_it_was_erased(
    when: str, services: Services, caller: Caller
) -> None:
    entry_id = services.suppressions.suppress(caller, DRAFT)
    services.suppressions.revise(caller, entry_id, Revision(reason="Quokka again"))
    services.suppressions.suppress(caller, replace(DRAFT, number=OTHER))
    services.suppressions.release(caller, OTHER, GLOBAL, None, None)
    anchors = []
    if when == "after":
        services.sealing.run()
        anchors = [services.sealing.newest()]

    for number in (NUMBER, OTHER):
        services.erasures.erase(caller, number)
    services.suppressions.suppress(caller, DRAFT)
    services.erasures.erase(caller, NUMBER)
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)
    services.sealing.run()

    report = services.audit.verify([anchor for anchor in anchors if anchor])
    assert report.clean, list(report.lines())
    assert report.erased == 4
    exported = str(list(services.audit.records()))
    for canary in ("9175550148", "9175550149", "uokka"):
        assert canary not in exported


def test_what_was_listed_at_an_instant_stays_told_of_an_erased_number(
    services: Services, fresh: Services, caller: Caller
) -> None:
    entry_id = services.suppressions.suppress(caller, DRAFT)
    services.suppressions.suppress(caller, replace(DRAFT, number=OTHER))
    services.suppressions.release(caller, OTHER, GLOBAL, None, None)
    listed_at = instant_of(services, caller)
    services.erasures.erase(caller, NUMBER)
    services.erasures.erase(caller, OTHER)

    for found in (fresh, services):
        for number, may_call in ((NUMBER, False), (OTHER, True)):
            question = Question(number)
            verdict = found.checks.check_as_of(caller, question, listed_at)
            assert verdict.callable is may_call
            _, hits = found.checks.find_listed(
                caller, [number.e164], None, as_of=listed_at
            )
            assert (number.e164 not in hits) is may_call
        (entry,), total = found.searches.search(caller, SEARCH, Page(), as_of=listed_at)
        assert (entry.id, entry.number, entry.reason, total) == (
            entry_id,
            NUMBER,
            None,
            1,
        )


def test_the_history_of_an_erased_number_tells_everything_but_what_was_personal(
    services: Services, fresh: Services, caller: Caller
) -> None:
    entry_id = services.suppressions.suppress(caller, DRAFT)
    services.erasures.erase(caller, NUMBER, "ticket 4711")

    subject = Subject(numbers=(NUMBER,))
    (first, second), total = fresh.histories.find(caller, subject, Page())
    by_id, _ = services.histories.find(caller, Subject(entry_id=entry_id), Page())
    proof = fresh.proofs.prove(caller, NUMBER, None, [])

    assert total == 2
    assert [version.entry.reason for version in (first, second)] == [None, None]
    assert first.ended_by == second.made_by
    assert second.made_by is not None
    assert (second.made_by.kind, second.made_by.why) == (
        "entry:erased",
        "ticket 4711",
    )
    assert first.made_by is not None
    assert first.made_by.why is None
    assert {version.entry.number for version in by_id} == {PhoneNumber("1", "")}
    assert len(proof.listed_at(None)) == 1


def test_a_deleted_entry_that_was_erased_is_restored_and_blocks(
    services: Services, fresh: Services, caller: Caller
) -> None:
    entry_id = services.suppressions.suppress(caller, DRAFT)
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)
    services.erasures.erase(caller, NUMBER)
    assert is_callable(fresh, caller, NUMBER)

    services.histories.restore(caller, entry_id)

    for found in (fresh, services):
        assert not is_callable(found, caller, NUMBER)
        (entry,), _ = found.searches.search(caller, SEARCH, Page())
        assert entry.id == entry_id


def instant_of(services: Services, caller: Caller) -> datetime:
    """Return an instant after all that was done so far, by the database's clock."""
    snapshot, _ = services.checks.find_listed(caller, [], None)
    time.sleep(0.01)
    return snapshot.taken_at
