"""Two editions of the same answers: whose words hold, and what never differs."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
import requests

from app.bootstrap import build_services
from app.services.organisations import EVERY_GRANT, operator
from app.store.database import Database
from tests.conftest import make_organisation
from tests.wire.answers import refusal
from tests.wire.service import Api, serving

NUMBER = "5551234567"
DNC = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}
REPEATED = {
    "documented": (6007, "Duplicate entry"),
    "live": (6008, "The phone number already exists."),
}
# The contract's words for what the database cannot be asked.
FAILED = {
    "dnc/insert": (6056, "Insert operation failed"),
    "dnc/update": (6059, "Update operation failed"),
    "dnc/delete": (6004, "Delete operation failed"),
}


@pytest.mark.parametrize(
    "servers",
    [
        "live",
        *(pytest.param(each, marks=pytest.mark.soak) for each in ("documented", None)),
    ],
)
def test_the_server_s_edition_holds_for_organisations_that_have_none(
    servers, server, template, tmp_path, http_server
):
    setting = {"DNCD_EDITION_CONVOSO": servers} if servers else {}
    with (
        server.new_database(template) as url,
        serving(
            tmp_path, {"DATABASE_URL": url, **setting}, http_server, workers=1
        ) as service,
    ):
        database = Database(url, connections=2)
        services = build_services(database)
        for own in ("documented", "live", None):
            wanted = make_organisation(f"own {own}", edition=own or "")
            wanted = wanted if own else replace(wanted, editions={})
            caller = operator(services.organisations.add("test", wanted), "test")
            token = services.access.issue(caller, "everything", EVERY_GRANT)
            api = Api(service.base, token, caller, services)

            entry = api.insert(NUMBER)
            again = api.call("dnc/insert", **DNC)

            words = REPEATED[own or servers or "documented"]
            assert again == refusal(*words, id=entry), (own, servers)
        database.close()


def test_both_editions_block_the_same_numbers_and_refuse_the_same(make_api):
    asked = [
        DNC,
        DNC | {"reason": "DNC"},
        DNC | {"phone_number": "+1 (727) 555-1299"},
        DNC | {"phone_number": f"{NUMBER},5557654321"},
        DNC | {"phone_number": "555"},
        DNC | {"phone_code": "999"},
        DNC | {"campaign_id": "system_internal"},
        DNC | {"campaign_id": "-1"},
        DNC | {"campaign_id": "-1", "purpose": "telemkt"},
        DNC | {"reason": "-NOTBLANK-"},
    ]
    apis = [make_api(edition=edition) for edition in ("documented", "live")]

    told = [[a.call("dnc/insert", **f)["success"] for f in asked] for a in apis]
    listed = [
        [entry | {"id": ""} for entry in api.call("dnc/search")["data"]["entries"]]
        for api in apis
    ]

    assert told[0] == told[1]
    assert told[0].count(True) == len(listed[0]) == 3
    assert listed[0] == listed[1]


@pytest.mark.parametrize("edition", ["documented", "live"])
def test_a_list_that_cannot_be_reached_is_503_and_nothing_is_said_of_a_number(
    edition, make_api, service_database
):
    api = make_api(edition=edition)
    entry = api.insert(NUMBER)
    operations = ("dnc/insert", "dnc/update", "dnc/search", "dnc/delete")

    def send(operation: str) -> requests.Response:
        fields = {**DNC, "id": entry, "reason": "later"}
        client = replace(api, session=requests.Session())
        return client.send(operation, **fields)

    with psycopg.connect(service_database) as connection:
        connection.execute("LOCK TABLE dnc_entry IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(len(operations)) as pool:
            answers = dict(zip(operations, pool.map(send, operations), strict=True))

    for operation, answer in answers.items():
        body = answer.json()
        unworded = (503, "Service unavailable, try again")
        words = FAILED.get(operation, unworded) if edition == "documented" else unworded
        assert (answer.status_code, body) == (503, refusal(*words)), operation
        assert answer.headers["Content-Type"] == "application/json"
        assert re.fullmatch(r"[1-9][0-9]*", answer.headers["Retry-After"])
    assert [found["reason"] for found in api.search(phone_number=NUMBER)] == [""]
