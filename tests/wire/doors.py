"""
Each dialect as its users drive it: with plain ``requests``, a connection a request.

A door is one organisation's client of one dialect. Whatever it is answered is a success
or an error in that dialect's own words; an answer that is neither of them fails the
test that got it, and so does a look-up that says neither "listed" nor "not listed".
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import requests

SECONDS = 20
NANP = "1"

Lookup = Callable[[str, str | None], bool]


@dataclass(frozen=True)
class Said:
    """What a dialect answered to a change, told apart by its own words."""

    success: bool
    words: str


@dataclass(frozen=True)
class Keys:
    """Where the service is, and what opens it: a token, and its user for VICIdial."""

    base: str
    token: str
    user: str


@dataclass(frozen=True)
class Door:
    """
    A dialect's client; what the dialect has no word for it has no method for.

    *campaign* is a campaign's code or id, None the list of the whole organisation.
    """

    keys: Keys

    def add(self, number: str, campaign: str | None = None) -> Said:
        """Put a number on a list."""
        raise NotImplementedError

    def is_listed(self, number: str, campaign: str | None = None) -> bool:
        """Tell whether the dialect's principal look-up says that a number is listed."""
        lookup: Lookup = next(iter(self.lookups().values()))
        return lookup(number, campaign)

    def lookups(self) -> Mapping[str, Lookup]:
        """Return by name every way in which this dialect tells of a number."""
        raise NotImplementedError


class Convoso(Door):
    """Forms with a token among them; HTTP 200 whatever is said of the content."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        return self._send("insert", campaign, phone_number=number, phone_code=NANP)

    def delete(self, number: str, campaign: str | None = None) -> Said:
        return self._send("delete", campaign, phone_number=number, phone_code=NANP)

    def count(self, campaign: str | None = None) -> int:
        return len(self._find(campaign))

    def lookups(self) -> Mapping[str, Lookup]:
        return {"search": self._search, "search in any code": self._search_any_code}

    def _search(self, number: str, campaign: str | None) -> bool:
        found = self._find(campaign, phone_number=number, phone_code=NANP)
        assert all(entry["phone_number"] == number for entry in found), found
        return bool(found)

    def _search_any_code(self, number: str, campaign: str | None) -> bool:
        return bool(self._find(campaign, phone_number=number))

    def _find(self, campaign: str | None, **fields: str) -> list[dict[str, str]]:
        body = self._post("search", campaign, fields)
        assert body["success"] is True, body
        found: list[dict[str, str]] = body["data"]["entries"]
        assert body["data"]["total"] == len(found)
        return found

    def _send(self, operation: str, campaign: str | None, **fields: str) -> Said:
        body = self._post(operation, campaign, fields)
        if body["success"] is True:
            assert body.keys() <= {"success", "id"}, body
            return Said(success=True, words="success")
        assert body["success"] is False
        assert type(body["code"]) is int
        assert body["text"] == body["message"] != ""
        return Said(success=False, words=f"{body['code']} {body['text']}")

    def _post(
        self, operation: str, campaign: str | None, fields: Mapping[str, str]
    ) -> dict:
        own = {"auth_token": self.keys.token, "campaign_id": campaign or "0"}
        url = f"{self.keys.base}/v1/dnc/{operation}"
        answer = requests.post(url, data={**own, **fields}, timeout=SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()


class Native(Door):
    """dncd's own: a file in, a file out, and checks. It has no way to delete."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        body = _csv([["phone_number"], [number]])
        answer = self._post_file("import", body, campaign)
        said = answer.json()
        if said["success"] is True:
            assert answer.status_code == 200
            assert said["data"]["outcome"] in {"stored", "unchanged"}, said
            return Said(success=True, words=said["data"]["outcome"])
        assert said["success"] is False
        return Said(success=False, words=f"{said['code']} {said['text']}")

    def count(self, campaign: str | None = None) -> int:
        return len(self._export(campaign))

    def lookups(self) -> Mapping[str, Lookup]:
        return {
            "check": self._check,
            "batch": self._batch,
            "scrub": self._scrub,
            "export": self._is_exported,
        }

    def _check(self, number: str, campaign: str | None) -> bool:
        fields = {"phone_number": number, "phone_code": NANP}
        url = f"{self.keys.base}/v1/dnc/check"
        own = {"auth_token": self.keys.token, "campaign_id": campaign or ""}
        answer = requests.post(url, data={**own, **fields}, timeout=SECONDS)
        return {True: False, False: True}[_data(answer)["callable"]]

    def _batch(self, number: str, campaign: str | None) -> bool:
        body = {"phone_code": NANP, "numbers": [number], "campaign_id": campaign or ""}
        url = f"{self.keys.base}/v1/dnc/check/batch"
        answer = requests.post(
            url, json=body, headers=_bearer(self.keys), timeout=SECONDS
        )
        counts = _data(answer)["counts"]
        assert counts["callable"] + counts["listed"] == 1, counts
        return counts["listed"] == 1

    def _scrub(self, number: str, campaign: str | None) -> bool:
        body = _csv([["name", "phone"], ["Ada", number]])
        answer = self._post_file("scrub", body, campaign)
        (lead,) = csv.DictReader(io.StringIO(answer.text, newline=""))
        return {"listed": True, "callable": False}[lead["dnc_status"]]

    def _is_exported(self, number: str, campaign: str | None) -> bool:
        return number in self._export(campaign)

    def _export(self, campaign: str | None) -> list[str]:
        answer = requests.get(
            f"{self.keys.base}/v1/dnc/export",
            params={"campaign_id": campaign or "0"},
            headers=_bearer(self.keys),
            timeout=SECONDS,
        )
        assert answer.status_code == 200, answer.text
        rows = csv.DictReader(io.StringIO(answer.text, newline=""))
        return [row["phone_number"] for row in rows]

    def _post_file(
        self, operation: str, body: bytes, campaign: str | None
    ) -> requests.Response:
        return requests.post(
            f"{self.keys.base}/v1/dnc/{operation}",
            params={"campaign_id": campaign} if campaign else {},
            data=body,
            headers={**_bearer(self.keys), "Content-Type": "text/csv"},
            timeout=SECONDS,
        )


