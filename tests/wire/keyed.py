"""
Every request that changes something, by the name of its operation in openapi.yaml.

A new operation that changes something needs a row here; what changes nothing is named
in LOOKING. ``test_idempotency.py`` sends each row with an Idempotency-Key.
"""

import itertools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from app.domain.access import Grant
from app.domain.scopes import FILTER_PHONE_GROUP, Campaign
from app.services.organisations import EVERY_GRANT
from tests.wire.service import Api

LISTED, NEW, OTHER, NO_NUMBER = "5551234567", "5551234568", "5551234569", "123"
CAMPAIGN, GROUP = "SPRING", "FPG1"

# Operations that change nothing; a key changes nothing of them.
LOOKING = {
    "dncSearch",
    "leadsSearch",
    "statusSearch",
    "campaignsSearch",
    "check",
    "checkBatch",
    "scrub",
    "exportList",
    "listNumbers",
    "scrubNumbers",
    "inboundFilter",
    "historyOf",
}

KEY = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

Fields = Mapping[str, object]

_names = itertools.count(1)
_keys = itertools.count(1)


def new_key() -> str:
    """Return a key that no request has had."""
    return f"key-{next(_keys)}"


@dataclass(frozen=True)
class Asked:
    """
    A request that changes something.

    *fields* go into the query, a form, or JSON; *body* is a file. *others* in their
    place make it another request, *wrong* one that is refused.
    """

    operation: str
    path: str
    fields: Fields
    others: Fields
    wrong: Fields
    sent_as: str = "form"
    method: str = "POST"
    body: str | None = None
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.operation} {self.note}".strip()

    def with_others(self) -> "Asked":
        return self.with_fields(self.others)

    def with_wrong(self) -> "Asked":
        return self.with_fields(self.wrong)

    def with_fields(self, fields: Fields) -> "Asked":
        if "path" in fields:
            return replace(self, path=str(fields["path"]))
        if "body" in fields:
            return replace(self, body=str(fields["body"]))
        return replace(self, fields={**self.fields, **fields})


def _both_ways(asked: Asked) -> list[Asked]:
    by_query = f"{asked.operation}ByQuery"
    return [asked, replace(asked, operation=by_query, sent_as="query", method="GET")]


_NUMBER = {"phone_code": "1", "campaign_id": "0"}


def _form(operation: str, path: str, fields: Fields, others: Fields) -> list[Asked]:
    wrong = {"phone_number": NO_NUMBER}
    return _both_ways(Asked(operation, path, fields, others, wrong))


def _pdnc(action: str, number: str) -> list[Asked]:
    fields = {"actionType": action, "phoneList": number}
    return _both_ways(
        Asked(
            "internalDnc",
            "/app/main/rpc/pdnc",
            fields,
            {"phoneList": OTHER},
            {"phoneList": NO_NUMBER},
            note=action,
        )
    )


def _page(name: str, path: str, function: str, number: str) -> list[Asked]:
    on = {"group": GROUP} if "fpg" in function else {"campaign_id": "SYSTEM_INTERNAL"}
    fields = {"function": function, "source": "test", "phone_number": number, **on}
    wrong = {"phone_number": NO_NUMBER}
    other = {"phone_number": OTHER}
    return _both_ways(Asked(name, path, fields, other, wrong, note=function))


CHANGING: list[Asked] = [
    *_form(
        "dncInsert",
        "/v1/dnc/insert",
        {**_NUMBER, "phone_number": NEW},
        {"reason": "other"},
    ),
    *_form(
        "dncUpdate", "/v1/dnc/update", {"id": "{id}", "reason": "new"}, {"reason": "o"}
    ),
    *_form(
        "dncDelete",
        "/v1/dnc/delete",
        {**_NUMBER, "phone_number": LISTED},
        {"phone_number": OTHER},
    ),
    *_form(
        "erase",
        "/v1/dnc/erase",
        {"phone_code": "1", "phone_number": LISTED},
        {"phone_number": OTHER},
    ),
    *_both_ways(
        Asked(
            "restoreEntry",
            "/v1/dnc/restore",
            {"id": "{ended}"},
            {"id": "{id}"},
            {"id": "none"},
        )
    ),
    *_form(
        "leadsInsert",
        "/v1/leads/insert",
        {"phone_number": NEW, "phone_code": "1", "campaign_id": CAMPAIGN},
        {"first_name": "Ada"},
    ),
    Asked(
        "importList",
        "/v1/dnc/import",
        {},
        {"body": f"{OTHER}\n"},
        {"body": f"{NO_NUMBER}\n"},
        sent_as="file",
        body=f"{NEW}\n",
    ),
    Asked(
        "addNumber",
        "/api/dnc/add",
        {"phoneNumber": f"+1{NEW}", "type": "asked"},
        {"phoneNumber": f"+1{OTHER}"},
        {"phoneNumber": NO_NUMBER},
        sent_as="json",
    ),
    Asked(
        "deleteRecord",
        "/api/dnc/delete/{id:024x}",
        {},
        {"path": "/api/dnc/delete/00000000000000000000000f"},
        {"path": "/api/dnc/delete/none"},
        sent_as="query",
        method="DELETE",
    ),
    Asked(
        "enableDisable",
        "/api/dnc/enable-disable",
        {"enable": False},
        {"enable": True},
        {"enable": "no"},
        sent_as="json",
    ),
    *_pdnc("add", NEW),
    *_pdnc("remove", LISTED),
    *(
        asked
        for name, path in (
            ("nonAgentApi", "/vicidial/non_agent_api.php"),
            ("rootNonAgentApi", "/non_agent_api.php"),
        )
        for function, number in (
            ("add_dnc_phone", NEW),
            ("delete_dnc_phone", LISTED),
            ("add_fpg_phone", NEW),
            ("delete_fpg_phone", LISTED),
        )
        for asked in _page(name, path, function, number)
    ),
]

