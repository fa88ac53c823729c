"""The embedded database dies, and with it nothing that was acknowledged."""

import json
import os
import signal

import pytest
import requests

from tests.waiting import require
from tests.wire.service import Service, serving

# It is started at once; PostgreSQL's own recovery takes as long as the disk makes it.
RECOVERY_SECONDS = 20

NUMBERS = [f"55512301{n:02}" for n in range(3)]


def post(service: Service, token: str, operation: str, number: str) -> int:
    form = {"auth_token": token, "phone_number": number, "phone_code": 1}
    url = f"{service.base}/v1/dnc/{operation}"
    return requests.post(url, data=form | {"campaign_id": 0}, timeout=20).status_code


@pytest.mark.both_servers(second="soak")
def test_an_embedded_database_that_was_killed_is_there_again(tmp_path, http_server):
    told = tmp_path / "data" / "postgres.json"
    with serving(tmp_path, {}, http_server, workers=2) as service:
        token = (tmp_path / "data" / "token").read_text().strip()
        for number, ending in zip(
            NUMBERS, (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT), strict=True
        ):
            killed = json.loads(told.read_text())["postgres_pid"]
            assert post(service, token, "insert", number) == 200

            os.kill(killed, ending)

            require(
                lambda killed=killed: (
                    json.loads(told.read_text())["postgres_pid"] != killed
                ),
                RECOVERY_SECONDS,
            )
            require(
                lambda: (
                    {post(service, token, "search", NUMBERS[0]) for _ in range(8)}
                    == {200}
                ),
                RECOVERY_SECONDS,
            )

        found = requests.post(
            f"{service.base}/v1/dnc/search", data={"auth_token": token}, timeout=20
        )
        listed = {entry["phone_number"] for entry in found.json()["data"]["entries"]}
        assert listed == set(NUMBERS)
    assert service.process.returncode == 0
