"""Requests that no client library would send: still one declared error each."""

import json
from http.client import RemoteDisconnected

import pytest

from tests.wire import stored
from tests.wire.raw_http import (
    FORM,
    JSON,
    Answer,
    chunked,
    exchange,
    form,
    request,
    require_refusal,
)
from tests.wire.service import Api

pytestmark = pytest.mark.both_servers(second="soak")

NUMBER = "5551234567"
INSERT = "/v1/dnc/insert"
MULTIPART = "multipart/form-data; boundary=B"


@pytest.fixture
def fields(api: Api) -> dict[str, object]:
    """Fields that an insert takes."""
    return {
        "auth_token": api.token,
        "phone_number": NUMBER,
        "phone_code": 1,
        "campaign_id": 0,
    }


@pytest.fixture
def good(fields: dict[str, object]) -> bytes:
    """The same as a form."""
    return form(fields)


@pytest.fixture
def refused(api: Api, service_database: str, http_server: str):
    """
    Send bytes, and require a refusal with *status* that left nothing behind.

    What granian takes for no request at all it refuses by itself, without a word.
    """

    def send(
        sent: bytes,
        status: int,
        *,
        finish: bool = False,
        readable: bool = True,
        granian: int | None = None,
    ) -> Answer:
        before = stored.count(service_database, api.caller.organisation.id)
        answer = exchange(api.base, sent, finish=finish)
        if readable or http_server != "granian" or answer.body:
            require_refusal(answer, api.token, NUMBER)
        expected = granian if granian and http_server == "granian" else status
        assert answer.status == expected, answer
        assert stored.count(service_database, api.caller.organisation.id) == before
        return answer

    return send


@pytest.mark.parametrize("content_type", [FORM, JSON, MULTIPART, "text/plain"])
@pytest.mark.parametrize("size", [64 * 1024 + 1, 500_000, 2_000_000])
def test_a_body_over_the_limit_is_refused(content_type, size, good, refused):
    body = good + b"&x=" + b"x" * (size - len(good) - 3)

    refused(request(INSERT, body, content_type), 413)


@pytest.mark.parametrize("content_type", [FORM, JSON])
@pytest.mark.parametrize("missing", [1, 50, 5000])
def test_a_body_that_ends_before_its_told_length_is_refused(
    content_type, missing, good, fields, refused
):
    body = good if content_type == FORM else json.dumps(fields).encode()
    sent = request(INSERT, body, content_type, length=len(body) + missing)

    refused(sent, 400, finish=True)


def test_a_body_over_the_limit_is_refused_when_only_its_length_is_told(refused):
    refused(request(INSERT, b"x", length=10**12), 413)


def test_a_body_over_the_limit_is_refused_when_it_comes_in_chunks(good, refused):
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    first = b"%x\r\n" % (len(good) + 3) + good + b"&x=" + b"\r\n"

    refused(chunked(INSERT, first + chunk * 40 + b"0\r\n\r\n"), 413, granian=411)


def test_a_number_is_refused_rather_than_cut_at_the_limit(api, refused):
    """Numbers of Germany have many lengths: without its last digit it is another's."""
    end = form({"phone_code": 49, "phone_number": 3012345678})
    begin = form({"auth_token": api.token, "campaign_id": 0, "x": ""})
    body = begin + b"x" * (64 * 1024 - len(begin) - len(end)) + b"&" + end

    sent = chunked(INSERT, b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    refused(sent, 413, granian=411)


def test_a_hundred_thousand_parameters_are_refused(good, refused):
    refused(request(INSERT, good + b"&x=1" * 100_000), 413)


def test_more_parameters_than_any_operation_has_are_refused(good, refused):
    more = b"".join(b"&x%d=1" % number for number in range(150))

    refused(request(INSERT, good + more), 400)
    refused(request(f"{INSERT}?{more.decode()}", good), 400)


NONSENSE = [b"null", b"[]", b'"x"', b"1", b"{", b"{}x", b"\xef\xbb\xbf{}", b"\xff"]
NONSENSE += [b"[" * 30_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[GOOD]"]


@pytest.mark.parametrize("document", NONSENSE, ids=lambda text: repr(text[:8]))
def test_json_is_refused_that_is_no_object(document, api, fields, refused):
    bearer = f"Authorization: Bearer {api.token}".encode()
    document = document.replace(b"GOOD", json.dumps(fields).encode())

    refused(request(INSERT, document, JSON, headers=[bearer]), 400)


@pytest.mark.parametrize(
    ("member", "status"),
    [
        ('"reason": NaN', 400),
        ('"reason": Infinity', 400),
        ('"reason": ["DNC"]', 400),
        ('"reason": {"$ne": null}', 400),
        ('"x": ' + "[" * 5000 + "]" * 5000, 400),
        ('"phone_number": ["5551234567"]', 400),
        ('"phone_number": 1e400', 400),
        ('"phone_number": 5551234567.5', 200),
        ('"phone_number": true', 200),
        ('"phone_number": null', 200),
        ('"phone_number": "5551234567", "phone_number": "x"', 200),
        ('"campaign_id": ' + "9" * 4000, 200),
        ('"campaign_id": ' + "9" * 5000, 400),
        ('"campaign_id": 0.5', 200),
    ],
    ids=lambda value: str(value)[:40],
)
def test_json_is_refused_with_the_member(member, status, fields, refused):
    document = json.dumps(fields).removesuffix("}") + f", {member}}}"

    refused(request(INSERT, document.encode(), JSON), status)


def test_json_in_another_encoding_is_refused(fields, refused):
    refused(request(INSERT, json.dumps(fields).encode("utf-16"), JSON), 400)


PART = b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("multipart/form-data", PART + b"--B--\r\n", id="no boundary"),
        pytest.param(MULTIPART, b"garbage", id="no part"),
        pytest.param(MULTIPART, PART, id="no end"),
        pytest.param(MULTIPART, PART[:-8], id="cut in a part"),
        pytest.param(MULTIPART, b"--B\r\n\r\nx\r\n--B--\r\n", id="no name"),
        pytest.param(
            MULTIPART, b"--B\r\nX: \xff\0\r\n\r\nx\r\n--B--\r\n", id="no head"
        ),
        pytest.param(
            "multipart/form-data; boundary=" + "b" * 4000, PART, id="endless boundary"
        ),
    ],
)
def test_a_multipart_body_is_refused_that_has(content_type, body, good, refused):
    """The query alone would be an insert; what the body would change is not known."""
    body = body.replace(b"%s", b"reason", 1).replace(b"%s", b"DNC", 1)

    refused(request(f"{INSERT}?{good.decode()}", body, content_type), 400)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"zz\r\n", id="a size that is no number"),
        pytest.param(b"-1\r\nx\r\n0\r\n\r\n", id="a negative size"),
        pytest.param(b"f" * 20 + b"\r\nx", id="a size beyond all bounds"),
        pytest.param(b"64\r\nx", id="an end before its time"),
        pytest.param(b"1\r\nxyz\r\n0\r\n\r\n", id="more than its size"),
        pytest.param(b"\r\n\r\n", id="no size"),
        pytest.param("\u0665\r\nabcde\r\n0\r\n\r\n".encode(), id="other digits"),
    ],
)
@pytest.mark.parametrize("operation", ["dnc/insert", "dnc/search", "dnc/delete"])
def test_a_chunked_body_is_refused_that_has(operation, body, good, refused):
    sent = chunked(f"/v1/{operation}?{good.decode()}", body)

    refused(sent, 400, finish=True, granian=411)