# Each kind of change, and each dialect's way; the others are read by the same code.
REPRESENTATIVE = [
    asked
    for asked in CHANGING
    if asked.name
    in {
        "dncInsert",
        "dncDeleteByQuery",
        "importList",
        "addNumber",
        "deleteRecord",
        "internalDnc add",
        "nonAgentApiByQuery delete_dnc_phone",
    }
]


@dataclass(frozen=True)
class Client:
    """Sends rows of CHANGING for one organisation, by one token and its user."""

    api: Api
    user: str
    token: str
    ids: Mapping[str, int] = field(default_factory=dict)

    def send(self, asked: Asked, key: str | None = None, **more: Any) -> Any:
        """Send *asked*; *more* are settings of ``requests``."""
        headers = {} if key is None else {KEY: key}
        path = asked.path.format(id=self.ids.get("id", 0))
        fields: dict[str, object] = {
            name: value.format(**self.ids) if isinstance(value, str) else value
            for name, value in asked.fields.items()
        }
        if path.startswith("/app/"):
            headers["loginId"] = self.token
        elif path.endswith(".php"):
            fields |= {"user": self.user, "pass": self.token}
        elif asked.sent_as in {"form", "query"} and not path.startswith("/api/"):
            fields["auth_token"] = self.token
        else:
            headers["Authorization"] = f"Bearer {self.token}"
        sent: dict[str, Any] = {"headers": headers, "timeout": 20}
        match asked.sent_as:
            case "form":
                sent["data"] = fields
            case "query":
                sent["params"] = fields
            case "json":
                sent["data"] = json.dumps(fields)
                headers["Content-Type"] = "application/json"
            case "file":
                sent |= {"data": asked.body, "params": fields}
                headers["Content-Type"] = "text/csv"
        sent |= more
        url = self.api.base + path
        return requests.request(asked.method, url, **sent)  # noqa: S113  it is in *sent*

    def with_grants(self, grants: Collection[Grant]) -> "Client":
        """Return another token's client of the same organisation."""
        return make_client(self.api, grants, self.ids)


def make_client(
    api: Api,
    grants: Collection[Grant] = EVERY_GRANT,
    ids: Mapping[str, int] | None = None,
) -> Client:
    user = f"keyed{next(_names)}"
    token = api.services.access.issue(api.caller, user, grants, user=user)
    return Client(api, user, token, ids or {})


def prepare(api: Api) -> Client:
    """Return a client of an organisation with what every row needs to be done."""
    api.add_campaign(CAMPAIGN)
    group = Campaign(0, GROUP, "VIPs", FILTER_PHONE_GROUP)
    api.services.campaigns.add(api.caller, None, group)
    api.insert(LISTED, campaign_id=GROUP)
    ended = api.insert(OTHER)
    api.call("dnc/delete", phone_number=OTHER, phone_code=1, campaign_id=0)
    return make_client(api, ids={"id": api.insert(LISTED), "ended": ended})


# What the page of VICIdial, which always answers 200, says in a status's place.
LINES = {
    400: "ERROR: INVALID IDEMPOTENCY KEY\n",
    409: "ERROR: A REQUEST WITH THIS IDEMPOTENCY KEY IS BEING CARRIED OUT, TRY AGAIN\n",
    422: "ERROR: THIS IDEMPOTENCY KEY WAS USED WITH ANOTHER REQUEST\n",
}


def require_refusal(answer: Any, status: int) -> None:
    """Fail unless *answer* refuses with *status* in the form of its dialect."""
    path = answer.request.path_url
    kind = answer.headers["Content-Type"]
    assert REPLAYED not in answer.headers
    if ".php" in path:
        assert (answer.status_code, answer.text) == (200, LINES[status])
        assert kind == "text/html; charset=utf-8"
        return
    assert answer.status_code == status, (answer.status_code, answer.text)
    if path.startswith("/app/"):
        assert kind == "text/plain; charset=utf-8"
        assert answer.text.isprintable()
        assert answer.text
    elif path.startswith("/api/"):
        body = answer.json()
        assert (body["status"], body["code"], body["message"]) == (False, status, "")
        assert body["errorMessage"]
    else:
        body = answer.json()
        assert (body["success"], body["code"]) == (False, status)
        assert body["text"] == body["message"] != ""


def require_same(first: Any, again: Any) -> None:
    """Fail unless *again* is *first*, byte for byte, and says that it was replayed."""
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert again.status_code == first.status_code
    assert again.content == first.content
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
