"""However VICIdial's page is asked it means the same, and answers in lines."""

from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import requests

from app.http import limits
from tests.wire.raw_http import FORM, Answer, chunked, exchange, request
from tests.wire.vicidial import (
    CAMPAIGN,
    FILTER,
    NUMBER,
    OTHER,
    OWN,
    PAGE,
    Box,
    make_box,
    require_headers,
)

pytestmark = pytest.mark.both_servers(second="soak")

ADD = {"phone_number": NUMBER, "campaign_id": OWN}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]


@pytest.fixture
def box(service, administration) -> Box:
    return make_box(service, administration)


def added(box: Box, number: str = NUMBER, on: str = OWN) -> str:
    return (
        f"SUCCESS: add_dnc_phone DNC NUMBER HAS BEEN ADDED - {box.user}|{number}|{on}\n"
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://server/vicidial/non_agent_api.php?source=test&function=add_dnc_phone&user=6666&pass=1234&phone_number=7275551212&campaign_id=TESTCAMP",
        "http://server/vicidial/non_agent_api.php?source=test&function=add_dnc_phone&user=6666&pass=1234&phone_number=7275551212&campaign_id=SYSTEM_INTERNAL",
        "http://server/vicidial/non_agent_api.php?source=test&function=add_fpg_phone&user=6666&pass=1234&phone_number=7275551212&group=FPG1",
        "http://server/non_agent_api.php?source=test&function=add_dnc_phone&user=6666&pass=1234&phone_number=7275551212&campaign_id=TESTCAMP",
    ],
)
def test_the_urls_of_the_documentation_work_as_they_are(url, box):
    url = (
        url.replace("http://server", box.api.base)
        .replace("user=6666", f"user={box.user}")
        .replace("pass=1234", f"pass={box.password}")
    )

    said = requests.get(url, timeout=20)

    require_headers(said)
    assert said.text.startswith("SUCCESS: add_")
    assert said.text.endswith("\n")
    assert len(box.listed()) == 1
    # And with the library that everybody has.
    with urlopen(url.replace("add_", "delete_"), timeout=20) as answer:
        assert answer.read().startswith(b"SUCCESS: delete_")
    assert box.listed() == []


@pytest.mark.parametrize("path", [PAGE, "/non_agent_api.php"])
@pytest.mark.parametrize("method", METHODS)
def test_any_method_will_do(method, path, box):
    answer = box.send("add_dnc_phone", method=method, path=path, **ADD)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache, must-revalidate"
    assert "Allow" not in answer.headers
    if method == "HEAD":
        assert answer.content == b""
    else:
        require_headers(answer)
        assert answer.text == added(box)
    assert box.listed() == [(f"1{NUMBER}", "0")]


@pytest.mark.parametrize("way", ["form", "multipart", "form with a charset", "chunks"])
def test_the_fields_may_come_in_a_body(way, box, http_server):
    fields = {**box.login, "function": "add_dnc_phone", **ADD}
    url = box.api.base + PAGE
    if way == "multipart":
        parts = {name: (None, value) for name, value in fields.items()}
        answer = requests.post(url, files=parts, timeout=20)
    elif way == "chunks":
        body = (urlencode(fields).encode() for _ in range(1))
        answer = requests.post(
            url, data=body, headers={"Content-Type": FORM}, timeout=20
        )
    else:
        kind = FORM if way == "form" else f"{FORM}; charset=UTF-8"
        answer = requests.post(
            url, urlencode(fields), headers={"Content-Type": kind}, timeout=20
        )

    if (way, http_server) == ("chunks", "granian"):
        assert (answer.status_code, answer.text) == (200, "ERROR: LENGTH REQUIRED\n")
        assert box.listed() == []
    else:
        assert answer.text == added(box)


@pytest.mark.parametrize("multipart", [False, True])
def test_the_query_wins_over_the_body(multipart, box):
    query = {"phone_number": OTHER, "campaign_id": CAMPAIGN}
    fields = {**box.login, "function": "add_dnc_phone", **ADD}
    body = (
        {"files": {name: (None, value) for name, value in fields.items()}}
        if multipart
        else {"data": fields}
    )

    answer = requests.post(box.api.base + PAGE, params=query, timeout=20, **body)

    assert answer.text == added(box, OTHER, CAMPAIGN)
    assert box.listed() == [(f"1{OTHER}", CAMPAIGN)]


@pytest.mark.parametrize("kind", [None, "application/json", "text/plain"])
def test_a_body_that_is_no_form_is_not_looked_at(kind, box):
    headers = {"Content-Type": kind} if kind else {}
    query = {**box.login, "function": "add_dnc_phone", **ADD}
    url = box.api.base + PAGE

    answer = requests.post(
        url, b'{"phone_number": "1"}', params=query, headers=headers, timeout=20
    )

    assert answer.text == added(box)


def refuse(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache, must-revalidate"
    assert answer.body.startswith(b"ERROR: ")
    assert answer.body.endswith(b"\n")
    assert answer.body.count(b"\n") == 1


# The page answers 200 also where it refuses; the filter's clients must not see that.
UNREADABLE = pytest.mark.parametrize(("page", "status"), [(PAGE, 200), (FILTER, 400)])
TOO_LARGE = pytest.mark.parametrize(("page", "status"), [(PAGE, 200), (FILTER, 413)])


@UNREADABLE
@pytest.mark.parametrize(
    "body",
    [
        b"phone_number=7275550001&phone_number=7275550002",
        b"&".join(b"a%d=1" % number for number in range(101)),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(body, page, status, box):
    query = urlencode({**box.login, "function": "add_dnc_phone", **ADD})

    refuse(exchange(box.api.base, request(f"{page}?{query}", body)), status)
    assert box.listed() == []


@pytest.mark.parametrize("bytes_", [b"%E9t%E9", b"\xe9t\xe9"])
def test_what_is_not_utf_8_elsewhere_keeps_no_number_from_being_added(bytes_, box):
    query = urlencode({**box.login, "function": "add_dnc_phone", **ADD}).encode()
    target = f"{PAGE}?{query.decode()}"

    answer = exchange(box.api.base, request(target, b"comments=" + bytes_))

    assert answer.body.decode() == added(box)
    assert box.listed() != []


@UNREADABLE
def test_a_broken_multipart_body_is_refused_in_a_line(page, status, box):
    query = urlencode({**box.login, "function": "add_dnc_phone", **ADD})
    kind = "multipart/form-data; boundary=x"

    answer = exchange(box.api.base, request(f"{page}?{query}", b"--x\r\nbroken", kind))

    refuse(answer, status)
    assert box.listed() == []


@TOO_LARGE
def test_a_body_that_is_too_large_is_refused_in_a_line(page, status, box, http_server):
    body = b"phone_number=" + b"7" * limits.FORM_BYTES

    refuse(exchange(box.api.base, request(page, body)), status)
    if http_server != "granian":
        in_chunks = chunked(page, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        refuse(exchange(box.api.base, in_chunks), status)


@pytest.mark.parametrize(
    "path",
    [
        "/vicidial/",
        "/vicidial/admin.php",
        "/vicidial/filter/",
        "/vicidial/non_agent_api.php/",
        "/non_agent_api.php/x",
        f"/vicidial/{NUMBER}",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_what_is_no_page_is_not_found_in_a_line(method, path, box):
    answer = exchange(box.api.base, request(path, method=method))

    refuse(answer, 404)
    assert answer.body == b"ERROR: NOT FOUND\n"
