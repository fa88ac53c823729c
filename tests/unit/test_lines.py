"""Who goes first, who may wait, and who is sent away. No server, no clock."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from app.domain.errors import Overloaded
from app.gunicorn_lines import Lines, connection_of, look
from app.http.bulk import BulkWork
from app.http.overload import Refusal

PATHS = {
    path: Refusal("d", "o", "503 Service Unavailable", (), b"", bulk_above, browses)
    for path, bulk_above, browses in [
        ("/check", None, False),
        ("/search", None, True),
        ("/batch", 10, False),
        ("/export", -1, False),
    ]
}


def request(target: str, body: str = "", *lines: str) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    return ("\r\n".join([*head, *lines]) + "\r\n\r\n" + body).encode()


@pytest.mark.parametrize(
    ("asked", "may_wait"),
    [
        pytest.param(request("/check", "x" * 99), False, id="a check never waits"),
        pytest.param(request("/search", "limit=9"), True, id="a page may"),
        pytest.param(request("/search", "phone_number=5"), False, id="no number's"),
        pytest.param(request("/search?phone_number=5"), False, id="in the query"),
        pytest.param(request("/search", "phone_number=&limit=9"), True, id="empty"),
        pytest.param(request("/batch", "x" * 10), False, id="a short batch does not"),
        pytest.param(request("/batch", "x" * 11), True, id="a longer one may"),
        pytest.param(request("/export"), True, id="an export always"),
    ],
)
def test_who_may_wait(asked: bytes, *, may_wait: bool):
    seen = look(asked, PATHS)

    assert seen is not None
    assert seen.may_wait is may_wait
    assert seen.length == len(asked)


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"POST /check HTTP/1.1\r\nHost: x\r\n",
        b"BREW /check HTTP/1.1\r\n\r\n",
        request("/unknown"),
        b"\x00" * 100,
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(asked: bytes):
    assert look(asked, PATHS) is None


@pytest.mark.parametrize(
    "asked",
    [
        request("/check", "body")[:-1],
        request("/check", "", "Transfer-Encoding: chunked"),
        request("/check", "", "Expect: 100-continue"),
        request("/check", "body", "Content-Length: 3"),
        b"POST /check HTTP/1.1\r\nContent-Length: +4\r\n\r\nbody",
    ],
)
def test_what_is_not_here_as_a_whole_has_no_length(asked: bytes):
    seen = look(asked, PATHS)

    assert seen is not None
    assert seen.length is None


def test_a_connection_that_is_to_close_does_not_stay():
    closing = look(request("/check", "", "Connection: close"), PATHS)
    usual = look(request("/check"), PATHS)

    assert usual is not None
    assert usual.stays
    assert closing is not None
    assert not closing.stays


def waiting(name: str, *, may_wait: bool, since: float = 0.0) -> SimpleNamespace:
    connection = SimpleNamespace(name=name, may_wait=may_wait, queued_at=since)
    return SimpleNamespace(args=(connection,))


def test_the_urgent_go_first_and_each_line_in_its_order():
    lines = Lines()
    for name, may_wait in [("a", True), ("B", False), ("c", True), ("D", False)]:
        lines.put(waiting(name, may_wait=may_wait))

    taken = [connection_of(lines.get()).name for _ in range(4)]

    assert taken == ["B", "D", "a", "c"]


def test_whoever_waited_too_long_is_found_and_the_others_stay():
    lines = Lines()
    lines.put(waiting("early", may_wait=True, since=1.0))
    lines.put(waiting("late", may_wait=True, since=3.0))

    found = lines.find_late(before=2.0)

    assert connection_of(found).name == "early"
    assert lines.find_late(before=2.0) is None
    assert lines.qsize() == 1


def test_a_pool_that_takes_from_the_lines_does_everything_and_ends():
    pool = ThreadPoolExecutor(4)
    lines = pool._work_queue = Lines()
    done: list[int] = []

    for number in range(2000):
        connection = SimpleNamespace(may_wait=number % 3 == 0, queued_at=0.0, n=number)
        pool.submit(lambda c: done.append(c.n), connection)
        if number % 7 == 0 and (late := lines.find_late(before=1.0)):
            lines.put_first(late)
    pool.shutdown(wait=True)

    assert sorted(done) == list(range(2000))


def test_bulk_work_has_so_many_places_and_so_many_wait():
    work = BulkWork(threads=8)
    work.enter()
    work.enter()
    outcomes: list[str] = []

    def come() -> None:
        try:
            work.enter()
            outcomes.append("in")
        except Overloaded:
            outcomes.append("refused")

    waiting_for_a_place = [threading.Thread(target=come) for _ in range(2)]
    for thread in waiting_for_a_place:
        thread.start()
    while work._inside._value:
        pass
    with pytest.raises(Overloaded):
        work.enter()
    work.leave()
    for thread in waiting_for_a_place:
        thread.join()

    assert sorted(outcomes) == ["in", "refused"]
