"""
A request to add that breaks off adds nothing, through whichever door it came.

What is missing of it may have been the rest of the number, or of the list: half a list
carried out is a success for numbers that stay callable. Neither server is to be relied
upon to notice.
"""

import json
from urllib.parse import urlencode

import pytest

from tests.wire.doors import COUNTERS, Doors
from tests.wire.raw_http import FORM, JSON, Answer, exchange, request

pytestmark = pytest.mark.both_servers

N = "7275551299"
LIST = f"{N},7275551300"
BOUNDARY = "cut"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
END = {MULTIPART: b"--\r\n"}

CONVOSO = {"phone_code": "1", "campaign_id": "0", "phone_number": N}
VICIDIAL = {"source": "test", "function": "add_dnc_phone"}
VICIDIAL |= {"campaign_id": "SYSTEM_INTERNAL", "phone_number": LIST}
DNCSCRUB = {"actionType": "add", "phoneList": LIST}


def in_parts(fields: dict[str, str]) -> bytes:
    """Return a multipart body but for the two hyphens that would end it."""
    parts = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name={name}\r\n\r\n{text}\r\n"
        for name, text in fields.items()
    ]
    return "".join([*parts, f"--{BOUNDARY}"]).encode()


def as_form(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode()


def as_json(fields: dict[str, str]) -> bytes:
    return json.dumps(fields).encode()


# The path, and a body that reads as a whole one although something is missing.
ADDITIONS = [
    pytest.param("/v1/dnc/insert", FORM, as_form(CONVOSO), id="convoso, form"),
    pytest.param("/v1/dnc/insert", MULTIPART, in_parts(CONVOSO), id="convoso, parts"),
    pytest.param("/v1/dnc/insert", JSON, as_json(CONVOSO), id="convoso, JSON"),
    pytest.param("/v1/dnc/import", "text/csv", f"phone\n{N}\n".encode(), id="native"),
    pytest.param("/vicidial/non_agent_api.php", FORM, as_form(VICIDIAL), id="vicidial"),
    pytest.param(
        "/vicidial/non_agent_api.php",
        MULTIPART,
        in_parts(VICIDIAL),
        id="vicidial, parts",
    ),
    pytest.param(
        "/api/dnc/add", JSON, as_json({"phoneNumber": f"1{N}"}), id="workspace"
    ),
    pytest.param("/app/main/rpc/pdnc", FORM, as_form(DNCSCRUB), id="dncscrub, form"),
    pytest.param(
        "/app/main/rpc/pdnc", MULTIPART, in_parts(DNCSCRUB), id="dncscrub, parts"
    ),
    pytest.param("/app/main/rpc/pdnc", JSON, as_json(DNCSCRUB), id="dncscrub, JSON"),
]


def send(doors: Doors, path: str, kind: str, body: bytes, missing: int) -> Answer:
    """Send *body*, of which so many bytes are *missing*; return the answer."""
    keys = doors["convoso"].keys
    if path.startswith("/vicidial"):
        path += f"?user={keys.user}&pass={keys.token}"
    elif path.startswith("/app"):
        path += f"?loginId={keys.token}"
    bearer = [f"Authorization: Bearer {keys.token}".encode()]
    sent = request(path, body, kind, length=len(body) + missing, headers=bearer)
    return exchange(keys.base, sent, finish=True)


@pytest.mark.parametrize(("path", "kind", "body"), ADDITIONS)
def test_an_addition_that_breaks_off_adds_nothing(path, kind, body, doors: Doors):
    refused = send(doors, path, kind, body, missing=1)

    # VICIdial's page says in a line what it refuses.
    says_so = refused.status == 200 and refused.body.startswith(b"ERROR: ")
    assert says_so if path.startswith("/vicidial") else refused.status == 400
    assert {doors[name].count() for name in COUNTERS} == {0}
    # It would have been an addition, had nothing been missing.
    added = send(doors, path, kind, body + END.get(kind, b""), missing=0)
    assert added.status == 200
    assert doors["workspace"].is_listed(N)
