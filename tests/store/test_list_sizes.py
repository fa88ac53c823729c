"""How long a list is and when it last changed, whatever has changed it."""

from collections.abc import Callable

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.entries import Draft, EntryFilter, ListSize, Page, Revision
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from tests.store import folding
from tests.store.listing import import_text, rows

GLOBAL = read_campaign("0")
SPRING = read_campaign("SPRING")


def number(n: int) -> PhoneNumber:
    return PhoneNumber("1", str(5550000000 + n))


@pytest.fixture
def filled(services: Services, caller: Caller) -> list[int]:
    """Entries 1 and 2 of the organisation's list, and 3 of a campaign's."""
    services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", ""))
    return [
        services.suppressions.suppress(caller, Draft(number(n), on))
        for n, on in ((1, GLOBAL), (2, GLOBAL), (3, SPRING))
    ]


def measure(services: Services, caller: Caller) -> tuple[ListSize, ListSize]:
    return (
        services.searches.measure_list(caller, GLOBAL),
        services.searches.measure_list(caller, SPRING),
    )


def test_an_empty_list_never_changed(services: Services, caller: Caller) -> None:
    assert services.searches.measure_list(caller, GLOBAL) == ListSize(0, None)


@pytest.mark.parametrize("most", [0, 5000], ids=["not folded", "folded"])
def test_a_list_changed_when_its_newest_entry_came(
    services: Services,
    caller: Caller,
    filled: list[int],
    database_url: str,
    most: int,
) -> None:
    folding.fold(database_url, caller.organisation.id, most)
    found, _ = services.searches.search(caller, EntryFilter(), Page())
    came = {entry.id: entry.valid_from for entry in found}

    assert measure(services, caller) == (
        ListSize(2, came[filled[1]]),
        ListSize(1, came[filled[2]]),
    )


Act = Callable[[Services, Caller, list[int]], object]


def _release(services: Services, caller: Caller, _ids: list[int]) -> None:
    services.suppressions.release(caller, number(1), GLOBAL, None, None)


def _release_newest(services: Services, caller: Caller, ids: list[int]) -> None:
    services.suppressions.release_entry(caller, ids[1])


def _release_all(services: Services, caller: Caller, _ids: list[int]) -> None:
    services.suppressions.release_many(caller, [number(1), number(2)], GLOBAL)


def _revise(services: Services, caller: Caller, ids: list[int]) -> None:
    services.suppressions.revise(caller, ids[0], Revision(reason="DNC"))


def _import_old(services: Services, caller: Caller, _ids: list[int]) -> None:
    import_text(
        services, caller, "phone_number,inserted_at\n5550000009,2001-02-03 04:05:06\n"
    )


@pytest.mark.parametrize(
    ("act", "left"),
    [
        (_release, 1),
        (_release_newest, 1),
        (_release_all, 0),
        (_revise, 2),
        (_import_old, 3),
    ],
)
def test_a_list_changes_at_the_instant_of(  # noqa: PLR0917
    services: Services,
    caller: Caller,
    filled: list[int],
    database_url: str,
    act: Act,
    left: int,
) -> None:
    _, spring = measure(services, caller)

    act(services, caller, filled)

    [latest] = rows(database_url, "SELECT max(at) AS at FROM operation")
    assert measure(services, caller) == (ListSize(left, latest["at"]), spring)


def test_a_move_changes_both_lists(
    services: Services, caller: Caller, filled: list[int], database_url: str
) -> None:
    services.suppressions.revise(caller, filled[0], Revision(campaign=SPRING))

    [latest] = rows(database_url, "SELECT max(at) AS at FROM operation")
    assert measure(services, caller) == (
        ListSize(1, latest["at"]),
        ListSize(2, latest["at"]),
    )


def test_a_list_is_measured_without_reading_it(
    services: Services, caller: Caller, filled: list[int], database_url: str
) -> None:
    """Were the entries counted, this one would be found missing from the totals."""
    del filled
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")  # no triggers
        connection.execute("DELETE FROM dnc_entry WHERE e164 = %s", [number(1).e164])

    size, _ = measure(services, caller)

    assert size.numbers == 2
