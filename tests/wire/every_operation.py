"""Every operation of openapi.yaml, as its examples show it, with credentials."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from tests.openapi_document import read_document
from tests.wire.service import Api
from tests.wire.vicidial import Box

FORM = "application/x-www-form-urlencoded"
# What stands in a path for an id.
RECORD = "0" * 24


@dataclass(frozen=True)
class Operation:
    """One method of one path; *example* is of its body, or of its form's fields."""

    path: str
    method: str
    name: str
    kind: str | None
    example: Any
    declared: dict[str, Any]

    def send(self, api: Api, box: Box) -> requests.Response:
        """Send the example, by a connection of its own."""
        url = api.base + self.path.replace("{record_id}", RECORD)
        headers = {"Authorization": f"Bearer {api.token}"}
        body: dict[str, Any] = {}
        if isinstance(self.example, dict) and self.kind in {FORM, None}:
            secret = "loginId" if self.path.startswith("/app/") else "auth_token"
            fields = {**self.example, secret: api.token}
            if "user" in self.example:
                fields |= {"user": box.user, "pass": box.password}
            body = {"data" if self.kind else "params": fields}
        elif self.kind == "application/json":
            body = {"json": self.example}
        elif self.kind is not None:
            headers["Content-Type"] = self.kind
            body = {"data": self.example}
        return requests.request(self.method, url, headers=headers, timeout=20, **body)

    def require_unavailable(self, answer: requests.Response) -> None:
        """Require the 503 that is declared, and nothing that could be "callable"."""
        assert answer.status_code == 503, (self.name, answer.status_code, answer.text)
        assert int(answer.headers["Retry-After"]) > 0, self.name
        declared = self.declared["503"]["content"]
        assert answer.headers["Content-Type"].partition(";")[0] in declared, self.name
        if "application/json" in declared:
            body = answer.json()
            assert not body.get("success", body.get("status")), (self.name, body)
            assert not body.get("data"), (self.name, body)
        else:
            assert "unavailable" in answer.text.lower(), (self.name, answer.text)


def operations() -> Iterator[Operation]:
    """Yield every operation; a GET takes the example of the form beside it."""
    document = read_document()
    for path, item in document["paths"].items():
        examples = {
            method: next(iter(operation["requestBody"]["content"].items()))
            for method, operation in item.items()
            if "requestBody" in operation
        }
        for method, operation in item.items():
            responses = {
                status: _resolve(document, response)
                for status, response in operation["responses"].items()
            }
            if method in examples:
                kind, content = examples[method]
                example = content["example"]
            else:
                kind = None
                beside = [content for of, content in examples.values() if of == FORM]
                example = beside[0]["example"] if beside else {}
            yield Operation(
                path, method.upper(), operation["operationId"], kind, example, responses
            )


def _resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = document
    for name in node["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    assert json.dumps(found)
    return dict(found)
