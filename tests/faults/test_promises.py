"""
Whatever is pulled out while clients write: nothing acknowledged is lost or comes back,
nothing is wrongly clear, and no answer is an error that nobody declared.
"""

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from math import inf

import psutil
import pytest

from tests.faults import figures
from tests.faults.conftest import Lab
from tests.faults.ledger import CERTAIN, Asker, Ledger, Said
from tests.faults.linearizability import Event, could_have_happened
from tests.faults.postgres import is_small_disk
from tests.waiting import require
from tests.wire import stored
from tests.wire.tcp_proxy import Mode

# What was killed has to start before it can work again.
RESTART_SECONDS = 10

_cycles = itertools.count(1)
_SEED = int(os.environ.get("FAULTS_SEED") or random.randrange(1_000_000))


def kill_a_worker(lab: Lab) -> None:
    workers = psutil.Process(lab.service.process.pid).children()
    random.choice(workers).kill()


def kill_the_service(lab: Lab) -> None:
    lab.kill_service()
    time.sleep(0.3)
    lab.start_service()


def stop_the_database_at_once(lab: Lab) -> None:
    lab.postgres.end(signal.SIGQUIT)
    time.sleep(0.3)
    lab.restart_database()


def kill_the_database(lab: Lab) -> None:
    lab.postgres.end(signal.SIGKILL)
    time.sleep(0.3)
    lab.restart_database()


def freeze_the_database(lab: Lab) -> None:
    lab.postgres.freeze()
    time.sleep(1.6)
    lab.postgres.thaw()


def lose_answers(lab: Lab) -> None:
    lab.proxy.answers_cut = 0.3
    time.sleep(1.0)
    lab.proxy.answers_cut = 0.0


def partition(lab: Lab) -> None:
    lab.proxy.mode = Mode.BLACKHOLE
    time.sleep(1.6)
    lab.proxy.mode = Mode.PASS


def partition_one_way(lab: Lab) -> None:
    lab.proxy.mode = Mode.HALF
    time.sleep(1.6)
    lab.proxy.mode = Mode.PASS


def fill_the_disk(lab: Lab) -> None:
    if not is_small_disk(lab.place):
        pytest.skip("only root may mount a small disk")
    lab.postgres.fill_disk()
    time.sleep(1.6)
    lab.postgres.free_disk()
    # A server that found no room to recover in has ended; whoever made room starts it.
    lab.restart_database()


DISTURBANCES = [
    kill_a_worker,
    kill_the_service,
    stop_the_database_at_once,
    kill_the_database,
    freeze_the_database,
    lose_answers,
    partition,
    partition_one_way,
    fill_the_disk,
]


def asker_of(lab: Lab) -> Asker:
    return Asker(lambda: lab.base, lab.api.token)


def endure(lab: Lab, disturb: Callable[[Lab], None]) -> Ledger:
    """Write while *disturb* happens once, and look at every number afterwards."""
    if lab.service.process.poll() is not None:
        lab.start_service()
    require(lab.works)
    cycle = next(_cycles)
    ledger = Ledger(asker_of(lab), f"2{cycle % 10_000:04}", seed=_SEED + cycle)
    ledger.fill(lambda: disturb(lab))
    require(lab.works, RESTART_SECONDS)
    organisation_id = lab.api.caller.organisation.id
    ledger.settle(lambda: stored.numbers(lab.postgres.url, organisation_id))
    return ledger


def named(disturb: Callable[[Lab], None]) -> str:
    return disturb.__name__


@pytest.mark.parametrize(
    "disturb", [kill_a_worker, kill_the_database, lose_answers, partition], ids=named
)
def test_what_was_acknowledged_holds(disturb, lab):
    ledger = endure(lab, disturb)

    assert not ledger.wrong
    assert ledger.counts["done"] > 10