class Vicidial(Door):
    """The URLs of VICIdial's documentation; it has no way to count."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        return self._change("add_dnc_phone", number, campaign or "SYSTEM_INTERNAL")

    def delete(self, number: str, campaign: str | None = None) -> Said:
        return self._change("delete_dnc_phone", number, campaign or "SYSTEM_INTERNAL")

    def lookups(self) -> Mapping[str, Lookup]:
        return {"check_phone_number": self._check}

    def _check(self, number: str, campaign: str | None) -> bool:
        asked = f"&campaign_dnc_check=Y&campaign_id={campaign}" if campaign else ""
        text = self._get("check_phone_number", f"{number}&dnc_check=Y{asked}")
        user = self.keys.user
        said = "ERROR: check_phone_number PHONE NUMBER IN"
        listed = {
            f"{said} DNC - {number}|{user}\n",
            f"{said} CAMPAIGN DNC - {number}|{campaign}|{user}\n",
        }
        clean = text.startswith("AREACODE: 1|") and text.endswith(
            f"#PHONE: {number}|1||||\n"
        )
        assert clean != (text in listed), text
        return not clean

    def _change(self, function: str, number: str, campaign: str) -> Said:
        text = self._get(function, f"{quote(number)}&campaign_id={quote(campaign)}")
        kind, spoken, *_ = text.split(" ")
        assert (kind, spoken) in {("SUCCESS:", function), ("ERROR:", function)}, text
        return Said(success=kind == "SUCCESS:", words=text)

    def _get(self, function: str, rest: str) -> str:
        answer = requests.get(
            f"{self.keys.base}/vicidial/non_agent_api.php?source=test"
            f"&user={self.keys.user}&pass={self.keys.token}"
            f"&function={function}&phone_number={rest}",
            timeout=SECONDS,
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.text.endswith("\n")
        assert answer.text.count("\n") == 1, answer.text
        return answer.text


class Group(Vicidial):
    """VICIdial's filter phone groups: named lists, which it cannot look up."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        return self._change("add_fpg_phone", number, campaign or "")

    def delete(self, number: str, campaign: str | None = None) -> Said:
        return self._change("delete_fpg_phone", number, campaign or "")

    def lookups(self) -> Mapping[str, Lookup]:
        return {}

    def _change(self, function: str, number: str, campaign: str) -> Said:
        return super()._change(function, f"{number}&group={campaign}", "")


