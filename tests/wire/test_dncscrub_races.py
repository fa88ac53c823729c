"""Lists that many clients change at the same instant, and a database that is gone."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.wire import stored
from tests.wire.dncscrub import NUMBER, OTHER, TEXT, add, codes, essence, pdnc, send
from tests.wire.service import Api
from tests.wire.tcp_proxy import Mode

MANY = [str(5552000000 + n) for n in range(2000)]


def at_once(actions: Sequence[Callable[[], requests.Response]]) -> list[int]:
    """Do everything at the same instant and return the statuses."""
    barrier = threading.Barrier(len(actions))

    def act(action: Callable[[], requests.Response]) -> int:
        barrier.wait(10)
        return action().status_code

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(act, actions))


def doing(api: Api, action: str, numbers: Sequence[str]) -> Any:
    client = replace(api, session=requests.Session())
    return lambda: pdnc(client, action, ",".join(numbers))


@pytest.mark.parametrize("attempt", range(3))
def test_clients_that_add_a_list_in_opposite_orders_all_succeed(
    attempt, api, service_database
):
    del attempt  # once is luck
    orders = [MANY, MANY[::-1], MANY[1000:] + MANY[:1000], MANY[::2] + MANY[1::2]]

    statuses = at_once([doing(api, "add", order) for order in orders * 2])

    assert statuses == [200] * 8
    organisation = api.caller.organisation.id
    assert stored.numbers(service_database, organisation) == [f"1{n}" for n in MANY]
    assert pdnc(api, "count").text.startswith("2000,")
    assert codes(api, ",".join(MANY)) == "P" * 2000


def test_clients_that_add_and_remove_a_list_at_once_get_no_error(api, service_database):
    actions = [
        doing(api, action, order)
        for action in ("add", "remove")
        for order in (MANY, MANY[::-1], MANY[::2] + MANY[1::2])
    ]

    for _ in range(3):
        assert at_once(actions) == [200] * 6

    organisation = api.caller.organisation.id
    held = stored.numbers(service_database, organisation)
    assert pdnc(api, "count").text.startswith(f"{len(held)},")
    # All of a call is one transaction: nobody sees a list that is there in part.
    assert len(held) in {0, 2000}


def test_fifty_thousand_are_added_told_and_removed_in_a_call_each(api):
    numbers = [str(5553000000 + n) for n in range(50_000)]

    add(api, ",".join(numbers))
    told = pdnc(api, "status", ",".join(reversed(numbers))).text.splitlines()

    assert [line.split(",")[0] for line in told] == numbers[::-1]
    assert all(line.count(",") == 2 and not line.endswith(",") for line in told)
    assert pdnc(api, "count").text.startswith("50000,")
    assert pdnc(api, "remove", ",".join(numbers)).status_code == 200
    assert pdnc(api, "count").text.startswith("0,")


CALLS: dict[str, tuple[str, dict[str, str]]] = {
    "add": ("pdnc", {"actionType": "add", "phoneList": OTHER}),
    "remove": ("pdnc", {"actionType": "remove", "phoneList": NUMBER}),
    "count": ("pdnc", {"actionType": "count"}),
    "status": ("pdnc", {"actionType": "status", "phoneList": NUMBER}),
    "scrub": ("scrub", {"phoneList": NUMBER}),
    "scrub as json": ("scrub", {"phoneList": NUMBER, "output": "json"}),
}


@pytest.mark.parametrize(
    "mode",
    [Mode.REFUSE, pytest.param(Mode.BLACKHOLE, marks=pytest.mark.soak)],
    ids=lambda mode: mode.value,
)
def test_without_its_database_it_says_neither_clean_nor_done(mode, reached):
    add(reached.api, NUMBER)
    reached.proxy.mode = mode
    try:
        for call, fields in CALLS.values():
            answer = send(reached.fresh(), call, **fields)
            assert essence(answer) == (503, TEXT, "Service unavailable, try again")
            assert answer.headers["Retry-After"] == "1"
    finally:
        reached.proxy.mode = Mode.PASS
    numbers = stored.numbers(reached.url, reached.api.caller.organisation.id)
    assert f"1{NUMBER}" in numbers
    assert f"1{OTHER}" not in numbers
