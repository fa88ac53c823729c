"""What was listed at an instant: told the same whenever it is asked."""

import time
from datetime import datetime, timedelta
from io import BytesIO

import psycopg
import pytest

from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.dates import Interval
from app.domain.entries import Draft, EntryFilter, Page, Revision
from app.domain.errors import (
    CampaignUnknown,
    InstantInvalid,
)
from app.domain.history import Subject
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.imports import ImportOptions, Source
from app.store.database import Database
from tests.store.instants import GLOBAL, NUMBER, OPEN, OTHER, is_listed, now, versions

MICROSECOND = timedelta(microseconds=1)


def read(url: str) -> int:
    """Return how many rows of entries, past ones too, were read so far."""
    time.sleep(0.2)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        [row] = connection.execute(
            "SELECT sum(idx_tup_read) + (SELECT sum(seq_tup_read)"
            " FROM pg_stat_user_tables WHERE relname ~ '^dnc_entry(_past)?$')"
            " FROM pg_stat_user_indexes WHERE relname ~ '^dnc_entry(_past)?$'"
        ).fetchall()
        return int(row[0])


def test_every_question_tells_what_was_listed_between_insert_and_release(
    services: Services, caller: Caller, database_url: str
) -> None:
    before = now(database_url)
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    during = now(database_url)
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)
    after = now(database_url)
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    again = now(database_url)

    told = [
        is_listed(services, caller, instant)
        for instant in (before, during, after, again)
    ]

    assert told == [False, True, False, True]


def test_a_version_is_there_from_its_first_instant_up_to_and_without_its_last(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)
    [(_, begins, ends)] = versions(database_url)

    told = [
        is_listed(services, caller, instant)
        for instant in (begins - MICROSECOND, begins, ends - MICROSECOND, ends)
    ]

    assert told == [False, True, True, False]


def test_at_each_instant_exactly_one_version_of_a_revised_entry_is_there(
    services: Services, caller: Caller, database_url: str
) -> None:
    reasons = ["zero", "one", "two", "three"]
    entry_id = services.suppressions.suppress(
        caller, Draft(NUMBER, GLOBAL, None, reasons[0])
    )
    for reason in reasons[1:]:
        services.suppressions.revise(caller, entry_id, Revision(reason=reason))
    begins = [begin for _, begin, _ in versions(database_url)]

    def told(at: datetime) -> list[str | None]:
        found, total = services.searches.search(
            caller, EntryFilter(id=entry_id), Page(), at
        )
        assert total == len(found)
        return [entry.reason for entry in found]

    assert [told(begin) for begin in begins] == [[reason] for reason in reasons]
    assert told(begins[0] - MICROSECOND) == []
    assert [told(begin - MICROSECOND) for begin in begins[1:]] == [
        [reason] for reason in reasons[:-1]
    ]


def test_an_entry_that_moved_is_found_where_it_was(
    services: Services, caller: Caller, database_url: str
) -> None:
    campaign = Campaign(0, "SPRING", "Spring", "", "TELEMKT")
    spring = read_campaign(str(services.campaigns.add(caller, None, campaign)))
    entry_id = services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    before = now(database_url)
    services.suppressions.revise(
        caller, entry_id, Revision(campaign=spring, phone_number=OTHER.national)
    )
    after = now(database_url)

    def listed(number: PhoneNumber, campaign: str, at: datetime) -> bool:
        question = Question(number, read_campaign(campaign))
        by_check = not services.checks.check_as_of(caller, question, at).callable
        _, hits = services.checks.find_listed(
            caller, [number.e164], question.campaign, as_of=at
        )
        assert by_check == (number.e164 in hits)
        return by_check

    assert listed(NUMBER, "SPRING", before)
    assert not listed(OTHER, "SPRING", before)
    assert not listed(NUMBER, "SPRING", after)
    assert listed(OTHER, "SPRING", after)
    exported = [
        b"".join(services.exports.stream(caller, spring, at)).count(b"\n") - 1
        for at in (before, after)
    ]
    assert exported == [0, 1]


def test_an_instant_that_has_not_passed_is_refused(
    services: Services, caller: Caller, database_url: str
) -> None:
    ahead = now(database_url) + timedelta(seconds=30)

    with pytest.raises(InstantInvalid, match="has not passed"):
        services.checks.check_as_of(caller, Question(NUMBER), ahead)
    with pytest.raises(InstantInvalid):
        services.checks.find_listed(caller, [NUMBER.e164], None, as_of=ahead)
    with pytest.raises(InstantInvalid):
        services.searches.search(caller, EntryFilter(), Page(), ahead)
    with pytest.raises(InstantInvalid):
        services.exports.stream(caller, None, ahead)


def test_a_campaign_that_does_not_exist_is_refused_at_any_instant(
    services: Services, caller: Caller, database_url: str
) -> None:
    at = now(database_url)
    nowhere = read_campaign("NOSUCH")

    with pytest.raises(CampaignUnknown):
        services.checks.check_as_of(caller, Question(NUMBER, nowhere), at)
    with pytest.raises(CampaignUnknown):
        services.searches.search(caller, EntryFilter(campaign=nowhere), Page(), at)
    with pytest.raises(CampaignUnknown):
        services.exports.stream(caller, nowhere, at)


