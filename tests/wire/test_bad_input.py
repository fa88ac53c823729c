"""Whatever is sent, the answer is a declared error and nothing is stored."""

import json
from dataclasses import dataclass

import pytest

from tests.thinning import diagonal
from tests.wire import stored
from tests.wire.conftest import MakeApi
from tests.wire.raw_http import (
    FORM,
    JSON,
    Answer,
    exchange,
    form,
    request,
    require_refusal,
)
from tests.wire.service import Api

NUMBER = "5551234567"

# Fields that are accepted as they stand; ID and CAMPAIGN are filled in.
OPERATIONS: dict[str, dict[str, str]] = {
    "dnc/insert": {
        "phone_number": "5557654321",
        "phone_code": "1",
        "campaign_id": "0",
        "reason": "DNC",
        "purpose": "TELEMKT",
    },
    "dnc/update": {
        "id": "ID",
        "phone_number": NUMBER,
        "phone_code": "1",
        "campaign_id": "0",
        "reason": "DNC",
        "purpose": "TELEMKT",
    },
    "dnc/search": {
        "id": "ID",
        "campaign_id": "0",
        "phone_number": NUMBER,
        "phone_code": "1",
        "insert_date": "2026-03-31",
        "offset": "0",
        "limit": "10",
        "reason": "DNC",
        "purpose": "TELEMKT",
    },
    "dnc/delete": {
        "phone_number": NUMBER,
        "phone_code": "1",
        "campaign_id": "0",
        "purpose": "TELEMKT",
        "update_lead_status": "true",
        "lead_status": "ACTIVE",
    },
    "leads/insert": {
        "phone_number": "5557654321",
        "phone_code": "1",
        "campaign_id": "CAMPAIGN",
        "status": "NEW",
        "first_name": "Ada",
        "last_name": "Lovelace",
    },
    "leads/search": {
        "id": "1",
        "phone_number": NUMBER,
        "phone_code": "1",
        "campaign_id": "CAMPAIGN",
        "status": "NEW",
        "offset": "0",
        "limit": "10",
    },
    "status/search": {"status": "NEW", "offset": "0", "limit": "10"},
    "campaigns/search": {"id": "CAMPAIGN", "offset": "0", "limit": "10"},
}
TEXTS = {"reason", "purpose", "first_name", "last_name", "status"}
IS_A_SWITCH = {"update_lead_status"}
FIELDS = [
    pytest.param(operation, name, id=f"{name} of {operation}")
    for operation, fields in OPERATIONS.items()
    for name in fields
    if name not in IS_A_SWITCH
]

# In any field: after or before a good value, or instead of it.
BYTES = [b"GOOD\0", b"\0", b"GOOD\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\x01GOOD"]
BYTES += [b"GOOD\r\nX: 1", b"GOOD\x7f", b"GOOD\x1b[2J", b"9" * 400, b"x" * 60_000]
CHARACTERS = ["GOOD\u200b", "\u202eGOOD", "GOOD\u2028", "\ue000", "\ufffd", "\u0085"]
OTHER_DIGITS = "\u0665" * 10
# In a field that is no text of the client's own.
NO_NUMBERS = [
    "٥٥٥١٢٣٤٥٦٧",
    "\uff15" * 10,
    "²",
    "9" * 19,
    "1.5",
    "1e3",
    "0x10",
    "-2",
]
NO_NUMBERS += ["1_0", "\u00a01", "'; drop table dnc_entry; --", "%s", "NaN"]
# make test spoils a field with one part of these, and the next field with the next.
PARTS = 3
ESCAPES = ["\ud800", "GOOD\udfff", "\0", "GOOD\0", "\udc80"]


@dataclass(frozen=True)
class Target:
    """An organisation with one entry, and what it must still hold afterwards."""

    api: Api
    url: str
    ids: dict[str, str]
    before: dict[str, int]

    def fields(self, operation: str) -> dict[str, str]:
        return {
            "auth_token": self.api.token,
            **{
                name: self.ids.get(value, value)
                for name, value in OPERATIONS[operation].items()
            },
        }

    def send(self, sent: bytes) -> Answer:
        return exchange(self.api.base, sent)

    def require_refusal(self, answer: Answer) -> int:
        """Return the code of the refusal."""
        code: int = require_refusal(answer, self.api.token, NUMBER)["code"]
        return code

    def require_untouched(self) -> None:
        assert stored.count(self.url, self.api.caller.organisation.id) == self.before
        (entry,) = self.api.search(phone_number=NUMBER)
        assert entry["reason"] == "untouched"


@pytest.fixture
def target(make_api: MakeApi, service_database: str) -> Target:
    api = make_api()
    ids = {
        "ID": str(api.insert(NUMBER, reason="untouched")),
        "CAMPAIGN": str(api.add_campaign("SPRING")),
    }
    before = stored.count(service_database, api.caller.organisation.id)
    return Target(api, service_database, ids, before)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_fields_that_are_spoiled_below_are_accepted_unspoiled(operation, target):
    answer = target.send(request(f"/v1/{operation}", form(target.fields(operation))))

    assert answer.json()["success"] is True, answer


