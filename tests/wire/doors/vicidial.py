"""VICIdial's Non-Agent API, and its filter of inbound calls."""

from collections.abc import Mapping
from urllib.parse import quote

import requests

from tests.wire.doors.door import SECONDS, Door, Lookup, Said


class Vicidial(Door):
    """The URLs of VICIdial's documentation; it has no way to count."""

    def add(self, number: str, campaign: str | None = None) -> Said:
        return self._change("add_dnc_phone", number, campaign or "SYSTEM_INTERNAL")

    def delete(self, number: str, campaign: str | None = None) -> Said:
        return self._change("delete_dnc_phone", number, campaign or "SYSTEM_INTERNAL")

    def lookups(self) -> Mapping[str, Lookup]:
        return {"check_phone_number": self._check, "filter": self._filter}

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

    def _filter(self, number: str, campaign: str | None) -> bool:
        answer = requests.get(
            f"{self.keys.base}/vicidial/filter"
            f"?user={self.keys.user}&pass={self.keys.token}"
            f"&phone={number}&campaign_id={campaign or 'SYSTEM_INTERNAL'}",
            timeout=SECONDS,
        )
        assert answer.status_code == 200, answer.text
        return {"1": True, "0": False}[answer.text]

    def _change(
        self, function: str, number: str, place: str, parameter: str = "campaign_id"
    ) -> Said:
        text = self._get(function, f"{quote(number)}&{parameter}={quote(place)}")
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
        return self._change("add_fpg_phone", number, campaign or "", "group")

    def delete(self, number: str, campaign: str | None = None) -> Said:
        return self._change("delete_fpg_phone", number, campaign or "", "group")

    def lookups(self) -> Mapping[str, Lookup]:
        return {}
