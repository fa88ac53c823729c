"""
Every operation of openapi.yaml, with every fault of the database.

A declared 503 within two seconds, in its dialect's form, also where more ask at once
than there are threads; and everything works again within five seconds of the end of
what was wrong.
"""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
import requests
from openapi_schema_validator import OAS30Validator
from psycopg import sql

from tests.faults import operations
from tests.faults.conftest import (
    LOGIN,
    PASSWORD,
    RECOVERY_SECONDS,
    THREADS,
    WORKERS,
    Lab,
)
from tests.faults.operations import LISTED, Answer, Operation
from tests.faults.postgres import is_small_disk
from tests.waiting import TooLate, require, require_soon
from tests.wire.tcp_proxy import Mode

SECONDS = 2.0
DNC_TABLES = "dnc_entry, token, organisation, campaign, lead, lead_status, operation"


@contextmanager
def stopped(lab: Lab) -> Iterator[None]:
    lab.postgres.end(signal.SIGQUIT)
    try:
        yield
    finally:
        lab.restart_database()


@contextmanager
def killed(lab: Lab) -> Iterator[None]:
    lab.postgres.end(signal.SIGKILL)
    try:
        yield
    finally:
        lab.restart_database()


@contextmanager
def hung(lab: Lab) -> Iterator[None]:
    lab.postgres.freeze()
    try:
        yield
    finally:
        lab.postgres.thaw()


@contextmanager
def silent(lab: Lab) -> Iterator[None]:
    lab.proxy.mode = Mode.BLACKHOLE
    try:
        yield
    finally:
        lab.proxy.mode = Mode.PASS


@contextmanager
def deaf(lab: Lab) -> Iterator[None]:
    """What is asked arrives; no answer does."""
    lab.proxy.mode = Mode.HALF
    try:
        yield
    finally:
        lab.proxy.mode = Mode.PASS


@contextmanager
def slow(lab: Lab) -> Iterator[None]:
    lab.proxy.delay = 1.2
    try:
        yield
    finally:
        lab.proxy.delay = 0.0


@contextmanager
def locked(lab: Lab) -> Iterator[None]:
    """A transaction that hangs holds everything, and so in the end every thread."""
    with psycopg.connect(lab.postgres.url) as owner:
        owner.execute(f"LOCK TABLE {DNC_TABLES} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def other_password(lab: Lab) -> Iterator[None]:
    change = sql.SQL("ALTER ROLE {} PASSWORD {}")
    login = sql.Identifier(LOGIN)
    lab.postgres.execute(change.format(login, "another"))
    try:
        lab.postgres.cut_off(LOGIN)
        yield
    finally:
        lab.postgres.execute(change.format(login, PASSWORD))


@contextmanager
def too_many_connections(lab: Lab) -> Iterator[None]:
    limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
    login = sql.Identifier(LOGIN)
    lab.postgres.execute(limit.format(login, 0))
    try:
        lab.postgres.cut_off(LOGIN)
        yield
    finally:
        lab.postgres.execute(limit.format(login, -1))


@contextmanager
def read_only(lab: Lab) -> Iterator[None]:
    setting = "ALTER SYSTEM {} default_transaction_read_only {}"
    lab.postgres.execute(setting.format("SET", "= on"))
    lab.postgres.execute("SELECT pg_reload_conf()")
    try:
        require(lambda: not lab_takes_changes(lab))
        yield
    finally:
        lab.postgres.execute(setting.format("RESET", ""))
        lab.postgres.execute("SELECT pg_reload_conf()")


@contextmanager
def full(lab: Lab) -> Iterator[None]:
    if not is_small_disk(lab.place):
        pytest.skip("only root may mount a small disk")
    lab.postgres.fill_disk()
    try:
        # What has room left takes a while to be used up.
        require(lambda: not lab_takes_changes(lab))
        yield
    finally:
        lab.postgres.free_disk()


def lab_takes_changes(lab: Lab) -> bool:
    """Whether any of some hundred inserts succeeds."""
    name = int(time.time() * 1000) % 10_000_000
    with ThreadPoolExecutor(4) as pool:
        inserted = pool.map(
            lambda n: (
                lab.api.send(
                    "dnc/insert",
                    phone_number=f"2{(name * 100 + n) % 1_000_000_000:09}",
                    phone_code=1,
                    campaign_id=0,
                    reason="x" * 250,
                ).status_code
            ),
            range(100),
        )
    return 200 in set(inserted)


Fault = Callable[[Lab], "contextmanager[None]"]

SILENCES = [stopped, hung, deaf]
OTHERS = [killed, silent, locked, other_password, too_many_connections]


@pytest.fixture(autouse=True)
def sound(lab: Lab) -> None:
    """Begin with a service that works, on every worker."""
    require(lab.works)
    lab.prepare()


def ask_all(lab: Lab, times: int = 1) -> list[Answer]:
    """Send every operation at once, more than there are threads to answer."""
    asked = lab.operations() * times
    assert len(asked) > WORKERS * THREADS
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(Operation.send, asked))


def require_unavailable(answer: Answer) -> None:
    where = answer.operation.name
    assert answer.status == 503, (where, answer.status, answer.text)
    assert int(answer.headers["Retry-After"]) > 0, where
    media_type = answer.headers["Content-Type"].partition(";")[0]
    schema = OAS30Validator(answer.operation.unavailable[media_type])
    if media_type == "application/json":
        body = json.loads(answer.text)
        schema.validate(body)
        assert body.get("success", body.get("status")) is False, where
    else:
        schema.validate(answer.text)
        assert not re.search(r"[0-9]|SUCCESS", answer.text), (where, answer.text)
    require_soon(answer.seconds, SECONDS, where)