@pytest.mark.parametrize(
    ("operation", "name", "part"),
    [
        pytest.param(
            *(operation, name, part),
            marks=() if part == n % PARTS else pytest.mark.soak,
            id=f"{name} of {operation}, part {part}",
        )
        for n, (operation, name) in enumerate(each.values for each in FIELDS)
        for part in range(PARTS)
    ],
)
def test_no_field_takes_bytes_or_characters_that_it_cannot_mean(
    operation, name, part, target
):
    fields = target.fields(operation)
    characters = CHARACTERS if name in TEXTS else CHARACTERS + NO_NUMBERS
    spoiled = [*BYTES, *(text.encode() for text in characters)]
    for value in spoiled[part::PARTS]:
        sent = fields | {name: value.replace(b"GOOD", fields[name].encode())}
        answer = target.send(request(f"/v1/{operation}", form(sent)))
        assert target.require_refusal(answer) < 7000, value
    target.require_untouched()


@pytest.mark.parametrize(("operation", "name"), FIELDS)
def test_no_field_takes_what_only_a_json_escape_can_write(operation, name, target):
    fields = target.fields(operation)
    for value in ESCAPES:
        sent = json.dumps(fields | {name: value.replace("GOOD", fields[name])})
        answer = target.send(request(f"/v1/{operation}", sent.encode(), JSON))
        target.require_refusal(answer)
    target.require_untouched()


SPOILT_TOKENS = {
    "with a NUL": b"TOKEN\0",
    "with a newline": b"TOKEN\n",
    "after a space": b" TOKEN",
    "with an invisible character": "TOKEN\u200b".encode(),
    "that is empty": b"",
    "of other digits": OTHER_DIGITS.encode(),
    "that is endless": b"x" * 60_000,
}


@pytest.mark.parametrize(("operation", "spoilt"), diagonal(OPERATIONS, SPOILT_TOKENS))
def test_no_operation_takes_a_token(operation, spoilt, target):
    token = SPOILT_TOKENS[spoilt].replace(b"TOKEN", target.api.token.encode())

    sent = form({**target.fields(operation), "auth_token": token})
    answer = target.send(request(f"/v1/{operation}", sent))

    assert answer.status == 401
    assert target.require_refusal(answer) == 5001
    target.require_untouched()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_that_is_no_utf_8_is_not_read_at_all(operation, target):
    sent = form({**target.fields(operation), "auth_token": b"\xff"})

    answer = target.send(request(f"/v1/{operation}", sent))

    assert answer.status == 400
    assert target.require_refusal(answer) == 400
    target.require_untouched()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_lone_surrogate_in_a_token_is_a_token_that_nobody_has(operation, target):
    sent = json.dumps({**target.fields(operation), "auth_token": "\ud800" * 33})

    answer = target.send(request(f"/v1/{operation}", sent.encode(), JSON))

    assert target.require_refusal(answer) == 5001


@pytest.mark.parametrize(
    "name", ["phone_number", "phone_code", "campaign_id", "auth_token"]
)
def test_of_a_repeated_field_the_last_decides_and_is_bad_here(name, target):
    sent = form(target.fields("dnc/insert")) + b"&" + name.encode() + b"=%00"

    answer = target.send(request("/v1/dnc/insert", sent))

    target.require_refusal(answer)
    target.require_untouched()


@pytest.mark.parametrize(
    "operation", ["dnc/insert", "dnc/update", "dnc/delete", "leads/insert"]
)
@pytest.mark.parametrize("content_type", [FORM, JSON, None])
def test_an_empty_body_asks_for_nothing_that_could_be_done(
    operation, content_type, target
):
    bearer = f"Authorization: Bearer {target.api.token}".encode()

    sent = request(f"/v1/{operation}", b"", content_type, headers=[bearer])
    answer = target.send(sent)

    assert answer.status == 200
    target.require_refusal(answer)
    target.require_untouched()


@pytest.mark.parametrize(
    ("operation", "content_type"),
    diagonal(OPERATIONS, ["text/plain", "application/xml", "x", None]),
)
def test_a_body_of_another_media_type_is_not_read(operation, content_type, target):
    sent = form(target.fields(operation))

    answer = target.send(request(f"/v1/{operation}", sent, content_type))

    assert answer.status == 415
    target.require_refusal(answer)
    target.require_untouched()


@pytest.mark.parametrize("name", ["reason", "purpose"])
@pytest.mark.parametrize(
    ("operation", "codes"),
    [
        ("dnc/insert", {"reason": 6057, "purpose": 6058}),
        ("dnc/update", {"reason": 6057, "purpose": 6058}),
        ("dnc/search", {"reason": 6057, "purpose": 6058}),
    ],
)
def test_a_text_may_have_its_length_and_not_one_character_more(
    operation, codes, name, target
):
    longest = {"reason": 255, "purpose": 64}[name]
    fields = target.fields(operation) | {name: "é" * (longest + 1)}

    answer = target.send(request(f"/v1/{operation}", form(fields)))

    assert target.require_refusal(answer) == codes[name]
    target.require_untouched()
    fields[name] = "é" * longest
    answer = target.send(request(f"/v1/{operation}", form(fields)))
    assert answer.json()["success"] is True
