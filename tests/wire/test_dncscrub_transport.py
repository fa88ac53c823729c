"""How a call of DNCScrub's comes, and what it is told that cannot be carried out."""

import json
from collections.abc import Callable

import pytest
import requests

from tests.wire.dncscrub import (
    NUMBER,
    OTHER,
    TEXT,
    add,
    essence,
    listed,
    pdnc,
    scrub,
    send,
)
from tests.wire.raw_http import FORM, chunked, exchange, form, request
from tests.wire.service import Api

pytestmark = pytest.mark.both_servers

ADD = {"actionType": "add", "phoneList": NUMBER}
UNKNOWN = "The loginId is unknown, expired or revoked"
MULTIPART = "multipart/form-data; boundary=B"
NO_TEXT = b"""--B\r
Content-Disposition: form-data; name="phoneList"; filename="x"\r
\r
\xff\xfe\r
--B--\r
"""
PDNC = "/app/main/rpc/pdnc"


@pytest.mark.parametrize("way", ["query", "form", "json", "multipart", "file"])
def test_the_login_id_may_come_in_the(way, api):
    answer = send(api, "pdnc", way, loginId=api.token, **ADD)

    assert essence(answer) == (200, TEXT, "")
    assert listed(api, NUMBER)


def test_the_login_id_may_come_in_the_query_and_the_list_in_the_body(api):
    answer = requests.post(
        f"{api.base}{PDNC}",
        params={"loginId": api.token, "actionType": "add"},
        data={"phoneList": NUMBER},
        timeout=10,
    )

    assert essence(answer) == (200, TEXT, "")
    assert listed(api, NUMBER)


def test_everything_may_come_in_the_query_of_a_post_without_a_body(api):
    answer = requests.post(
        f"{api.base}{PDNC}", params={"loginId": api.token, **ADD}, timeout=10
    )

    assert essence(answer) == (200, TEXT, "")
    assert listed(api, NUMBER)


@pytest.mark.parametrize("call", ["pdnc", "scrub"])
@pytest.mark.parametrize("way", ["query", "form", "json", "multipart"])
@pytest.mark.parametrize("key", ["", "wrong", "dncd_0123456789abcdefghijkl012345", "ü"])
def test_a_bad_key_is_refused_in_the(call, way, key, api):
    answer = send(api, call, way, loginId=key, **ADD)

    assert essence(answer) == (401, TEXT, UNKNOWN)
    assert answer.headers["WWW-Authenticate"] == 'LoginId realm="dncd"'
    assert not listed(api, NUMBER)


def test_a_bad_key_in_the_header_is_refused_though_the_form_has_a_good_one(api):
    answer = requests.post(
        f"{api.base}{PDNC}",
        headers={"loginId": "wrong"},
        data={"loginId": api.token, **ADD},
        timeout=10,
    )

    assert essence(answer) == (401, TEXT, UNKNOWN)


def test_no_key_is_asked_for_before_anything_else(api):
    url = f"{api.base}/app/main/rpc/scrub"
    for answer in (
        requests.get(url, timeout=10),
        requests.post(url, timeout=10),
        requests.post(url, json={"version": "9"}, timeout=10),
    ):
        assert essence(answer) == (401, TEXT, UNKNOWN)


@pytest.mark.parametrize(
    ("first", "again"),
    [({"projId": "SPRING"}, {"projId": ""}), ({}, {"phoneList": OTHER})],
)
def test_a_parameter_that_says_two_things_is_refused(first, again, api):
    api.add_campaign("SPRING")

    answer = api.session.post(
        f"{api.base}{PDNC}",
        params={**ADD, **first},
        data=again,
        headers={"loginId": api.token},
        timeout=10,
    )

    name = next(iter(again))
    assert essence(answer) == (400, TEXT, f"Invalid parameter: {name} is there twice")
    assert api.search() == []


def test_json_that_says_two_things_of_one_name_is_refused(api):
    answer = api.session.post(
        f"{api.base}{PDNC}",
        data=f'{{"actionType":"add","phoneList":"{NUMBER}","phoneList":"{OTHER}"}}',
        headers={"loginId": api.token, "Content-Type": "application/json"},
        timeout=10,
    )

    assert essence(answer) == (400, TEXT, "Invalid parameter: phoneList is there twice")
    assert api.search() == []


