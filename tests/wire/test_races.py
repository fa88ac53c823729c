"""Many clients at the same instant: one of them was first, and everybody agrees."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
import requests

from tests.wire import stored
from tests.wire.service import Api

NUMBER = "5551234567"
KEY = f"1{NUMBER}"
DNC = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}

Result = TypeVar("Result")


def fresh(api: Api) -> Api:
    """Return the same client with connections of its own."""
    return replace(api, session=requests.Session())


def at_once(actions: Sequence[Callable[[], Result]]) -> list[Result]:
    """Do everything at the same instant and return what came of it."""
    barrier = threading.Barrier(len(actions))

    def act(action: Callable[[], Result]) -> Result:
        barrier.wait(10)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(act, actions))


def inserting(api: Api, **fields: object) -> Callable[[], dict[str, Any]]:
    client = fresh(api)
    # The connection is made before the race.
    client.session.get(f"{api.base}/healthz", timeout=10)
    return lambda: client.call("dnc/insert", **{**DNC, **fields})


@pytest.mark.parametrize("attempt", range(3))
def test_of_32_clients_that_insert_a_number_one_is_the_first(
    attempt, api, service_database
):
    del attempt  # once is luck
    racers = [inserting(api, reason="DNC") for _ in range(32)]

    answers = at_once(racers)

    (first,) = [answer for answer in answers if answer["success"]]
    refusals = [answer for answer in answers if not answer["success"]]
    assert {answer["code"] for answer in refusals} == {6007}
    assert {answer["id"] for answer in refusals} == {first["id"]}
    assert stored.numbers(service_database, api.caller.organisation.id) == [KEY]


def test_who_comes_later_with_other_details_is_told_of_the_first(api, service_database):
    reasons = [f"reason {number % 4}" for number in range(32)]

    answers = at_once([inserting(api, reason=reason) for reason in reasons])

    ((winner, first),) = [
        (reason, answer)
        for reason, answer in zip(reasons, answers, strict=True)
        if answer["success"]
    ]
    for reason, answer in zip(reasons, answers, strict=True):
        assert answer["id"] == first["id"]
        if not answer["success"]:
            assert answer["code"] == (6007 if reason == winner else 6008)
    (entry,) = api.search(phone_number=NUMBER)
    assert entry["reason"] == winner
    assert stored.numbers(service_database, api.caller.organisation.id) == [KEY]


def test_of_many_deletes_one_removes_the_entry_and_the_rest_find_none(
    api, service_database
):
    for _ in range(5):
        api.insert(NUMBER)
        clients = [fresh(api) for _ in range(16)]

        answers = at_once(
            [
                lambda client=client: client.call("dnc/delete", **DNC)
                for client in clients
            ]
        )

        assert sorted(answer.get("code", 0) for answer in answers) == [0] + [6001] * 15
        assert stored.numbers(service_database, api.caller.organisation.id) == []


def test_of_two_entries_that_move_to_one_number_one_arrives(api, service_database):
    for attempt in range(8):
        target = f"55520000{attempt:02}"
        ids = [api.insert(f"55510000{attempt}{side}") for side in (1, 2)]
        movers = [fresh(api) for _ in ids]

        answers = at_once(
            [
                lambda mover=mover, id_=id_, to=target: mover.call(
                    "dnc/update", id=id_, phone_number=to
                )
                for mover, id_ in zip(movers, ids, strict=True)
            ]
        )

        (first,) = [answer for answer in answers if answer["success"]]
        (second,) = [answer for answer in answers if not answer["success"]]
        assert (second["code"], second["id"]) == (6008, first["id"])
        (entry,) = api.search(phone_number=target)
        assert entry["id"] == str(first["id"])
    numbers = stored.numbers(service_database, api.caller.organisation.id)
    assert len(numbers) == 16


def test_two_entries_that_want_each_other_s_number_keep_two_numbers(
    api, service_database
):
    numbers = ["5551000001", "5551000002"]
    ids = [api.insert(number) for number in numbers]
    movers = [fresh(api) for _ in ids]

    answers = at_once(
        [
            lambda mover=mover, id_=id_, to=to: mover.send(
                "dnc/update", id=id_, phone_number=to
            )
            for mover, id_, to in zip(movers, ids, reversed(numbers), strict=True)
        ]
    )

    for answer in answers:
        assert answer.json()["code"] in {6008, 6059}
        assert answer.status_code == (503 if answer.json()["code"] == 6059 else 200)
    kept = stored.numbers(service_database, api.caller.organisation.id)
    assert kept == [f"1{number}" for number in numbers]


def listed_by_anyone(api: Api) -> set[int]:
    """Return how many entries 20 fresh connections see, one after the other."""
    return {len(fresh(api).search(phone_number=NUMBER)) for _ in range(20)}


def test_whoever_asks_after_an_acknowledged_write_sees_it(api):
    for _ in range(3):
        api.insert(NUMBER)
        assert listed_by_anyone(api) == {1}

        assert api.call("dnc/delete", **DNC) == {"success": True}
        assert listed_by_anyone(api) == {0}


@dataclass(frozen=True)
class Event:
    """What one client asked, when, and what it was told; *entry* is an id or None."""

    called: float
    returned: float
    operation: str
    done: bool
    entry: int | None


def do(client: Api, operation: str) -> Event:
    called = time.monotonic()
    if operation == "search":
        found = client.search(phone_number=NUMBER)
        assert len(found) <= 1
        entry = int(found[0]["id"]) if found else None
        return Event(called, time.monotonic(), operation, done=True, entry=entry)
    answer = client.call(f"dnc/{operation}", **DNC)
    returned = time.monotonic()
    assert answer["success"] or answer["code"] in {6007, 6001}, answer
    return Event(called, returned, operation, answer["success"], answer.get("id"))


IMPOSSIBLE = -1


def after(event: Event, listed: int | None) -> int | None:
    """Return which entry is listed after *event*, or IMPOSSIBLE."""
    match event.operation, event.done:
        case "insert", True:
            return event.entry if listed is None else IMPOSSIBLE
        case "delete", True:
            return None if listed is not None else IMPOSSIBLE
        case "delete", False:
            return None if listed is None else IMPOSSIBLE
        case _:
            return listed if event.entry == listed else IMPOSSIBLE


def explainable(history: list[Event]) -> bool:
    """
    Whether one client after the other could have met the same answers.

    Whoever returned before another called must come first (linearizability).
    """
    history = sorted(history, key=lambda event: event.called)
    everything = (1 << len(history)) - 1
    seen: set[tuple[int, int | None]] = set()
    waiting: list[tuple[int, int | None]] = [(0, None)]
    while waiting:
        state = waiting.pop()
        taken, listed = state
        if taken == everything:
            return True
        if state in seen:
            continue
        seen.add(state)
        left = [n for n in range(len(history)) if not taken >> n & 1]
        earliest_return = min(history[n].returned for n in left)
        for n in left:
            if history[n].called <= earliest_return:
                then = after(history[n], listed)
                if then != IMPOSSIBLE:
                    waiting.append((taken | 1 << n, then))
    return False


def test_an_order_that_cannot_be_is_noticed():
    insert = Event(0, 1, "insert", done=True, entry=7)
    delete = Event(2, 3, "delete", done=True, entry=None)
    search = Event(4, 5, "search", done=True, entry=7)

    assert explainable([insert, delete])
    assert not explainable([insert, delete, search])


@pytest.mark.parametrize("seed", range(6))
def test_inserts_deletes_and_searches_that_cross_can_be_put_in_order(seed, api):
    def client(number: int) -> Callable[[], list[Event]]:
        chosen = random.Random(f"{seed} {number}").choices(
            ["insert", "delete", "search"], k=8
        )

        def act() -> list[Event]:
            # Two connections, so that most clients meet more than one worker.
            ours = [fresh(api), fresh(api)]
            return [do(ours[n % 2], operation) for n, operation in enumerate(chosen)]

        return act

    histories = at_once([client(number) for number in range(6)])

    assert explainable(list(itertools.chain.from_iterable(histories)))
