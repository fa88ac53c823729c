"""
A request of every operation in openapi.yaml, made from its examples.

A new operation is here by itself. Where its examples are not enough for an answer of
success, what it needs is added to VALUES.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.openapi_document import read_document

# The examples' own, for which what is true here is put in.
TOKEN = "dncd_0123456789abcdefghijkl012345"
USER = "6666"

# What the examples ask about, which is listed here.
LISTED = ["15551234567", "15551234568", "17275551212", "19995551200"]
# What is taken off: a number, and one by its id.
TAKEN_OFF = "5559990001"
TAKEN_OFF_BY_ID = "5559990002"
ENDED = "5559990003"

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Known:
    """What is true of the service that is asked."""

    base: str
    token: str
    user: str
    campaign_id: int
    entry_id: int
    taken_off_id: int
    ended_id: int = 0


@dataclass(frozen=True)
class Operation:
    """One request, and what its operation declares of a 503."""

    name: str
    dialect: str
    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None
    unavailable: Mapping[str, Any] = field(repr=False)

    @property
    def changes(self) -> bool:
        """Whether a database that takes no changes can do nothing for it."""
        reads = ("search", "check", "scrub", "filter", "list", "export", "history")
        name = self.name.lower()
        if "nonagentapi" in name:
            # The examples of one path add a number, those of the other look one up.
            return "root" not in name or "query" in name
        return name.startswith("import") or not any(word in name for word in reads)

    def send(self) -> "Answer":
        """
        Send it over a connection of its own, and take the time.

        By the cheapest client that there is: many of them share this process.
        """
        where = urlsplit(self.url)
        target = where.path + (f"?{urlencode(self.query)}" if self.query else "")
        began = time.monotonic()
        with closing(http.client.HTTPConnection(where.netloc, timeout=20)) as sending:
            sending.request(self.method, target, self.body, dict(self.headers))
            answer = sending.getresponse()
            body = answer.read()
        return Answer(
            operation=self,
            status=answer.status,
            headers=answer.headers,
            text=body.decode(),
            seconds=time.monotonic() - began,
        )


@dataclass(frozen=True)
class Answer:
    """What an operation was answered, and in how many seconds."""

    operation: Operation
    status: int
    headers: Message
    text: str
    seconds: float


def names() -> list[str]:
    """Return the id of every operation."""
    return [operation["operationId"] for *_, operation in _described(read_document())]


def every_operation(known: Known) -> list[Operation]:
    """Return a request of each operation, to the service that *known* tells of."""
    document = read_document()
    return [
        _operation(known, document, path, method, described)
        for path, method, described in _described(document)
    ]


def _described(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield path, method, operation


# By the beginning of an operation's id: what the examples do not say, or not so that it
# would be a success.
VALUES: Mapping[str, Callable[[Known], Mapping[str, Any]]] = {
    "dncUpdate": lambda known: {"id": known.entry_id, "reason": "asked again"},
    "dncDelete": lambda _: {"phone_number": TAKEN_OFF},
    "leadsInsert": lambda known: {"campaign_id": known.campaign_id},
    "internalDnc": lambda _: {"actionType": "add", "phoneList": "5551234567"},
    "scrubNumbers": lambda _: {"phoneList": "5551234567"},
    "restoreEntry": lambda known: {"id": known.ended_id},
    "deleteRecord": lambda known: {"record_id": f"{known.taken_off_id:024x}"},
}


def _values(name: str, known: Known) -> Mapping[str, Any]:
    for beginning, values in VALUES.items():
        if name.startswith(beginning):
            return values(known)
    return {}


def _operation(
    known: Known, document: Mapping[str, Any], path: str, method: str, described: Any
) -> Operation:
    name = described["operationId"]
    values = _values(name, known)
    query = {}
    for parameter in described.get("parameters", ()):
        key = parameter["name"]
        example = parameter.get("example", parameter["schema"].get("example"))
        value = values.get(key, example)
        wanted = parameter.get("required") or key in values
        wanted = wanted or (".php" in path and key != "group")
        if parameter["in"] == "path":
            path = path.replace(f"{{{key}}}", str(value))
        elif parameter["in"] == "query" and wanted and value is not None:
            query[key] = str(_true(value, known))
    media_type, body = _body(described, values, known)
    declared = described["responses"]["503"]
    return Operation(
        name=name,
        dialect=described["tags"][0],
        method=method.upper(),
        url=known.base + path,
        query=query,
        headers=_credentials(described, known) | media_type,
        body=body,
        unavailable={
            media_type: {**content["schema"], "components": document["components"]}
            for media_type, content in declared["content"].items()
        },
    )


def _credentials(described: Any, known: Known) -> dict[str, str]:
    schemes = {name for one in described.get("security", ()) for name in one}
    if "loginId" in schemes:
        return {"loginId": known.token}
    return {"Authorization": f"Bearer {known.token}"} if "bearer" in schemes else {}


def _body(
    described: Any, values: Mapping[str, Any], known: Known
) -> tuple[dict[str, str], bytes | None]:
    """Return the body, and the header that tells its media type."""
    if "requestBody" not in described:
        return {}, None
    ((media_type, content),) = described["requestBody"]["content"].items()
    header, example = {"Content-Type": media_type}, content["example"]
    if not isinstance(example, dict):
        return header, str(example).encode()
    true = {key: _true(value, known) for key, value in {**example, **values}.items()}
    if media_type == FORM:
        return header, urlencode(true).encode()
    return header, json.dumps(true).encode()


def _true(value: Any, known: Known) -> Any:
    if value == TOKEN:
        return known.token
    return known.user if value == USER else value