class Workspace(Door):
    """JSON with a bearer token, in one envelope; it knows no campaigns."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        body = {"phoneNumber": number, "type": "customer_request"}
        if campaign is not None:
            body["campaign_id"] = campaign
        return self._call("POST", "add", json=body)

    def delete(self, number: str, campaign: str | None = None) -> Said:
        assert campaign is None
        (entry,) = self._list(number)
        return self._call("DELETE", f"delete/{entry['_id']}")

    def count(self, campaign: str | None = None) -> int:
        assert campaign is None
        total: int = self._read("")["pagination"]["total"]
        return total

    def lookups(self) -> Mapping[str, Lookup]:
        return {"list": lambda number, _: bool(self._list(number))}

    def _list(self, number: str) -> list[dict[str, str]]:
        return [
            entry
            for entry in self._read(number)["dncList"]
            if entry["phoneNumber"].removeprefix("+").removeprefix(NANP) == number
        ]

    def _read(self, search: str) -> dict:
        query = urlencode({"page": 1, "limit": 10, "search": search})
        answer = self._request("GET", f"list?{query}")
        body = answer.json()
        assert (answer.status_code, body["status"]) == (200, True), body
        return body["data"]

    def _call(self, method: str, path: str, **body: object) -> Said:
        answer = self._request(method, path, **body)
        said = answer.json()
        assert said["code"] == answer.status_code, said
        assert said["status"] is (answer.status_code == 200), said
        assert bool(said["errorMessage"]) is not said["status"], said
        return Said(said["status"], f"{said['code']} {json.dumps(said)}")

    def _request(self, method: str, path: str, **body: object) -> requests.Response:
        return requests.request(
            method,
            f"{self.keys.base}/api/dnc/{path}",
            headers=_bearer(self.keys),
            timeout=SECONDS,
            **body,
        )


class Dncscrub(Door):
    """The Internal DNC list and the list scrub, with the key in header or form."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        return self._change("add", number, campaign)

    def delete(self, number: str, campaign: str | None = None) -> Said:
        return self._change("remove", number, campaign)

    def count(self, campaign: str | None = None) -> int:
        ((numbers, _),) = self._ask("pdnc", campaign, actionType="count")
        return int(numbers)

    def lookups(self) -> Mapping[str, Lookup]:
        return {
            "scrub": self._scrub,
            "scrub as json": self._scrub_json,
            "scrub as xml": self._scrub_xml,
            "status": self._status,
        }

    def _scrub(self, number: str, campaign: str | None) -> bool:
        rows = self._ask("scrub", campaign, phoneList=number, version="5")
        (code,) = [row[1] for row in rows if row[0] == number]
        return _is_blocked(code)

    def _scrub_json(self, number: str, campaign: str | None) -> bool:
        text = self._get("scrub", campaign, phoneList=number, output="json").text
        (row,) = json.loads(text)
        assert row["Phone"] == number
        return _is_blocked(row["ResultCode"])

    def _scrub_xml(self, number: str, campaign: str | None) -> bool:
        text = self._get("scrub", campaign, phoneList=number, output="xml").text
        (code,) = ET.fromstring(text).iter("ResultCode")  # noqa: S314  our own
        return _is_blocked(code.text or "")

    def _status(self, number: str, campaign: str | None) -> bool:
        rows = self._ask("pdnc", campaign, actionType="status", phoneList=number)
        ((asked, inserted, _),) = rows
        assert asked == number
        return bool(inserted)

    def _change(self, action: str, number: str, campaign: str | None) -> Said:
        fields = {"loginId": self.keys.token, "actionType": action, "phoneList": number}
        project = {"projId": campaign} if campaign is not None else {}
        answer = requests.post(
            f"{self.keys.base}/app/main/rpc/pdnc",
            data={**fields, **project},
            timeout=SECONDS,
        )
        if answer.status_code == 200:
            assert answer.content == b""
            return Said(success=True, words="200")
        assert answer.status_code == 400, answer.text
        assert answer.text
        return Said(success=False, words=f"400 {answer.text}")

    def _ask(self, path: str, campaign: str | None, **query: str) -> list[list[str]]:
        answer = self._get(path, campaign, **query)
        assert answer.headers["Content-Type"].startswith("text/csv")
        return list(csv.reader(io.StringIO(answer.text, newline="")))

    def _get(self, path: str, campaign: str | None, **query: str) -> requests.Response:
        answer = requests.get(
            f"{self.keys.base}/app/main/rpc/{path}",
            params={**query, **({"projId": campaign} if campaign else {})},
            headers={"loginId": self.keys.token},
            timeout=SECONDS,
        )
        assert answer.status_code == 200, answer.text
        return answer


def _bearer(keys: Keys) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.token}"}


def _data(answer: requests.Response) -> dict:
    """Return what a success of the native dialect holds."""
    body = answer.json()
    assert (answer.status_code, body["success"]) == (200, True), body
    return body["data"]


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


def _is_blocked(code: str) -> bool:
    return {"P": True, "C": False}[code]


DOORS: Mapping[str, type[Door]] = {
    "convoso": Convoso,
    "native": Native,
    "vicidial": Vicidial,
    "workspace": Workspace,
    "dncscrub": Dncscrub,
}

# VICIdial's API cannot count, dncd's own cannot delete.
COUNTERS = ["convoso", "native", "workspace", "dncscrub"]
DELETERS = ["convoso", "vicidial", "workspace", "dncscrub"]