def test_a_parameter_may_be_there_twice_and_say_the_same(api):
    answer = api.session.post(
        f"{api.base}{PDNC}",
        params={"loginId": api.token, **ADD},
        data={"loginId": api.token, **ADD},
        timeout=10,
    )

    assert essence(answer) == (200, TEXT, "")


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("PUT", "/app/main/rpc/pdnc", 405, "Method Not Allowed"),
        ("DELETE", "/app/main/rpc/scrub", 405, "Method Not Allowed"),
        ("GET", "/app/main/rpc/project", 404, "Not Found"),
        ("POST", "/app/main/rpc/pdnc/", 404, "Not Found"),
        ("GET", "/app/", 404, "Not Found"),
    ],
)
def test_a_path_or_method_of_nobody_s_is_refused(method, path, status, text, api):
    answer = api.session.request(
        method, api.base + path, headers={"loginId": api.token}, timeout=10
    )

    assert essence(answer) == (status, TEXT, text)
    if status == 405:
        assert sorted(answer.headers["Allow"].split(", ")) == [
            *("GET", "OPTIONS", "POST")
        ]


def test_head_changes_nothing(api):
    answer = api.session.head(
        f"{api.base}{PDNC}", params={"loginId": api.token, **ADD}, timeout=10
    )

    assert answer.status_code == 405
    assert api.search() == []


@pytest.fixture
def refused(api: Api) -> Callable[[bytes, int], bytes]:
    """Send bytes, and require a refusal with a status and one line that stores none."""

    def require(sent: bytes, status: int) -> bytes:
        answer = exchange(api.base, sent, finish=True)
        assert answer.status == status, answer
        assert answer.headers["Content-Type"] == TEXT
        assert answer.body.decode().isprintable()
        assert answer.body
        for secret in (api.token, NUMBER):
            assert secret.encode() not in answer.body
        assert api.search() == []
        return answer.body

    return require


@pytest.mark.parametrize("content_type", [FORM, "application/json", MULTIPART])
def test_a_body_over_four_mebibytes_is_refused(content_type, api, refused):
    body = form({"loginId": api.token, **ADD}) + b"&x=" + b"x" * 4 * 1024 * 1024

    text = refused(request(PDNC, body, content_type), 413)

    assert text == b"Request Entity Too Large"


@pytest.mark.parametrize("content_type", ["text/plain", "text/csv", "application/xml"])
def test_a_body_of_another_kind_is_refused(content_type, api, refused):
    key = b"loginId: " + api.token.encode()

    text = refused(request(PDNC, b"x", content_type, headers=[key]), 415)

    assert text == b"Unsupported Media Type"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (json.dumps({"phoneList": [NUMBER]}).encode(), "application/json"),
        (b"actionType=add&phoneList=%FF", FORM),
        (b"&".join(b"a=%d" % n for n in range(101)), FORM),
        (b"no parts", MULTIPART),
        (NO_TEXT, MULTIPART),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body, content_type, api, refused):
    key = b"loginId: " + api.token.encode()

    text = refused(request(PDNC, body, content_type, headers=[key]), 400)

    assert text == b"The request cannot be read"


def test_a_body_in_chunks_is_read_to_its_end_where_the_server_takes_any(
    api, http_server
):
    body = form({"loginId": api.token, **ADD})
    pieces = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    answer = exchange(api.base, chunked(PDNC, pieces))

    if http_server == "granian":
        assert (answer.status, answer.body) == (411, b"Length Required")
    else:
        assert (answer.status, answer.body) == (200, b"")
    assert listed(api, NUMBER) is (http_server != "granian")


def test_texts_that_no_encoding_has_are_answered(api):
    body = b'{"phoneList":"\\ud800,5551234567|\\u0000","output":"%b"}'
    for output in (b"csv", b"json", b"xml"):
        answer = api.session.post(
            f"{api.base}/app/main/rpc/scrub",
            data=body % output,
            headers={"loginId": api.token, "Content-Type": "application/json"},
            timeout=10,
        )
        assert answer.status_code == 200
    answer = api.session.post(
        f"{api.base}{PDNC}",
        data=b'{"phoneList":"\\ud800","actionType":"add","projId":"\\ud800"}',
        headers={"loginId": api.token, "Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.status_code == 400


def test_no_number_and_no_key_is_in_the_log(api, service):
    number = "5559871234"
    add(api, number)
    pdnc(api, "add", f"{number}x")
    scrub(api, f"{number}|id-{number}", projId="0")
    send(api, "scrub", "query", loginId=api.token, phoneList=number)

    log = service.log.read_text()

    assert "dncscrub.scrub" in log
    assert number not in log
    assert api.token not in log