def test_an_endless_request_line_is_refused(refused):
    refused(request(f"{INSERT}?reason={'x' * 9000}"), 414)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param([b"X: " + b"x" * 9000], 431, id="that is endless"),
        pytest.param([b"X-%d: 1" % n for n in range(100)], 431, id="too many"),
        pytest.param([b"X: a\0b"], 400, id="with a NUL"),
        pytest.param([b"X : a"], 400, id="with a space before its colon"),
        pytest.param([b"no colon"], 400, id="without a colon"),
        pytest.param([b"X: a\rY: b"], 400, id="with a bare return"),
        pytest.param([b"X: a", b" folded"], 400, id="that is folded"),
        pytest.param([b"Content-Length: 5"], 400, id="that tells another length"),
        pytest.param([b"Transfer-Encoding: xchunked"], 400, id="of no known coding"),
        pytest.param([b"Expect: the-unexpected"], 417, id="that expects too much"),
    ],
)
def test_a_header_is_refused(lines, status, good, refused):
    refused(request(INSERT, good, headers=lines), status, readable=False)


@pytest.mark.parametrize("length", ["ten", "-1", "+10", "1,1", "1_0", "\u0665", "1e1"])
def test_a_length_that_is_no_number_is_refused(length, good, refused):
    refused(request(INSERT, good, length=length), 400, readable=False)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="a version there is not"),
        pytest.param(b"P\0ST /v1/dnc/insert HTTP/1.1\r\n\r\n", id="a NUL"),
        pytest.param(bytes(range(128, 256)) + b"\r\n\r\n", id="garbage"),
    ],
)
def test_what_is_no_http_1_1_is_refused_like_everything_else(sent, refused):
    refused(sent, 400, readable=False)


def test_http_2_is_refused_or_not_answered_at_all(refused, http_server):
    sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    if http_server == "granian":
        with pytest.raises(RemoteDisconnected):
            refused(sent, 400)
    else:
        refused(sent, 400)


@pytest.mark.parametrize("method", [b"PUT", b"PATCH", b"DELETE", b"TRACE", b"FOO"])
def test_another_method_is_refused(method, good, refused):
    answer = refused(request(INSERT, good, method=method), 405)

    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/dnc/insert/",
        "/v1/dnc/insert%00",
        "/v1/dnc/%ff%fe",
        "/v1/dnc/insert%0d%0aX:1",
        "/v1/dnc/%2e%2e/insert",
        "/v1/dnc//insert",
        "/v1//dnc/insert",
        f"/v1/dnc/{NUMBER}",
        "/v1/",
    ],
)
@pytest.mark.parametrize("method", [b"POST", b"GET"])
def test_a_path_that_is_nearly_right_is_not_found(method, path, good, refused):
    refused(request(f"{path}?{good.decode()}", good, method=method), 404)


@pytest.mark.parametrize(
    "sender", ["unknown", "", "1.2.3", "10.0.0.1, _x", "\xff", "1/0"]
)
def test_a_forwarded_address_that_is_none_keeps_nobody_from_opting_out(
    sender, api, good
):
    line = b"X-Forwarded-For: " + sender.encode("latin-1")

    answer = exchange(api.base, request(INSERT, good, headers=[line]))

    assert (answer.status, answer.json()["success"]) == (200, True), answer


def test_a_good_request_is_answered_after_all_of_this(api):
    assert api.insert(NUMBER) > 0
