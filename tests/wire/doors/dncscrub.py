"""DNCScrub's internal list and its scrub."""

import csv
import io
import json
from collections.abc import Mapping
from xml.etree import ElementTree as ET

import requests

from tests.wire.doors.door import SECONDS, Door, Lookup, Said


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


def _is_blocked(code: str) -> bool:
    return {"P": True, "C": False}[code]