def test_every_operation_is_a_success_while_nothing_is_wrong(lab):
    """Else what follows would prove nothing of it: see operations.VALUES."""
    told = [operation.send() for operation in lab.operations()]

    refused = {
        (one.operation.name, one.status, one.text[:200])
        for one in told
        if one.status != 200 or "ERROR: add" in one.text
    }
    refused = {one for one in refused if "ALREADY EXISTS" not in one[2]}
    if {status for _, status, _ in refused} == {503}:
        raise TooLate(refused)
    assert not refused
    assert {one.operation.name for one in told} == set(operations.names())


@pytest.mark.both_servers(second="soak")
@pytest.mark.parametrize("fault", SILENCES, ids=lambda fault: fault.__name__)
def test_without_the_database_every_operation_is_a_503_in_two_seconds(fault, lab):
    require_silence(fault, lab)


@pytest.mark.soak
@pytest.mark.parametrize("fault", OTHERS, ids=lambda fault: fault.__name__)
def test_whatever_keeps_the_database_away_it_is_a_503_in_two_seconds(fault, lab):
    require_silence(fault, lab)


@pytest.mark.soak
@pytest.mark.parametrize("fault", [slow], ids=lambda fault: fault.__name__)
def test_a_slow_database_makes_an_answer_late_or_a_503(fault, lab):
    with fault(lab):
        told = ask_all(lab)

    require(lab.works, RECOVERY_SECONDS)
    late = [one for one in told if one.status != 200]
    assert late
    for one in late:
        require_unavailable(one)


@pytest.mark.parametrize(
    "fault",
    [read_only, pytest.param(full, marks=pytest.mark.soak)],
    ids=lambda fault: fault.__name__,
)
def test_a_database_that_takes_nothing_still_answers(fault, lab):
    with fault(lab):
        told = ask_all(lab)
        told += [operation.send() for operation in lab.operations()]
        listed = {
            (name, lookup): find(LISTED[0][1:], None)
            for name, door in lab.doors().items()
            for lookup, find in door.lookups().items()
        }
        ready = requests.get(f"{lab.base}/readyz", timeout=5)

    require(lab.works, RECOVERY_SECONDS)
    # Where there was room enough to erase it, no list shows it.
    erased = any(
        one.status == 200 for one in told if one.operation.name.startswith("erase")
    )
    silent = {door for door, said in listed.items() if said is not True}
    assert silent == ({("native", "export")} if erased else set())
    for one in told:
        if not one.operation.changes:
            if one.status == 503:
                raise TooLate(one.operation.name)
            assert one.status == 200, (one.operation.name, one.text)
        elif one.status >= 500 or fault is read_only:
            require_unavailable(one)
    require_soon(ready.elapsed.total_seconds(), SECONDS)
    if fault is read_only:
        assert ready.json()["faults"] == ["the database takes no changes"]


def test_a_bypass_that_cannot_be_recorded_is_not_granted(lab):
    number = LISTED[0][1:]
    check = lab.doors()["native"].is_listed
    switch = f"{lab.base}/api/dnc/enable-disable"
    bearer = {"Authorization": f"Bearer {lab.api.token}"}
    assert requests.post(switch, json={"enable": False}, headers=bearer, timeout=9).ok
    try:
        require(lambda: not check(number))

        with read_only(lab):
            require(lambda: check(number))
            assert {check(number) for _ in range(8)} == {True}
    finally:
        require(
            lambda: (
                requests.post(
                    switch, json={"enable": True}, headers=bearer, timeout=9
                ).status_code
                == 200
            )
        )


def require_listed(lab: Lab) -> None:
    """What was listed before is listed still."""
    for number in LISTED:
        form = {"auth_token": lab.api.token, "phone_code": "1"}
        form |= {"phone_number": number[1:]}
        answer = requests.post(f"{lab.base}/v1/dnc/check", data=form, timeout=5)
        assert answer.json()["data"]["callable"] is False


def require_silence(fault: Fault, lab: Lab) -> None:
    with fault(lab):
        told = ask_all(lab)
        told += ask_all(lab, times=2)
        ready = requests.get(f"{lab.base}/readyz", timeout=5)
        alive = requests.get(f"{lab.base}/healthz", timeout=5)
        metrics = requests.get(f"{lab.base}/metrics", timeout=5)

    took = require(lab.works, RECOVERY_SECONDS)
    for one in told:
        # Beside a transaction that holds what it needs an import may wait.
        if fault is not locked or one.operation.name != "importList":
            require_unavailable(one)
    assert (alive.status_code, metrics.status_code) == (200, 200)
    require_soon(alive.elapsed.total_seconds(), SECONDS)
    # Whoever locks tables has not stopped the server.
    if fault is not locked:
        assert ready.status_code == 503
        assert ready.headers["Retry-After"]
    require_soon(ready.elapsed.total_seconds(), SECONDS)
    require(lambda: requests.get(f"{lab.base}/readyz", timeout=5).ok, RECOVERY_SECONDS)
    assert took < RECOVERY_SECONDS
    require_listed(lab)
