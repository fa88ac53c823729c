"""A client of the workspace dialect, and its answers as the contract writes them."""

from collections.abc import Mapping
from typing import Any

import requests

from tests.wire.service import Api

ADDED = "Phone number added to DNC successfully"
FETCHED = "DNC list fetched successfully"
DELETED = "DNC record deleted successfully"
SWITCHED = "DNC setting updated successfully"


def success(message: str, **more: object) -> dict[str, Any]:
    """Return the whole body of a success."""
    return {
        "message": message,
        "status": True,
        "code": 200,
        "errorMessage": "",
        **more,
    }


def refusal(status: int, text: str) -> dict[str, Any]:
    """Return the whole body of a refusal."""
    return {"message": "", "status": False, "code": status, "errorMessage": text}


def call(
    api: Api, method: str, path: str, headers: Mapping[str, str] | None = None, **sent
) -> requests.Response:
    """Send a request to ``/api/dnc/…`` as the organisation's client would."""
    return requests.request(
        method,
        f"{api.base}/api/dnc/{path}",
        headers={"Authorization": f"Bearer {api.token}", **(headers or {})},
        timeout=30,
        **sent,
    )


def add(api: Api, phone_number: object, **members: object) -> requests.Response:
    return call(api, "POST", "add", json={"phoneNumber": phone_number, **members})


def records(api: Api, **query: object) -> list[dict[str, str]]:
    """Return the records of one page of the list."""
    answer = call(api, "GET", "list", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, str]] = answer.json()["data"]["dncList"]
    return found


def delete(api: Api, record_id: object) -> requests.Response:
    return call(api, "DELETE", f"delete/{record_id}")


def switch(api: Api, **members: object) -> requests.Response:
    return call(api, "POST", "enable-disable", json=members)
