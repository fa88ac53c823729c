"""
Every operation of openapi.yaml, what each of its fields means, and how it is sent.

A field that ``MEANINGS`` does not know fails ``test_every_field_has_a_meaning`` by
name: say what it is there, and both the matrix of isolation and the random sequences of
operations use it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

import requests

from tests.openapi_document import read_document

SECONDS = 20


class Means(Enum):
    """What a field's value stands for."""

    TOKEN = auto()
    USER = auto()
    ENTRY = auto()
    RECORD = auto()
    LEAD = auto()
    CAMPAIGN = auto()
    CAMPAIGN_ID = auto()
    GROUP = auto()
    NUMBER = auto()
    NUMBER_WITH_CODE = auto()
    NUMBERS = auto()
    ROWS = auto()
    PURPOSE = auto()
    STATUS = auto()
    REASON = auto()
    PART = auto()
    OFFSET = auto()
    PAGE = auto()
    # What follows can be nobody's: it names nothing that is stored, or only a note.
    CODE = auto()
    LIMIT = auto()
    SWITCH = auto()
    NOTE = auto()
    FUNCTION = auto()


NOBODY_S = {Means.CODE, Means.LIMIT, Means.SWITCH, Means.NOTE, Means.FUNCTION}

# By the name of a field, or by that of the operation and its own.
MEANINGS: Mapping[str, Means] = {
    "auth_token": Means.TOKEN,
    "bearer": Means.TOKEN,
    "loginId": Means.TOKEN,
    "pass": Means.TOKEN,
    "user": Means.USER,
    "dncUpdate.id": Means.ENTRY,
    "dncSearch.id": Means.ENTRY,
    "historyOf.id": Means.ENTRY,
    "restoreEntry.id": Means.ENTRY,
    "leadsSearch.id": Means.LEAD,
    "campaignsSearch.id": Means.CAMPAIGN_ID,
    "record_id": Means.RECORD,
    "campaign_id": Means.CAMPAIGN,
    "projId": Means.CAMPAIGN,
    "campaignId": Means.CAMPAIGN,
    "group": Means.GROUP,
    "phone_number": Means.NUMBER,
    "phoneList": Means.NUMBER,
    "phoneNumber": Means.NUMBER_WITH_CODE,
    "numbers": Means.NUMBERS,
    "rows": Means.ROWS,
    "purpose": Means.PURPOSE,
    "lead_status": Means.STATUS,
    "status": Means.STATUS,
    "reason": Means.REASON,
    "type": Means.REASON,
    "search": Means.PART,
    "offset": Means.OFFSET,
    "page": Means.PAGE,
    "phone_code": Means.CODE,
    "limit": Means.LIMIT,
    "insert_date": Means.NOTE,
    "as_of": Means.NOTE,
    "Idempotency-Key": Means.NOTE,
    "first_name": Means.NOTE,
    "last_name": Means.NOTE,
    "batchId": Means.NOTE,
    "requestUUID": Means.NOTE,
    "source": Means.NOTE,
    "local_call_time": Means.NOTE,
    "file_name": Means.NOTE,
    "phone_column": Means.NOTE,
    "phone_code_column": Means.NOTE,
    "update_lead_status": Means.SWITCH,
    "only": Means.SWITCH,
    "skip_invalid": Means.SWITCH,
    "dry_run": Means.SWITCH,
    "dnc_check": Means.SWITCH,
    "campaign_dnc_check": Means.SWITCH,
    "enable": Means.SWITCH,
    "ignoreInvalid": Means.SWITCH,
    "version": Means.SWITCH,
    "output": Means.SWITCH,
    "function": Means.FUNCTION,
    "actionType": Means.FUNCTION,
}


@dataclass(frozen=True)
class Field:
    """A parameter or a property of the body; *place* is where it is sent."""

    name: str
    place: str
    needed: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One operation of the document, one of its functions where it has several."""

    name: str
    dialect: str
    method: str
    path: str
    media_type: str | None
    fields: tuple[Field, ...]
    chosen: tuple[str, str] | None = None

    @property
    def base(self) -> str:
        """The operation, however it is asked."""
        return self.name.removesuffix("ByQuery")

    def __str__(self) -> str:
        """Return what a test of it is called."""
        return f"{self.name} {self.chosen[1]}" if self.chosen else self.name

    def means(self, field: Field) -> Means | None:
        """Return what *field* stands for, or None if nobody has said."""
        return MEANINGS.get(f"{self.base}.{field.name}") or MEANINGS.get(field.name)


def read_operations() -> list[Operation]:
    """Return all of the document's operations."""
    document = read_document()
    return [
        operation
        for path, item in document["paths"].items()
        for method, described in item.items()
        for operation in _split(_read(document, path, method, described))
    ]


def send(
    base: str,
    operation: Operation,
    values: Mapping[str, Any],
    session: requests.Session | None = None,
) -> requests.Response:
    """Send *values*, each where its field belongs; leave out what has none."""
    given: dict[str, dict[str, Any]] = {
        place: {} for place in ("path", "query", "header", "body", "bearer")
    }
    for field in operation.fields:
        if values.get(field.name) is not None:
            given[field.place][field.name] = values[field.name]
    headers = dict(given["header"])
    for secret in given["bearer"].values():
        headers["Authorization"] = f"Bearer {secret}"
    body: dict[str, Any] = {}
    if operation.media_type == "application/json":
        body = {"json": given["body"]}
    elif operation.media_type == "text/csv":
        headers["Content-Type"] = "text/csv"
        body = {"data": str(given["body"].get("rows", "")).encode()}
    elif operation.media_type is not None:
        body = {"data": given["body"]}
    return (session or requests.Session()).request(
        operation.method,
        base + operation.path.format(**given["path"]),
        params=given["query"],
        headers=headers,
        timeout=SECONDS,
        **body,
    )


def _split(operation: Operation) -> Iterator[Operation]:
    for field in operation.fields:
        if operation.means(field) is Means.FUNCTION:
            for choice in field.choices:
                yield replace(operation, chosen=(field.name, choice))
            return
    yield operation


def _read(
    document: Mapping[str, Any], path: str, method: str, described: Mapping[str, Any]
) -> Operation:
    fields = [
        Field(
            one["name"],
            one["in"],
            bool(one.get("required")),
            tuple(one["schema"].get("enum", ())),
        )
        for one in described.get("parameters", ())
    ]
    contents = described.get("requestBody", {}).get("content", {})
    media_type = next(iter(contents), None)
    if media_type is not None:
        schema = contents[media_type]["schema"]
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = document["components"]["schemas"][name]
        if schema.get("type") == "object":
            needed = schema.get("required", ())
            fields += [
                Field(name, "body", name in needed, tuple(told.get("enum", ())))
                for name, told in schema["properties"].items()
            ]
        else:
            fields.append(Field("rows", "body", needed=True))
    schemes = {name for scheme in described.get("security", ()) for name in scheme}
    if "bearer" in schemes:
        fields.append(Field("bearer", "bearer", needed=True))
    elif "loginId" in schemes and media_type is None:
        fields.append(Field("loginId", "header", needed=True))
    return Operation(
        described["operationId"],
        described["tags"][0],
        method.upper(),
        path,
        media_type,
        tuple(fields),
    )
