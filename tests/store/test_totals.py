"""The kept totals are what counting would find, whatever happens at the same time."""

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from zoneinfo import ZoneInfo

import psycopg
import pytest

from app.domain import dates
from app.domain.access import Caller
from app.domain.entries import Draft, EntryFilter, Page, Revision
from app.domain.errors import StoreUnavailable
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, CampaignReference, read_campaign
from app.domain.texts import BLANK, NOT_BLANK
from app.services import Services
from app.store import searches, tallies
from app.store.database import Database
from app.store.roles import Scope
from tests.store import folding

REASONS = (None, "DNC", "ConsentRevoked")
PURPOSES = (None, "TELEMKT", "COLLECT")
CODES = ("1", "44")
COUNT = "SELECT count(*) AS n FROM dnc_entry WHERE reason = 'DNC'"
KOLKATA = ZoneInfo("Asia/Kolkata")


def everything(day: str, second: str) -> Iterator[EntryFilter]:
    """Yield every combination of the filters that do not name a number."""
    for campaign, code, inserted, reason, purpose in product(
        (None, "0", "-1", "SPRING"),
        (None, "1", "44"),
        (None, day, second),
        (None, "DNC", BLANK, NOT_BLANK),
        (None, "TELEMKT", BLANK, NOT_BLANK),
    ):
        yield EntryFilter(
            campaign=read_campaign(campaign) if campaign else None,
            calling_code=code,
            inserted=dates.read_intervals(inserted, KOLKATA) if inserted else None,
            reason=reason,
            purpose=purpose,
        )


# One sequence of changes shows what is broken for good, more what is seldom.
SOAKED = [pytest.param(seed, marks=pytest.mark.soak) for seed in (2, 3)]


@pytest.fixture
def campaigns(services: Services, caller: Caller) -> list[CampaignReference]:
    services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", "", "TELEMKT"))
    return [read_campaign(text) for text in ("0", "-1", "SPRING")]


def change(
    services: Services,
    caller: Caller,
    campaigns: list[CampaignReference],
    chance: random.Random,
    stored: dict[int, Draft],
) -> None:
    """Insert, update or delete at random; *stored* follows."""
    what = chance.random()
    if what < 0.6 or not stored:
        campaign = chance.choice(campaigns)
        purpose = chance.choice(PURPOSES)
        draft = Draft(
            number=PhoneNumber(
                chance.choice(CODES), str(chance.randrange(10**9, 10**10))
            ),
            campaign=campaign,
            reason=chance.choice(REASONS),
            purpose=purpose or ("TELEMKT" if campaign.is_purpose_list else None),
        )
        stored[services.suppressions.suppress(caller, draft)] = draft
        return
    entry_id = chance.choice(list(stored))
    if what < 0.8:
        reason = chance.choice(REASONS)
        services.suppressions.revise(caller, entry_id, Revision(reason=reason))
        stored[entry_id] = replace(stored[entry_id], reason=reason)
        return
    gone = stored.pop(entry_id)
    services.suppressions.release(
        caller, gone.number, gone.campaign, gone.purpose, None
    )


def backdate(url: str, organisation_id: int) -> None:
    """Spread the instants of the entries over three days, some to the same second."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, true),"
            " set_config('dncd.operation', '1', true)",
            [str(organisation_id)],
        )
        connection.execute(
            "UPDATE dnc_entry SET inserted_at = '2026-03-01T18:29:58Z'::timestamptz"
            " + (id %% 7) * interval '1 second' + (id %% 3) * interval '1 day'"
            " WHERE organisation_id = %s",
            [organisation_id],
        )


@pytest.mark.parametrize("seed", [1, *SOAKED])
def test_every_filter_finds_as_many_as_there_are(
    services: Services,
    caller: Caller,
    campaigns: list[CampaignReference],
    database_url: str,
    seed: int,
) -> None:
    chance = random.Random(seed)
    stored: dict[int, Draft] = {}
    for _ in range(150):
        change(services, caller, campaigns, chance, stored)
        if chance.random() < 0.05:
            folding.fold(database_url, caller.organisation.id, chance.choice([3, 5000]))
    backdate(database_url, caller.organisation.id)
    if seed == 1:
        folding.fold(database_url, caller.organisation.id)
    everyone = counting(services, caller)

    for wanted in everything("2026-03-02", "2026-03-02 00:00:00"):
        found, total = services.searches.search(caller, wanted, Page(0, 1000))
        expected = [entry for entry in everyone if matches(wanted, entry)]
        assert total == len(expected), wanted
        assert found == expected, wanted


@pytest.mark.parametrize("seed", [1, *SOAKED])
def test_a_page_that_begins_far_behind_is_the_one_that_counting_leads_to(
    services: Services,
    caller: Caller,
    campaigns: list[CampaignReference],
    database_url: str,
    seed: int,
) -> None:
    chance = random.Random(seed)
    stored: dict[int, Draft] = {}
    for _ in range(120):
        change(services, caller, campaigns, chance, stored)
        if chance.random() < 0.2:
            pass_ids(database_url, chance.randrange(tallies.BLOCK_IDS))
        if chance.random() < 0.05:
            folding.fold(database_url, caller.organisation.id, chance.choice([3, 5000]))
    everyone = counting(services, caller)
    assert everyone[-1].id > 5 * tallies.BLOCK_IDS

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searches, "FAR", 1)
        for wanted in everything("2026-03-02", "2026-03-02 00:00:00"):
            expected = [entry for entry in everyone if matches(wanted, entry)]
            for offset in range(1, len(expected), 1 + len(expected) // 5):
                found, _ = services.searches.search(caller, wanted, Page(offset, 4))
                assert found == expected[offset : offset + 4], (wanted, offset)


def pass_ids(url: str, ids: int) -> None:
    """Let the next entry's id be that much larger."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT setval(sequence, nextval(sequence) + %s)"
            " FROM pg_get_serial_sequence('dnc_entry', 'id') AS sequence",
            [ids],
        )