@pytest.mark.both_servers(second="soak")
@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("disturb", DISTURBANCES, ids=named)
def test_what_was_acknowledged_holds_twenty_times(disturb, lab, http_server, request):
    ledgers: list[Ledger] = []
    try:
        for _ in range(20):
            ledgers.append(endure(lab, disturb))  # noqa: PERF401
    finally:
        told = figures.count(ledgers)
        name = f"{disturb.__name__} ({http_server}, seed {_SEED})"
        figures.tell(request.config, figures.line(name, told))

    assert not [wrong for ledger in ledgers for wrong in ledger.wrong]
    assert all(ledger.counts["done"] > 10 for ledger in ledgers)
    # Else nothing was disturbed.
    assert told["struck"] >= 10, told
    if disturb is lose_answers:
        assert told["done unanswered"] > 10, told


def watch_races(lab: Lab, operations: int, seed: int) -> int:
    """Let clients race for few numbers; return how many operations were looked at."""
    asker = asker_of(lab)
    number = f"3{next(_cycles) % 1000:03}{seed % 100_000:05}"
    histories: dict[str, list[Event]] = {f"{number}{n}"[:10]: [] for n in range(2)}

    def race(client: int) -> None:
        chance = random.Random(f"{seed} {client}")
        for _ in range(operations):
            number = chance.choice(list(histories))
            operation = chance.choice(["insert", "delete", "check", "check"])
            began = time.monotonic()
            said, body = asker.say(operation, number)
            ended = time.monotonic()
            assert said not in {Said.UNDECLARED, Said.REFUSED}, body
            if said is Said.UNKNOWN:
                if operation == "check":
                    continue
                ended = inf
            entry_id = str(body["id"]) if said in CERTAIN and "id" in body else ""
            histories[number].append(Event(began, ended, operation, said, entry_id))

    racing = [threading.Thread(target=race, args=[client]) for client in range(6)]
    for one in racing:
        one.start()
    for one in racing:
        one.join()
    for history in histories.values():
        assert could_have_happened(history), history
    return sum(map(len, histories.values()))


def test_racing_clients_see_one_order(lab):
    require(lab.works)

    assert sum(watch_races(lab, 10, seed) for seed in range(4)) == 240


@pytest.mark.both_servers(second="soak")
@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_racing_clients_see_one_order_twenty_thousand_times(lab):
    require(lab.works)
    seed = int.from_bytes(os.urandom(3))
    looked_at = 0

    while looked_at < 20_000:
        looked_at += watch_races(lab, 10, seed)
        seed += 1


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_clients_that_race_while_answers_are_lost_see_one_order(lab):
    require(lab.works)
    lab.proxy.answers_cut = 0.05
    try:
        for seed in range(40):
            watch_races(lab, 10, seed)
    finally:
        lab.proxy.answers_cut = 0.0


def event(began: float, ended: float, words: str, entry_id: str = "") -> Event:
    operation, _, said = words.partition(" ")
    return Event(began, ended, operation, Said(said), entry_id)


@pytest.mark.parametrize(
    ("history", "possible"),
    [
        ([event(0, 1, "insert done", "7"), event(2, 3, "check listed")], True),
        ([event(0, 1, "insert done", "7"), event(2, 3, "check clear")], False),
        ([event(0, 5, "insert done", "7"), event(2, 3, "check clear")], True),
        ([event(0, inf, "insert unknown"), event(2, 3, "check listed")], True),
        ([event(0, inf, "insert unknown"), event(2, 3, "check clear")], True),
        ([event(0, 1, "insert done", "7"), event(2, 3, "insert done", "8")], False),
        (
            [event(0, 1, "insert done", "7"), event(2, 3, "insert there already", "8")],
            False,
        ),
        (
            [
                event(0, 1, "insert done", "7"),
                event(2, 3, "delete done"),
                event(4, 5, "check listed"),
            ],
            False,
        ),
    ],
)
def test_the_checker_knows_what_cannot_have_happened(history, possible):
    assert could_have_happened(history) is possible
