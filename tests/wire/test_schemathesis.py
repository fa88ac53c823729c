"""The running service keeps to its own OpenAPI document, whatever is sent to it."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema

from app.services.organisations import EVERY_GRANT
from tests.openapi_document import read_document
from tests.wire.conftest import MakeApi
from tests.wire.service import Api
from tests.wire.vicidial import Box, with_user

# An Idempotency-Key may be in use, or another request's; a query may be too long.
KEYED = ["409", "414", "422"]

# The dialect refuses a request's content with HTTP 200 and `success` false, so 200 is
# an allowed answer to data that breaks the schema; ``a_refusal_says_so`` sees to the
# rest.
CONFIG = {
    "checks": {
        "negative_data_rejection": {
            "expected-statuses": ["200", "400", "401", "403", "413", "415", *KEYED]
        },
        "positive_data_acceptance": {"expected-statuses": ["200", "401", *KEYED]},
    },
    # No schema can say which text is a number, or a list of them, or what is there.
    "operations": [
        {
            "include-path-regex": "^/api/dnc/",
            "checks": {
                "negative_data_rejection": {
                    "expected-statuses": [
                        "400",
                        "401",
                        "403",
                        "404",
                        "413",
                        "415",
                        *KEYED,
                    ]
                },
                # An id may be a neighbour's.
                "positive_data_acceptance": {
                    "expected-statuses": ["200", "400", "401", "403", "404", *KEYED]
                },
            },
        },
        {
            "include-path-regex": "/v1/dnc/(scrub|import|export)$|/rpc/(pdnc|scrub)$",
            "checks": {
                "positive_data_acceptance": {
                    "expected-statuses": ["200", "400", "401", *KEYED]
                }
            },
        },
        # Nor which is a caller's number; and whoever guesses passwords is locked out.
        {
            "include-path-regex": "^/vicidial/filter$",
            "checks": {
                "positive_data_acceptance": {
                    "expected-statuses": ["200", "400", "401", "414", "429"]
                },
                "negative_data_rejection": {
                    "expected-statuses": [
                        "200",
                        "400",
                        "401",
                        "403",
                        "413",
                        "414",
                        "429",
                    ]
                },
            },
        },
        # A page takes every method.
        {
            "include-path-regex": "non_agent_api.php$",
            "checks": {"unsupported_method": {"enabled": False}},
        },
    ],
}

FORM = "application/x-www-form-urlencoded"
NO_BODY = {"HEAD", "OPTIONS"}
OK = 200
# A refusal is one line of text there.
PLAIN = ("/app/",)

# One of each dialect: make test sends these what is just in bounds, and just outside.
BOUNDED = [
    "POST /v1/dnc/insert",
    "GET /v1/dnc/check",
    "POST /api/dnc/add",
    "POST /app/main/rpc/pdnc",
    "GET /vicidial/non_agent_api.php",
]


def read_schema(*phases: str) -> BaseSchema:
    """Return the document, whose operations are to be asked in those phases."""
    chosen = {name: {"enabled": name in phases} for name in ("examples", "coverage")}
    config = SchemathesisConfig.from_dict(CONFIG | {"phases": chosen})
    return schemathesis.openapi.from_dict(read_document(), config=config)


schema = read_schema("examples")
bounded = read_schema("coverage").exclude(
    lambda context: context.operation.label not in BOUNDED
)


@schemathesis.check
def a_refusal_says_so(_context: Any, response: Any, _case: Any) -> None:
    """Every answer says whether it was done, and every refusal why."""
    if response.request.method in NO_BODY:
        return
    if urlsplit(response.request.url).path.startswith(PLAIN):
        kind, *_ = response.headers["content-type"]
        if response.status_code != OK:
            assert kind.startswith("text/plain")
            assert response.content.decode().isprintable()
            assert response.content
        return
    if response.headers["content-type"][0].startswith("text/csv"):
        assert response.status_code == 200
        return
    if response.headers["content-type"][0].startswith("text/html"):
        refused = response.text.startswith("ERROR: ")
        assert refused or response.status_code == 200
        return
    body = response.json()
    if "errorMessage" in body:
        assert body["status"] is (response.status_code == 200)
        assert body["code"] == response.status_code
        assert bool(body["errorMessage"]) is not body["status"]
        return
    if body["success"]:
        assert response.status_code == 200
        assert "code" not in body
    else:
        assert isinstance(body["code"], int)
        assert body["text"] == body["message"]


@pytest.fixture(scope="module")
def fuzzed() -> list[tuple[Api, Box]]:
    """The one organisation that all examples share, and its user."""
    return []


ANY_HEALTH = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@schema.parametrize()
@settings(max_examples=2, derandomize=True, **ANY_HEALTH)
def test_no_request_gets_an_answer_that_is_not_declared(
    case: schemathesis.Case, make_api: MakeApi, fuzzed: list[tuple[Api, Box]]
) -> None:
    ask(case, make_api, fuzzed)


@bounded.parametrize()
@settings(max_examples=1, derandomize=True, **ANY_HEALTH)
def test_no_request_at_a_bound_gets_an_answer_that_is_not_declared(
    case: schemathesis.Case, make_api: MakeApi, fuzzed: list[tuple[Api, Box]]
) -> None:
    ask(case, make_api, fuzzed)


def ask(
    case: schemathesis.Case, make_api: MakeApi, fuzzed: list[tuple[Api, Box]]
) -> None:
    """Send *case* as somebody who may do everything."""
    if not fuzzed:
        api = make_api()
        fuzzed.append((api, with_user(api, "documented", EVERY_GRANT)))
    api, box = fuzzed[0]
    for fields in (case.body, case.query):
        if isinstance(fields, dict):
            for name in ("auth_token", "loginId"):
                if fields.get(name):
                    fields[name] = api.token
            if fields.get("user") and fields.get("pass"):
                fields |= {"user": box.user, "pass": box.password}
    if "Authorization" in (case.headers or {}):
        case.headers["Authorization"] = f"Bearer {api.token}"
    if "loginId" in (case.headers or {}):
        case.headers["loginId"] = api.token

    case.call_and_validate(base_url=api.base, session=api.session, timeout=20)


def test_the_examples_of_the_document_work(api: Api) -> None:
    api.add_campaign("SPRING")
    box = with_user(api, "documented", EVERY_GRANT)
    login = {"user": box.user, "pass": box.password}
    for path, item in read_document()["paths"].items():
        if "post" not in item:
            continue
        (kind, content), *_ = item["post"]["requestBody"]["content"].items()
        example = content["example"]
        if kind == FORM:
            secret = "loginId" if path.startswith(PLAIN) else "auth_token"
            credential = login if "pass" in example else {secret: api.token}
            answer = api.session.post(
                api.base + path, {**example, **credential}, timeout=20
            )
        else:
            answer = api.session.post(
                api.base + path,
                json.dumps(example) if kind == "application/json" else example,
                headers={"Content-Type": kind, "Authorization": f"Bearer {api.token}"},
                timeout=20,
            )

        assert answer.status_code == 200, (path, answer.text)
        if path.startswith(PLAIN):
            continue
        if answer.headers["Content-Type"].startswith("application/json"):
            body = json.loads(answer.text)
            # Only the entry that the update names is not there yet.
            done = body.get("success", body.get("status"))
            assert done is True or body["code"] == 6056, (path, body)
        elif answer.headers["Content-Type"].startswith("text/html"):
            assert answer.text.startswith(("SUCCESS: ", "AREACODE: ", "0")), path
        else:
            assert answer.text.startswith("name,phone,dnc_status")
