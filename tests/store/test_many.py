"""Many entries at once: all or none, one operation, and listed when it is said."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.entries import Draft, EntryFilter, Page, Revision
from app.domain.errors import (
    CampaignUnknown,
    EntryForeign,
    EntryUnknown,
    PurposeInvalid,
)
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.organisations import operator
from tests.conftest import make_organisation
from tests.store.listing import rows

GLOBAL = read_campaign("0")
PURPOSES = read_campaign("-1")
SPRING = read_campaign("SPRING")


def number(n: int) -> PhoneNumber:
    return PhoneNumber("1", str(5550000000 + n))


def drafts(*numbers: int, **details) -> list[Draft]:
    return [Draft(number(n), GLOBAL, **details) for n in numbers]


@pytest.fixture
def spring(services: Services, caller: Caller) -> int:
    return services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", ""))


@pytest.fixture
def other(services: Services) -> Caller:
    wanted = make_organisation("Other")
    return operator(services.organisations.add("test", wanted), "test")


def listed(services: Services, caller: Caller) -> dict[str, list[str]]:
    """Return the listed numbers by campaign."""
    found, _ = services.searches.search(caller, EntryFilter(), Page(0, 1000))
    lists: dict[str, list[str]] = {}
    for entry in found:
        lists.setdefault(entry.campaign.uid, []).append(entry.number.national)
    return lists


def operations(url: str) -> list[tuple[str, str | None, int]]:
    found = rows(
        url,
        "SELECT kind, why, touched FROM operation WHERE kind ~ '^entry' ORDER BY id",
    )
    return [(row["kind"], row["why"], row["touched"]) for row in found]


def test_many_are_one_operation_and_what_was_listed_stays_as_it_was(
    services: Services, caller: Caller, database_url: str
) -> None:
    first = services.suppressions.suppress(
        caller, Draft(number(2), GLOBAL, None, "old")
    )

    ids = services.suppressions.suppress_many(
        caller, drafts(3, 2, 1, 3, reason="new", evidence={"batch": "7"})
    )

    assert [found is not None for found in ids] == [True, False, True, False]
    assert first not in ids
    found, _ = services.searches.search(caller, EntryFilter(), Page())
    by_number = {entry.number: entry for entry in found}
    assert by_number[number(3)].id == ids[0]
    assert by_number[number(1)].id == ids[2]
    assert [by_number[number(n)].reason for n in (1, 2, 3)] == ["new", "old", "new"]
    assert by_number[number(1)].evidence == {"batch": "7"}
    assert by_number[number(2)].evidence is None
    assert operations(database_url) == [
        ("entry:suppressed", "old", 1),
        ("entry:suppressed", "new", 2),
    ]


def test_where_nothing_is_added_there_is_no_operation(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress_many(caller, drafts(1, 2))

    assert services.suppressions.suppress_many(caller, drafts(2, 1)) == [None, None]
    assert services.suppressions.suppress_many(caller, []) == []
    assert operations(database_url) == [("entry:suppressed", None, 2)]


def test_each_draft_goes_to_its_own_list(
    services: Services, caller: Caller, spring: int
) -> None:
    by_id = read_campaign(str(spring))

    ids = services.suppressions.suppress_many(
        caller,
        [
            Draft(number(1), GLOBAL),
            Draft(number(1), SPRING),
            Draft(number(1), by_id),
            Draft(number(1), PURPOSES, purpose="telemkt"),
            Draft(number(1), PURPOSES, purpose="VERIFY"),
            Draft(number(1), PURPOSES, purpose="TELEMKT"),
            Draft(number(2), SPRING, purpose="a note"),
            Draft(number(2), SPRING, purpose="another"),
        ],
    )

    assert [found is None for found in ids] == [
        False,
        False,
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    national = number(1).national
    assert listed(services, caller) == {
        "0": [national],
        "SPRING": [national, number(2).national],
        "-1": [national, national],
    }


@pytest.mark.parametrize(
    ("bad", "refusal"),
    [
        (Draft(number(9), read_campaign("AUTUMN")), CampaignUnknown),
        (Draft(number(9), PURPOSES), PurposeInvalid),
        (Draft(number(9), PURPOSES, purpose="FUN"), PurposeInvalid),
    ],
)
def test_one_that_has_no_list_keeps_all_of_them_out(
    services: Services, caller: Caller, database_url: str, bad: Draft, refusal
) -> None:
    with pytest.raises(refusal):
        services.suppressions.suppress_many(caller, [*drafts(1, 2), bad])

    assert listed(services, caller) == {}
    assert operations(database_url) == []


@pytest.mark.soak
def test_fifty_thousand_are_put_on_the_list_and_taken_off_again(
    services: Services, caller: Caller, database_url: str
) -> None:
    many = range(50_000)

    ids = services.suppressions.suppress_many(caller, drafts(*many))
    again = services.suppressions.suppress_many(caller, drafts(*many, 50_000))
    found = services.searches.find_on_list(caller, [number(n) for n in many], GLOBAL)
    size = services.searches.measure_list(caller, GLOBAL)
    gone = services.suppressions.release_many(caller, [number(n) for n in many], GLOBAL)

    assert len(set(ids)) == 50_000
    assert [n for n, new in enumerate(again) if new is not None] == [50_000]
    assert {key: entry.id for key, entry in found.items()} == {
        number(n).e164: ids[n] for n in many
    }
    assert size.numbers == 50_001
    assert gone == 50_000
    assert operations(database_url) == [
        ("entry:suppressed", None, 50_000),
        ("entry:suppressed", None, 1),
        ("entry:released", None, 50_000),
    ]


def test_a_release_of_many_ends_what_is_on_that_list_alone(
    services: Services, caller: Caller, other: Caller, spring: int, database_url: str
) -> None:
    services.suppressions.suppress_many(caller, drafts(1, 2))
    services.suppressions.suppress(caller, Draft(number(1), SPRING))
    services.suppressions.suppress_many(other, drafts(1, 2))
    assert spring
    wanted = [number(1), number(3), number(1)]

    gone = services.suppressions.release_many(caller, wanted, GLOBAL)
    again = services.suppressions.release_many(caller, wanted, GLOBAL)

    assert (gone, again) == (1, 0)
    assert listed(services, caller) == {
        "0": [number(2).national],
        "SPRING": [number(1).national],
    }
    assert len(listed(services, other)["0"]) == 2
    assert operations(database_url)[-1] == ("entry:released", None, 1)
    [past] = rows(
        database_url,
        "SELECT past.e164, ended.kind FROM dnc_entry_past AS past "
        "JOIN operation AS ended ON ended.id = past.ended_by_operation",
    )
    assert past == {"e164": number(1).e164, "kind": "entry:released"}


@pytest.mark.parametrize("name", ["-1", "AUTUMN", "4711"])
def test_no_list_but_one_that_there_is_can_be_meant(
    services: Services, caller: Caller, name: str
) -> None:
    reference = read_campaign(name)

    with pytest.raises(CampaignUnknown):
        services.suppressions.release_many(caller, [number(1)], reference)
    with pytest.raises(CampaignUnknown):
        services.searches.find_on_list(caller, [number(1)], reference)
    with pytest.raises(CampaignUnknown):
        services.searches.measure_list(caller, reference)


def test_an_entry_is_released_by_its_id_and_only_its_own_organisation_s(
    services: Services, caller: Caller, other: Caller, database_url: str
) -> None:
    own, kept = services.suppressions.suppress_many(caller, drafts(1, 2))
    theirs = services.suppressions.suppress(other, Draft(number(1), GLOBAL))
    assert own is not None

    services.suppressions.release_entry(caller, own)

    with pytest.raises(EntryUnknown):
        services.suppressions.release_entry(caller, own)
    with pytest.raises(EntryUnknown):
        services.suppressions.release_entry(caller, 2**63 - 1)
    with pytest.raises(EntryForeign):
        services.suppressions.release_entry(caller, theirs)
    assert kept is not None
    with pytest.raises(EntryForeign):
        services.suppressions.release_entry(other, kept)
    assert listed(services, caller) == {"0": [number(2).national]}
    assert listed(services, other) == {"0": [number(1).national]}
    assert operations(database_url)[-1] == ("entry:released", None, 1)


def test_evidence_outlives_a_revision_and_a_release(
    services: Services, caller: Caller, database_url: str
) -> None:
    evidence = {"requestUUID": "é-1", "batchId": "7"}
    draft = Draft(number(1), GLOBAL, evidence=evidence)
    entry_id = services.suppressions.suppress(caller, draft)

    services.suppressions.revise(caller, entry_id, Revision(reason="DNC"))
    found, _ = services.searches.search(caller, EntryFilter(), Page())
    services.suppressions.release_entry(caller, entry_id)

    assert found[0].evidence == evidence
    past = rows(database_url, "SELECT evidence FROM dnc_entry_past")
    assert [row["evidence"] for row in past] == [evidence, evidence]


def test_a_number_in_the_way_that_is_being_deleted_is_put_on_the_list_again(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress_many(caller, drafts(1, 2, 3))
    with (
        psycopg.connect(database_url) as deleting,
        ThreadPoolExecutor() as pool,
    ):
        deleting.execute("SELECT set_config('dncd.operation', '1', true)")
        deleting.execute(
            "SELECT set_config('dncd.organisation', %s, true)",
            [str(caller.organisation.id)],
        )
        deleting.execute("DELETE FROM dnc_entry WHERE e164 = %s", [number(2).e164])

        waiting = pool.submit(
            services.suppressions.suppress_many, caller, drafts(1, 2, 3, 4)
        )
        time.sleep(0.3)
        assert not waiting.done()
        deleting.commit()
        ids = waiting.result()

    assert [found is None for found in ids] == [True, False, True, False]
    assert len(listed(services, caller)["0"]) == 4


def test_what_was_in_the_way_stays_listed_until_it_is_said(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress_many(caller, drafts(1))
    inserting = psycopg.connect(database_url)
    inserting.execute(
        "SELECT set_config('dncd.organisation', %s, true)",
        [str(caller.organisation.id)],
    )
    # Keeps the request waiting after it has looked at number 1.
    inserting.execute(
        "INSERT INTO dnc_entry (organisation_id, e164, calling_code, campaign_id,"
        " operation_id) VALUES (%s, %s, 1, 0, 1)",
        [caller.organisation.id, number(2).e164],
    )
    with inserting, ThreadPoolExecutor() as pool:
        adding = pool.submit(services.suppressions.suppress_many, caller, drafts(1, 2))
        time.sleep(0.2)
        releasing = pool.submit(
            services.suppressions.release_many, caller, [number(1)], GLOBAL
        )
        time.sleep(0.2)
        assert not releasing.done()
        inserting.rollback()

        assert [found is None for found in adding.result()] == [True, False]
        assert releasing.result() == 1
    assert listed(services, caller) == {"0": [number(2).national]}


def test_whoever_adds_and_releases_the_same_numbers_at_once_is_never_refused(
    services: Services, caller: Caller, database_url: str
) -> None:
    failures: list[BaseException] = []
    added = [0] * 4
    gone = [0] * 4

    def work(worker: int) -> None:
        chance = random.Random(worker)
        try:
            for _ in range(40):
                some = chance.sample(range(30), 20)
                if chance.random() < 0.5:
                    ids = services.suppressions.suppress_many(caller, drafts(*some))
                    added[worker] += sum(found is not None for found in ids)
                else:
                    gone[worker] += services.suppressions.release_many(
                        caller, [number(n) for n in some], GLOBAL
                    )
        except BaseException as failure:  # noqa: BLE001  told below
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    left = len(listed(services, caller).get("0", []))
    assert sum(added) - sum(gone) == left
    touched = operations(database_url)
    assert sum(n for kind, _, n in touched if kind == "entry:suppressed") == sum(added)
    assert sum(n for kind, _, n in touched if kind == "entry:released") == sum(gone)


def test_a_deadlock_is_tried_again(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress_many(caller, drafts(1, 2))
    own = caller.organisation.id
    with psycopg.connect(database_url) as third, ThreadPoolExecutor() as pool:
        third.execute("SET deadlock_timeout = '60s'")  # so that the service meets it
        third.execute("SELECT set_config('dncd.organisation', %s, true)", [str(own)])
        lock = "SELECT id FROM dnc_entry WHERE e164 = %s FOR UPDATE"
        third.execute(lock, [number(2).e164])
        releasing = pool.submit(
            services.suppressions.release_many, caller, [number(1), number(2)], GLOBAL
        )
        time.sleep(0.3)
        third.execute(lock, [number(1).e164])  # against the order of everybody else
        third.rollback()

        assert releasing.result() == 2
