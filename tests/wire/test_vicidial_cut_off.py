"""VICIdial's page without its database: 503, and never a false answer."""

import time

import pytest
import requests

from app.domain.access import new_secret
from app.domain.scopes import FILTER_PHONE_GROUP, Campaign
from app.services.organisations import EVERY_GRANT
from tests.waiting import require, require_soon
from tests.wire.service import CUT_OFF_SECONDS, Reached
from tests.wire.tcp_proxy import Mode
from tests.wire.vicidial import (
    GROUP,
    NUMBER,
    OTHER,
    OWN,
    Box,
    require_headers,
    with_user,
)

FUNCTIONS = {
    "add_dnc_phone": {"phone_number": OTHER, "campaign_id": OWN},
    "delete_dnc_phone": {"phone_number": NUMBER, "campaign_id": OWN},
    "check_phone_number": {"phone_number": NUMBER, "dnc_check": "Y"},
    "add_fpg_phone": {"phone_number": OTHER, "group": GROUP},
    "delete_fpg_phone": {"phone_number": NUMBER, "group": GROUP},
}


@pytest.fixture(scope="module")
def box(reached: Reached) -> Box:
    """A box with one entry; every worker remembers its user."""
    api = reached.api
    group = Campaign(0, GROUP, "VIPs", FILTER_PHONE_GROUP)
    api.services.campaigns.add(api.caller, None, group)
    api.insert(NUMBER)
    return with_user(api, "documented", EVERY_GRANT)


def unavailable(answer: requests.Response, text: str) -> None:
    assert (answer.status_code, answer.text) == (503, text)
    assert int(answer.headers["Retry-After"]) > 0
    require_headers(answer)


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE], ids=lambda m: m.value)
def test_without_the_database_nothing_is_said_of_any_number(mode, box, reached):
    require(lambda: {box.filters(phone=NUMBER).text for _ in range(12)} == {"1"})
    reached.proxy.mode = mode
    try:
        for function, fields in FUNCTIONS.items():
            asked = time.monotonic()
            answer = box.send(function, **fields)
            took = time.monotonic() - asked
            line = f"ERROR: {function} SERVICE UNAVAILABLE, TRY AGAIN\n"
            unavailable(answer, line)
            require_soon(took, CUT_OFF_SECONDS, function)
        unavailable(
            box.filters(phone=NUMBER), "ERROR: SERVICE UNAVAILABLE, TRY AGAIN\n"
        )
        wrong = {"pass": new_secret()}
        unavailable(
            box.send("add_lead", **wrong), "ERROR: SERVICE UNAVAILABLE, TRY AGAIN\n"
        )
        assert box.say("version").startswith("VERSION: ")
    finally:
        reached.proxy.mode = Mode.PASS
    require(lambda: {box.filters(phone=NUMBER).status_code for _ in range(12)} == {200})

    assert box.filters(phone=NUMBER).text == "1"
    assert box.filters(phone=OTHER, group=GROUP).text == "0"
    assert box.listed() == [(f"1{NUMBER}", "0")]
