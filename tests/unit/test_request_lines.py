"""Lines about requests, which many threads and an event loop write."""

import asyncio
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
