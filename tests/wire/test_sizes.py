"""One letter more than the document allows, in each field of each operation."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests

from tests.openapi_document import read_document
from tests.wire.service import Api

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

# A function of an operation that looks at a parameter which others do not.
LOOKED_AT = {
    "reason": {"actionType": "remove"},
    "group": {"function": "add_fpg_phone"},
    "campaign_id": {"function": "add_dnc_phone"},
}

DOCUMENT: dict[str, Any] = read_document()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["schemas"][name]
    return found


class Bounded(NamedTuple):
    """A field of an operation's body, and how long it may be."""

    path: str
    media_type: str
    example: dict[str, Any]
    name: str
    most: int


def bounded_fields() -> Iterator[Bounded]:
    for path, item in DOCUMENT["paths"].items():
        content = item.get("post", {}).get("requestBody", {}).get("content", {})
        for media_type, described in content.items():
            if media_type not in {FORM, JSON}:
                continue
            properties = resolved(described["schema"]).get("properties", {})
            example = described.get("example")
            for name, schema in properties.items():
                if "maxLength" in schema:
                    yield Bounded(path, media_type, example, name, schema["maxLength"])


def is_refused(answer: requests.Response, path: str) -> bool:
    """Whether *answer* says in the words of its dialect that it is not done."""
    if path.startswith("/app/"):
        return answer.status_code >= 400 and "Traceback" not in answer.text
    if "vicidial" in path or "non_agent" in path:
        return answer.text.startswith("ERROR: ")
    body = answer.json()
    if path.startswith("/api/"):
        return answer.status_code >= 400 and body["status"] is False
    return body["success"] is False


@pytest.mark.parametrize(
    "bounded", [*bounded_fields()], ids=lambda of: f"{of.path} {of.name}"
)
def test_what_is_longer_than_the_document_says_is_refused(api: Api, bounded: Bounded):
    path, media_type, example, name, most = bounded
    user = f"long-{api.caller.organisation.id}"
    token = api.services.access.issue(
        api.caller, "long", list(api.caller.grants), user=user
    )
    known = {"auth_token": token, "loginId": token, "pass": token, "user": user}
    fields = {**example, **{k: v for k, v in known.items() if k in example}}
    if media_type == FORM:
        fields |= {"auth_token": token, "loginId": token, "pass": token, "user": user}
    headers = {"Authorization": f"Bearer {token}"}
    if example.keys() & {"function", "actionType"}:
        fields |= LOOKED_AT.get(name, {})
    fields[name] = "5" * (most + 1)

    answer = requests.post(
        api.base + path,
        data=fields if media_type == FORM else None,
        json=fields if media_type == JSON else None,
        headers=headers if name not in known else {},
        timeout=20,
    )

    assert answer.status_code < 500, answer.text
    assert is_refused(answer, path), answer.text[:500]
