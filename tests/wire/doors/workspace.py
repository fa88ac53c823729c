"""The bearer-token JSON API."""

from collections.abc import Mapping
from urllib.parse import urlencode

import requests

from tests.wire.doors.door import NANP, SECONDS, Door, Lookup, Said, bearer


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
        return Said(said["status"], said["message"] or said["errorMessage"])

    def _request(self, method: str, path: str, **body: object) -> requests.Response:
        return requests.request(
            method,
            f"{self.keys.base}/api/dnc/{path}",
            headers=bearer(self.keys),
            timeout=SECONDS,
            **body,
        )