def counting(services: Services, caller: Caller) -> list:
    found, total = services.searches.search(caller, EntryFilter(), Page(0, 1000))
    assert total == len(found) > 30
    return found


def matches(wanted: EntryFilter, entry) -> bool:
    def text(filter_, value) -> bool:
        if filter_ in {BLANK, NOT_BLANK}:
            return (value is not None) is filter_.present
        return filter_ is None or filter_ == value

    return (
        (
            wanted.campaign is None
            or wanted.campaign.code
            in {
                str(entry.campaign.id),
                entry.campaign.uid,
            }
        )
        and (wanted.calling_code in {None, entry.number.calling_code})
        and (
            wanted.inserted is None
            or any(
                interval.start <= entry.inserted_at < interval.end
                for interval in wanted.inserted
            )
        )
        and text(wanted.reason, entry.reason)
        and text(wanted.purpose, entry.purpose)
    )


def insert(url: str, organisation_id: int, e164: int) -> psycopg.Connection:
    """Insert an entry in a transaction that stays open."""
    connection = psycopg.connect(url)
    connection.execute(
        "SELECT set_config('dncd.organisation', %s, true)", [str(organisation_id)]
    )
    connection.execute(
        "INSERT INTO dnc_entry (organisation_id, e164, calling_code, campaign_id,"
        " operation_id) VALUES (%s, %s, 1, 0, 1)",
        [organisation_id, e164],
    )
    return connection


def test_an_insert_that_is_not_committed_keeps_nobody_waiting(
    services: Services, caller: Caller, database_url: str
) -> None:
    own = caller.organisation.id
    with insert(database_url, own, 12025550001) as open_one:
        # Each of these would fail at its deadline.
        draft = Draft(PhoneNumber("1", "2025550002"), read_campaign("0"))
        services.suppressions.suppress(caller, draft)
        folding.fold(database_url, own)
        assert services.searches.search(caller, EntryFilter(), Page())[1] == 1
        open_one.commit()

    assert services.searches.search(caller, EntryFilter(), Page())[1] == 2


def test_a_fold_that_is_not_committed_keeps_nobody_waiting(
    services: Services, caller: Caller, database_url: str
) -> None:
    own = caller.organisation.id
    numbers = [PhoneNumber("1", str(2025550000 + n)) for n in range(3)]
    services.suppressions.suppress(caller, Draft(numbers[0], read_campaign("0")))
    with psycopg.connect(database_url) as folding_one:
        folding_one.execute(
            "SELECT set_config('dncd.organisation', %s, true)", [str(own)]
        )
        folding_one.execute("SELECT dnc_entry_fold(%s, 5000)", [own])
        services.suppressions.suppress(caller, Draft(numbers[1], read_campaign("0")))
        folding.fold(database_url, own)  # leaves it to the other one
        assert services.searches.search(caller, EntryFilter(), Page())[1] == 2

    services.suppressions.suppress(caller, Draft(numbers[2], read_campaign("0")))
    folding.fold(database_url, own)

    assert services.searches.search(caller, EntryFilter(), Page())[1] == 3


def test_totals_are_exact_at_every_moment_of_concurrent_writing(
    services: Services, caller: Caller, database: Database, database_url: str
) -> None:
    campaigns = [read_campaign("0")]
    done = threading.Event()
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)
        stored: dict[int, Draft] = {}
        try:
            while not done.is_set():
                change(services, caller, campaigns, chance, stored)
        except BaseException as failure:  # noqa: BLE001  told below
            failures.append(failure)

    def fold() -> None:
        while not done.wait(0.01):
            folding.fold(database_url, caller.organisation.id, 7)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in (1, 2, 3)]
    threads.append(threading.Thread(target=fold))
    for thread in threads:
        thread.start()
    wanted = EntryFilter(reason="DNC")
    seen = set()
    for _ in range(150):
        with database.snapshot(Scope(caller.organisation.id)) as tx:
            kept = searches.search(tx, wanted, Page())[1]
            counted = tx.fetch(
                "SELECT count(*) AS n FROM dnc_entry WHERE reason = 'DNC'", {}
            )
        assert kept == counted[0]["n"]
        seen.add(kept)
    done.set()
    for thread in threads:
        thread.join()

    assert not failures
    assert len(seen) > 5


def test_the_application_cannot_change_a_total(
    database: Database, caller: Caller
) -> None:
    for statement in (
        "UPDATE dnc_entry_tally SET n = 0",
        "UPDATE dnc_entry_block SET n = 0",
        "DELETE FROM dnc_entry_tally_delta",
        "INSERT INTO dnc_entry_tally_delta SELECT * FROM dnc_entry_tally_delta",
        "SELECT dnc_entry_fold(1, 1)",
    ):
        with (
            pytest.raises(StoreUnavailable, match="InsufficientPrivilege"),
            database.transaction(Scope(caller.organisation.id)) as tx,
        ):
            tx.connection.execute(statement)
