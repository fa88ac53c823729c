"""Convoso's form API."""

from collections.abc import Mapping

import requests

from tests.wire.doors.door import NANP, SECONDS, Door, Lookup, Said


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
