"""dncd's own protocol."""

import csv
import io
from collections.abc import Mapping

import requests

from tests.wire.doors.door import NANP, SECONDS, Door, Lookup, Said, bearer


class Native(Door):
    """dncd's own: a file in, a file out, and checks. It has no way to delete."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        body = _csv([["phone_number"], [number]])
        answer = self._post_file("import", body, campaign)
        said = answer.json()
        if said["success"] is False:
            return Said(success=False, words=f"{said['code']} {said['text']}")
        assert (answer.status_code, said["success"]) == (200, True), said
        # A file without a number is read in vain, and says so.
        outcome, read = said["data"]["outcome"], said["data"]["read"]
        assert (outcome, read) in {("stored", 1), ("unchanged", 1), ("unchanged", 0)}
        return Said(success=read == 1, words=f"{read} {outcome}")

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
            url, json=body, headers=bearer(self.keys), timeout=SECONDS
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
            headers=bearer(self.keys),
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
            headers={**bearer(self.keys), "Content-Type": "text/csv"},
            timeout=SECONDS,
        )


def _data(answer: requests.Response) -> dict:
    """Return what a success of the native dialect holds."""
    body = answer.json()
    assert (answer.status_code, body["success"]) == (200, True), body
    return body["data"]


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()
