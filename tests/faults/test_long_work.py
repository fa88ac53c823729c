"""What takes long: it ends at once when the database does, and never looks complete."""

import http.client
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from app.domain.errors import StoreUnavailable
from app.store.migrations import migrate
from tests.faults.conftest import RECOVERY_SECONDS, Lab, login_url
from tests.waiting import require, require_soon
from tests.wire.tcp_proxy import Mode

pytestmark = pytest.mark.both_servers(second="soak")

ROWS = 20_000
SECONDS = 4.0


@pytest.fixture(autouse=True)
def sound(lab: Lab) -> Iterator[None]:
    """Begin with a service that works, and heal what the test broke."""
    require(lab.works)
    yield
    lab.postgres.thaw()
    lab.proxy.mode, lab.proxy.left, lab.proxy.then = Mode.PASS, None, Mode.REFUSE


def send(
    lab: Lab, method: str, path: str, body: str = "", **more: str
) -> tuple[int, str, float]:
    """Return status, as much of the answer as came, and when that ended."""
    headers = {"Authorization": f"Bearer {lab.api.token}", "Content-Type": "text/csv"}
    headers |= more
    where = urlsplit(lab.base).netloc
    with closing(http.client.HTTPConnection(where, timeout=20)) as sending:
        sending.request(method, f"/v1/dnc/{path}", body.encode(), headers)
        answer = sending.getresponse()
        try:
            text = answer.read().decode()
        except http.client.IncompleteRead:
            return 0, "", time.monotonic()
        return answer.status, text, time.monotonic()


def numbers(prefix: int) -> str:
    rows = "\n".join(str(prefix * 10_000_000 + row) for row in range(ROWS))
    return f"phone\n{rows}\n"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "export"), ("POST", "scrub?phone_column=phone")]
)
def test_an_answer_that_the_database_leaves_half_made_is_not_taken_for_whole(
    method, path, lab
):

    assert send(lab, "POST", "import", numbers(210))[0] == 200
    whole = send(lab, method, path, numbers(210) if method == "POST" else "")
    assert whole[0] == 200
    assert whole[1].count("\n") > ROWS

    lab.proxy.left, lab.proxy.then = 100_000, Mode.BLACKHOLE
    began = time.monotonic()
    status, _, ended = send(lab, method, path, numbers(210) if method == "POST" else "")

    assert lab.proxy.mode is Mode.BLACKHOLE
    assert status in {0, 503}
    require_soon(ended - began, SECONDS)


def headers(*, keyed: bool) -> dict[str, str]:
    """Return those of a request that is sent once, with a key or without."""
    return {"Idempotency-Key": str(uuid.uuid4())} if keyed else {}


@pytest.mark.parametrize(
    ("prefix", "keyed"),
    [(211, False), (213, True)],
    ids=["without a key", "with a key"],
)
def test_an_import_is_a_503_soon_after_the_database_hangs(prefix, keyed, lab):
    more = headers(keyed=keyed)
    told: list[tuple[int, str, float]] = []

    def insert() -> None:
        told.append(send(lab, "POST", "import", numbers(prefix), **more))

    def waits() -> bool:
        found = watching.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        )
        return found.fetchone() is not None

    sending = threading.Thread(target=insert)
    with (
        psycopg.connect(lab.postgres.url) as owner,
        psycopg.connect(lab.postgres.url, autocommit=True) as watching,
    ):
        owner.execute("LOCK TABLE dnc_entry IN SHARE ROW EXCLUSIVE MODE")
        sending.start()
        require(waits)
        # It waits as long as whoever holds it up lives.
        time.sleep(2.0)
        assert not told
        lab.postgres.freeze()
        hung = time.monotonic()
        sending.join(10)
        lab.postgres.thaw()

    ((status, text, ended),) = told
    assert (status, '"success": false' in text) == (503, True), text
    require_soon(ended - hung, SECONDS)
    require(lab.works, RECOVERY_SECONDS)
    assert send(lab, "POST", "import", numbers(prefix), **more)[0] == 200


@pytest.mark.parametrize(
    "keyed",
    [
        pytest.param(False, id="without a key", marks=pytest.mark.soak),
        pytest.param(True, id="with a key"),
    ],
)
def test_an_import_may_take_longer_than_other_requests(keyed, lab):
    more = headers(keyed=keyed)
    number = 214 + len(more)
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(lab.postgres.url) as owner,
    ):
        owner.execute("LOCK TABLE dnc_entry IN SHARE ROW EXCLUSIVE MODE")
        sent = pool.submit(send, lab, "POST", "import", numbers(number), **more)
        time.sleep(4.0)
        owner.rollback()
        status, text, _ = sent.result()

    assert status == 200, text


def test_whoever_is_watched_for_long_is_asked_about_over_one_connection(lab):
    def waits() -> bool:
        found = watching.execute(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        )
        return found.fetchone() is not None

    def askers() -> set[int]:
        found = watching.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'dncd watch'"
        )
        return {pid for (pid,) in found}

    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(lab.postgres.url) as owner,
        psycopg.connect(lab.postgres.url, autocommit=True) as watching,
    ):
        owner.execute("LOCK TABLE dnc_entry IN SHARE ROW EXCLUSIVE MODE")
        sent = pool.submit(send, lab, "POST", "import", numbers(212))
        require(waits)
        require(askers)
        first = askers()
        time.sleep(2.0)
        last = askers()
        owner.rollback()
        assert sent.result()[0] == 200

        assert first == last
        require(lambda: not askers())


@pytest.mark.soak
def test_a_start_does_not_wait_for_ever_for_a_hung_database(lab, monkeypatch):
    monkeypatch.setattr("app.store.migrations.SILENCE_SECONDS", 1.0)
    lab.proxy.left, lab.proxy.then = 600, Mode.BLACKHOLE
    url = lab.proxy.url

    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        migrate(url)

    assert time.monotonic() - began < 12
    assert login_url(lab.postgres)
