"""Lines about requests, which many threads and an event loop write."""

import asyncio
import os
import threading
import time
from types import SimpleNamespace

import pytest

from app.http import request_log

THREADS = 8
LINES = 50


class Slow:
    """Takes a while for each write, in which other threads run."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        time.sleep(0.001)
        self.written.append(text)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    found = Slow()
    # The test runner puts its own in place of any other.
    monkeypatch.setattr(request_log, "sys", SimpleNamespace(stderr=found))
    return found


def test_every_line_of_every_thread_is_written_once_and_in_its_order(slow):
    def put(thread: int) -> None:
        for n in range(LINES):
            request_log.put(f"{thread} {n}\n")

    threads = [threading.Thread(target=put, args=[n]) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    written = "".join(slow.written).splitlines()
    assert len(written) == THREADS * LINES
    for thread in range(THREADS):
        own = [line for line in written if line.startswith(f"{thread} ")]
        assert own == [f"{thread} {n}" for n in range(LINES)]
    assert len(slow.written) < len(written), "some were written together"


def test_a_write_that_fails_leaves_the_next_to_be_written(slow, monkeypatch):
    def fail(_: str) -> None:
        raise BrokenPipeError

    with monkeypatch.context() as broken:
        broken.setattr(slow, "write", fail)
        with pytest.raises(BrokenPipeError):
            request_log.put("lost\n")

    request_log.put("written\n")

    assert slow.written == ["written\n"]


def test_what_an_event_loop_has_done_by_now_is_one_write(slow):
    async def answer() -> None:
        lines = request_log.Lines(asyncio.get_running_loop())
        for n in range(3):
            lines.put(f"{n}\n")
        assert slow.written == []
        await asyncio.sleep(0.01)
        lines.put("later\n")
        await asyncio.sleep(0.01)

    asyncio.run(answer())

    assert slow.written == ["0\n1\n2\n", "later\n"]


def test_where_nobody_takes_in_lines_the_loop_goes_on(monkeypatch):
    reading, writing = os.pipe()
    with open(writing, "w", encoding="ascii", buffering=1) as pipe:  # noqa: PTH123
        monkeypatch.setattr(request_log, "sys", SimpleNamespace(stderr=pipe))
        line = "x" * 999 + "\n"

        async def answer() -> float:
            lines = request_log.Lines(asyncio.get_running_loop())
            began = time.monotonic()
            for _ in range(200):
                lines.put(line)
                await asyncio.sleep(0)
            return time.monotonic() - began

        assert asyncio.run(answer()) < 5
        read = 0
        while read < 200 * len(line):
            read += len(os.read(reading, 65536))
    os.close(reading)


def test_lines_that_cannot_be_told_are_nobody_elses_affair(slow, monkeypatch):
    def fail(_: str) -> None:
        raise BrokenPipeError

    async def answer() -> None:
        lines = request_log.Lines(asyncio.get_running_loop())
        failures: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, failure: failures.append(failure))
        with monkeypatch.context() as broken:
            broken.setattr(slow, "write", fail)
            lines.put("lost\n")
            await asyncio.sleep(0.01)
        lines.put("written\n")
        await asyncio.sleep(0.01)
        assert failures == []

    asyncio.run(answer())

    assert slow.written == ["written\n"]
