"""The load generator counts what is answered; ratios are of one round."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench import numbers
from bench.environment import Stage
from bench.load import Load, Tally, Unusable, drive
from bench.loads import side_by_side
from bench.postgres import Programs, Rate
from bench.report import Line, Report
from bench.servers import NotAvailable

REQUESTS = tuple(
    f"POST /{n} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode() for n in range(10)
)
EXPECTED = tuple(b'"asked":"/%d"' % n for n in range(10))

CUT_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"

Answer = Callable[[str], bytes]


def honest(path: str) -> bytes:
    return written(f'{{"asked": "{path}"}}'.encode())


def written(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], int]]:
    """Start a server that answers each path as it is told to; returns its port."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: Answer) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=accept, args=(listener, answer)))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    def accept(listener: socket.socket, answer: Answer) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=talk, args=(connection, answer)))
            threads[-1].start()

    def talk(connection: socket.socket, answer: Answer) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, suppress(ConnectionError):
            while request := connection.recv(4096):
                whole = answer(request.split()[1].decode())
                # In two parts, as a network may deliver it.
                connection.sendall(whole[:30])
                connection.sendall(whole[30:])
                if whole is CUT_OFF:
                    return

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


def run(port: int, *, once: bool = True, seconds: float = 5.0) -> Tally:
    return drive(
        Load(port, REQUESTS, 3, seconds, EXPECTED, check_every=1, warm_up=0, once=once)
    )


def test_every_answer_is_counted_and_looked_at(serve: Callable[[Answer], int]) -> None:
    tally = run(serve(honest))

    assert (tally.answers, tally.checked) == (10, 10)
    assert (tally.refused, tally.wrong, tally.reconnected) == (0, 0, 0)
    assert len(tally.latencies) == 10
    assert 0 < tally.percentile_ms(50) <= tally.percentile_ms(99)


def test_the_rate_is_of_the_measured_time(serve: Callable[[Answer], int]) -> None:
    tally = run(serve(honest), once=False, seconds=0.2)

    assert tally.answers > 30
    assert tally.seconds == pytest.approx(0.2, abs=0.05)
    assert tally.per_second == pytest.approx(len(tally.latencies) / tally.seconds)


def test_a_wrong_answer_is_noticed(serve: Callable[[Answer], int]) -> None:
    tally = run(serve(lambda path: honest("/0" if path == "/7" else path)))

    assert (tally.checked, tally.wrong) == (10, 1)


def test_a_refusal_is_no_answer_of_its_kind(serve: Callable[[Answer], int]) -> None:
    tally = run(
        serve(
            lambda path: (
                written(b"", "503 Later") if path in {"/2", "/3"} else honest(path)
            )
        )
    )

    assert (tally.answers, tally.refused, tally.wrong) == (10, 2, 0)


def test_what_a_closed_connection_lost_is_asked_again(
    serve: Callable[[Answer], int],
) -> None:
    asked: list[str] = []

    def answer(path: str) -> bytes:
        asked.append(path)
        return CUT_OFF if path == "/4" and asked.count("/4") == 1 else honest(path)

    tally = run(serve(answer))

    assert asked.count("/4") == 2
    assert (tally.answers, tally.reconnected, tally.wrong) == (10, 1, 0)


def test_an_answer_without_a_length_is_unusable(
    serve: Callable[[Answer], int],
) -> None:
    with pytest.raises(Unusable):
        run(serve(lambda _path: b"HTTP/1.1 200 OK\r\n\r\nno length, no end, no use"))


def test_the_numbers_of_the_benchmarks_are_all_different() -> None:
    listed = numbers.listed(100_000, 5000)
    free = numbers.unlisted(5000)

    assert len({*listed, *free}) == 10_000
    assert all(len(number) == 10 and number[0] in "23456789" for number in listed)


def test_a_machine_that_grows_slow_between_rounds_changes_no_ratio() -> None:
    ours = Line("check", "ours", "a second", [300.0, 100.0, 10.0])
    theirs = Line("check", "theirs", "a second", [100.0, 50.0, 5.0])

    assert ours.over(theirs) == 2


def measured(*rates: float) -> list[float]:
    """Return what is reported of a measure that finds *rates*, one after the other."""
    found = (Rate(rate, 0.0) for rate in rates)
    stage = cast("Stage", SimpleNamespace(report=Report({})))
    return side_by_side(stage, "x", 1, {"it": lambda: next(found)})["it"].values


def test_what_was_measured_while_nothing_ran_is_measured_again() -> None:
    assert measured(0.0, 7.0) == [7.0]


def test_what_never_runs_is_not_measured_for_ever() -> None:
    with pytest.raises(NotAvailable, match="it: nothing was done"):
        measured(0.0, 0.0, 0.0, 7.0)


def pgbench(folder: Path, script: str) -> Programs:
    """Return programs of which pgbench is *script*."""
    program = folder / "pgbench"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Programs(folder, {})


def test_no_transaction_within_the_time_is_a_rate_of_nothing(tmp_path: Path) -> None:
    programs = pgbench(tmp_path, "echo number of transactions actually processed: 0")

    assert programs.pgbench(tmp_path / "x.sql", 32, 1.0) == Rate(0.0, 0.0)


def test_pgbench_is_given_the_time_to_connect(tmp_path: Path) -> None:
    programs = pgbench(
        tmp_path,
        'while [ "$1" != -T ]; do shift; done\n'
        "echo latency average = 1.0 ms\necho tps = $2",
    )

    assert programs.pgbench(tmp_path / "x.sql", 32, 1.0) == Rate(2.0, 1.0)
    assert programs.pgbench(tmp_path / "x.sql", 32, 5.0) == Rate(5.0, 1.0)
