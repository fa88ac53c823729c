"""A client of DNCScrub's two calls, in each way in which one may send them."""

from typing import Any

import requests

from tests.wire.service import Api

TEXT = "text/plain; charset=utf-8"
CSV = "text/csv"
NUMBER = "5551234567"
OTHER = "5557654321"

Answer = tuple[int, str, str]


def send(api: Api, call: str, way: str = "form", **fields: Any) -> requests.Response:
    """Send *fields* in that way, the loginId as a header unless it is a field."""
    url = f"{api.base}/app/main/rpc/{call}"
    headers = {} if "loginId" in fields else {"loginId": api.token}
    ways: dict[str, dict[str, Any]] = {
        "query": {"params": fields},
        "form": {"data": fields},
        "json": {"json": fields},
        "multipart": {"files": {name: (None, text) for name, text in fields.items()}},
        "file": {
            "files": {
                name: ("list.csv", text) if name == "phoneList" else (None, text)
                for name, text in fields.items()
            }
        },
    }
    method = "GET" if way == "query" else "POST"
    return api.session.request(method, url, headers=headers, timeout=30, **ways[way])


WAYS = ("query", "form", "json", "multipart", "file")


def pdnc(api: Api, action: str, numbers: str = "", **fields: Any) -> requests.Response:
    """Ask something of the internal list, as a form."""
    if numbers:
        fields["phoneList"] = numbers
    return send(api, "pdnc", actionType=action, **fields)


def add(api: Api, numbers: str, **fields: Any) -> None:
    assert essence(pdnc(api, "add", numbers, **fields)) == (200, TEXT, "")


def remove(api: Api, numbers: str, **fields: Any) -> None:
    assert essence(pdnc(api, "remove", numbers, **fields)) == (200, TEXT, "")


def scrub(api: Api, numbers: str, **fields: Any) -> list[list[str]]:
    """Return the columns of each line that answers a scrub as CSV."""
    answer = send(api, "scrub", phoneList=numbers, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.text.endswith("\n")
    return [line.split(",") for line in answer.text[:-1].split("\n")]


def codes(api: Api, numbers: str, **fields: Any) -> str:
    """Return the result code of each number."""
    return "".join(columns[1] for columns in scrub(api, numbers, **fields))


def essence(answer: requests.Response) -> Answer:
    answer.encoding = "utf-8"
    return answer.status_code, answer.headers["Content-Type"], answer.text


def listed(api: Api, number: str, campaign: object = "") -> bool:
    """Whether the question that every dialer asks says that it may not be called."""
    body = api.call(
        "dnc/check", phone_number=number, phone_code="1", campaign_id=campaign
    )
    return body["data"]["callable"] is False