def test_an_import_dates_all_its_rows_by_one_instant_when_it_stores_them(
    services: Services, caller: Caller, database_url: str
) -> None:
    rows = "".join(f"{5554000000 + n}\n" for n in range(3000))
    services.imports.run(
        caller, Source(BytesIO(rows.encode()), "list"), ImportOptions()
    )

    with psycopg.connect(database_url) as connection:
        told = connection.execute(
            "SELECT count(*), count(DISTINCT valid_from),"
            " bool_and(valid_from = operation.at AND inserted_at = operation.at)"
            " FROM dnc_entry JOIN operation ON operation.id = operation_id"
        ).fetchall()
    assert told == [(3000, 1, True)]


def test_a_long_list_is_not_read_whole_to_tell_of_a_number(
    services: Services, caller: Caller, database: Database, database_url: str
) -> None:
    many = [Draft(PhoneNumber("1", str(5555000000 + n)), GLOBAL) for n in range(20_000)]
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    services.suppressions.suppress_many(caller, many)
    services.suppressions.release_many(
        caller, [draft.number for draft in many[::2]], GLOBAL
    )
    database.close()
    at = now(database_url)
    before = read(database_url)

    asking = Database(database_url, connections=1)
    services = build_services(asking)
    for _ in range(10):
        services.checks.check_as_of(caller, Question(NUMBER), at)
        services.checks.find_listed(caller, [NUMBER.e164], None, as_of=at)
        wanted = EntryFilter(numbers=(NUMBER,))
        services.searches.search(caller, wanted, Page(), at)
        services.histories.find(caller, Subject((NUMBER,)), Page())
    asking.close()

    assert read(database_url) - before < 2000


def test_all_that_a_transaction_changes_has_one_instant(
    services: Services, caller: Caller, database_url: str
) -> None:
    campaign = Campaign(0, "SPRING", "Spring", "")
    spring = read_campaign(str(services.campaigns.add(caller, None, campaign)))
    many = [PhoneNumber("1", str(5551000000 + n)) for n in range(20)]
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    services.suppressions.suppress_many(caller, [Draft(x, GLOBAL) for x in many])
    services.suppressions.release_many(caller, many, GLOBAL)
    entry_id = services.suppressions.suppress(caller, Draft(OTHER, GLOBAL))
    services.suppressions.revise(caller, entry_id, Revision(campaign=spring))

    with psycopg.connect(database_url) as connection:
        told = connection.execute(
            "SELECT operation.id, count(*), array_agg(DISTINCT version.at) ="
            " ARRAY[operation.at] FROM operation JOIN ("
            " SELECT operation_id AS by, valid_from AS at FROM dnc_entry"
            " UNION ALL SELECT operation_id, valid_from FROM dnc_entry_past"
            " UNION ALL SELECT ended_by_operation, valid_until FROM dnc_entry_past"
            ") AS version ON version.by = operation.id"
            " GROUP BY operation.id, operation.at"
            " ORDER BY operation.id"
        ).fetchall()

    assert [(count, same) for _, count, same in told] == [
        (1, True),
        (20, True),
        (20, True),
        (1, True),
        (2, True),
    ]


def test_code_of_the_release_before_dates_its_revisions_alike(
    services: Services, caller: Caller, database_url: str
) -> None:
    """The last release's own statement, which reads the clock at its BEGIN."""
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    organisation = str(caller.organisation.id)
    with psycopg.connect(database_url) as connection:
        connection.execute(OPEN, {"organisation": organisation})
        time.sleep(0.05)
        connection.execute("SELECT set_config('dncd.operation', '1', true)")
        connection.execute(
            "UPDATE dnc_entry SET reason = 'x', valid_from ="
            " greatest(now(), valid_from + interval '1 microsecond')"
        )

    [(_, _, ends), (_, begins, _)] = versions(database_url)
    assert ends == begins


@pytest.mark.parametrize("how", ["campaign", "inserted", "reason", "all"])
def test_totals_of_an_instant_are_exact_for_every_filter(
    services: Services, caller: Caller, database_url: str, how: str
) -> None:
    for n in range(30):
        number = PhoneNumber("1", str(5553000000 + n))
        reason = "odd" if n % 2 else "even"
        services.suppressions.suppress(caller, Draft(number, GLOBAL, None, reason))
    at = now(database_url)
    gone = [PhoneNumber("1", str(5553000000 + n)) for n in range(0, 30, 3)]
    services.suppressions.release_many(caller, gone, GLOBAL)
    wanted = {
        "campaign": EntryFilter(campaign=GLOBAL),
        "inserted": EntryFilter(inserted=(Interval(at - timedelta(hours=1), at),)),
        "reason": EntryFilter(reason="odd"),
        "all": EntryFilter(),
    }[how]

    pages = [
        services.searches.search(caller, wanted, Page(offset, 7), at)
        for offset in range(0, 35, 7)
    ]

    expected = 15 if how == "reason" else 30
    assert {total for _, total in pages} == {expected}
    ids = [entry.id for found, _ in pages for entry in found]
    assert len(ids) == expected
    assert ids == sorted(ids)
