"""
No check calls a listed number callable, however the question spells it.

The spellings are those of test_effective_block.py: each of them means the two numbers
that are listed here, one of the two, or none. A refusal is an answer as good as any.
"""

import csv
import io
from collections.abc import Callable
from urllib.parse import quote

import pytest
import requests

from tests.wire.doors.door import SECONDS, Keys, bearer
from tests.wire.test_effective_block import BOTH, SPELLINGS

Clears = Callable[[Keys, str], bool]


def check(keys: Keys, text: str) -> bool:
    fields = {"auth_token": keys.token, "phone_number": text, "phone_code": "1"}
    answer = requests.post(f"{keys.base}/v1/dnc/check", data=fields, timeout=SECONDS)
    body = answer.json()
    return body["success"] and body["data"]["callable"]


def check_by_query(keys: Keys, text: str) -> bool:
    fields = {"auth_token": keys.token, "phone_number": text, "phone_code": "1"}
    answer = requests.get(f"{keys.base}/v1/dnc/check", params=fields, timeout=SECONDS)
    body = answer.json()
    return body["success"] and body["data"]["callable"]


def check_batch(keys: Keys, text: str) -> bool:
    answer = requests.post(
        f"{keys.base}/v1/dnc/check/batch",
        json={"phone_code": "1", "numbers": [text]},
        headers=bearer(keys),
        timeout=SECONDS,
    )
    return answer.json()["data"]["counts"]["callable"] > 0


def scrub_file(keys: Keys, text: str) -> bool:
    leads = io.StringIO(newline="")
    csv.writer(leads, quoting=csv.QUOTE_ALL).writerows([["phone", "x"], [text, "x"]])
    answer = requests.post(
        f"{keys.base}/v1/dnc/scrub",
        data=leads.getvalue().encode(),
        headers={**bearer(keys), "Content-Type": "text/csv"},
        timeout=SECONDS,
    )
    return answer.status_code == 200 and ",callable," in answer.text


def check_phone_number(keys: Keys, text: str) -> bool:
    answer = requests.get(
        f"{keys.base}/vicidial/non_agent_api.php?source=test&user={keys.user}"
        f"&pass={keys.token}&function=check_phone_number&dnc_check=Y"
        f"&phone_number={quote(text)}",
        timeout=SECONDS,
    )
    return not answer.text.startswith("ERROR: ")


def inbound_filter(keys: Keys, text: str) -> bool:
    answer = requests.get(
        f"{keys.base}/vicidial/filter?user={keys.user}&pass={keys.token}"
        f"&phone={quote(text)}",
        timeout=SECONDS,
    )
    return answer.status_code == 200 and answer.text != "1"


def scrub_list(keys: Keys, text: str) -> bool:
    answer = requests.post(
        f"{keys.base}/app/main/rpc/scrub",
        data={"loginId": keys.token, "phoneList": text},
        timeout=SECONDS,
    )
    codes = [row[1] for row in csv.reader(io.StringIO(answer.text)) if len(row) > 1]
    assert (answer.status_code == 200) is bool(codes)
    return "C" in codes


@pytest.mark.parametrize(
    "clears",
    [
        check,
        check_by_query,
        check_batch,
        scrub_file,
        check_phone_number,
        inbound_filter,
        scrub_list,
    ],
)
def test_a_listed_number_is_not_called_callable_by(clears: Clears, doors):
    keys = doors["convoso"].keys
    clear_before = clears(keys, BOTH[0])
    for number in BOTH:
        assert doors["convoso"].add(number).success

    called_callable = [row.name for row in SPELLINGS if clears(keys, row.text)]

    assert (clear_before, called_callable) == (True, [])


Finds = Callable[[Keys, str], bool]


def search(keys: Keys, text: str) -> bool:
    fields = {"auth_token": keys.token, "phone_number": text, "phone_code": "1"}
    answer = requests.post(f"{keys.base}/v1/dnc/search", data=fields, timeout=SECONDS)
    return answer.json()["data"]["total"] == 1


def search_any_code(keys: Keys, text: str) -> bool:
    fields = {"auth_token": keys.token, "phone_number": text}
    answer = requests.post(f"{keys.base}/v1/dnc/search", data=fields, timeout=SECONDS)
    return answer.json()["data"]["total"] == 1


def workspace_list(keys: Keys, text: str) -> bool:
    answer = requests.get(
        f"{keys.base}/api/dnc/list",
        params={"search": text},
        headers=bearer(keys),
        timeout=SECONDS,
    )
    return answer.json()["data"]["pagination"]["total"] == 1


def status(keys: Keys, text: str) -> bool:
    answer = requests.get(
        f"{keys.base}/app/main/rpc/pdnc",
        params={"actionType": "status", "phoneList": text},
        headers={"loginId": keys.token},
        timeout=SECONDS,
    )
    return all(row[1] for row in csv.reader(io.StringIO(answer.text)))


@pytest.mark.parametrize(
    ("finds", "door"),
    [
        (search, "convoso"),
        (search_any_code, "convoso"),
        (workspace_list, "workspace"),
        (status, "dncscrub"),
    ],
)
def test_a_listed_number_is_found_in_every_spelling_in_which_it_can_be_added(
    finds: Finds, door: str, doors
):
    keys = doors["convoso"].keys
    spellings = [row for row in SPELLINGS if row.blocked_by(door) == BOTH[:1]]
    found_before = finds(keys, BOTH[0])
    doors["convoso"].add(BOTH[0])

    missed = [row.name for row in spellings if not finds(keys, row.text)]

    assert (found_before, missed) == (False, [])
    assert len(spellings) > 10
