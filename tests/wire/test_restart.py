"""The service on its own PostgreSQL: what it keeps, and whom it shares it with."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.wire import command
from tests.wire.service import Service, free_port, serving

NUMBERS = [f"55512300{n:02}" for n in range(20)]
LEADS = """\
phone_number,phone_code,campaign_id,status,first_name,last_name
5551230001,1,SPRING,NEW,Ada,Lovelace
(555) 123-0002,1,SPRING,,Grace,Hopper
"""


def token_file(folder: Path) -> Path:
    return folder / "data" / "token"


def call(service: Service, token: str, operation: str, **fields: Any) -> Any:
    answer = requests.post(
        f"{service.base}/v1/{operation}",
        data={"auth_token": token, "phone_code": "1", **fields},
        timeout=20,
    )
    assert answer.ok, answer.text
    return answer.json()


def search(service: Service, token: str, operation: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = call(service, token, operation)["data"]["entries"]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, http_server: str) -> Path:
    del http_server  # each has a folder of its own
    return tmp_path_factory.mktemp("embedded")


@pytest.fixture(scope="module")
def running(folder: Path, http_server: str) -> Iterator[Service]:
    """A service without DATABASE_URL, which most tests here share."""
    with serving(folder, {}, http_server) as service:
        yield service


@pytest.mark.soak
@pytest.mark.both_servers(second="soak")
def test_entries_leads_and_tokens_are_there_again_whatever_ended_the_service(
    tmp_path, http_server
):
    with serving(tmp_path, {}, http_server) as service:
        secret = token_file(tmp_path).read_text().strip()
        default = ["--organisation", "default"]
        campaign = ["campaign", "add", *default, "--uid", "SPRING", "--name", "Spring"]
        command.done(campaign, tmp_path)
        narrow = ["token", "add", *default, "--name", "narrow", "--grants", "read"]
        reader = command.done(narrow, tmp_path)
        for number in NUMBERS:
            call(service, secret, "dnc/insert", phone_number=number, campaign_id=0)
        lead = {"phone_number": NUMBERS[0], "campaign_id": "SPRING"}
        call(service, secret, "leads/insert", **lead)
        entries = search(service, secret, "dnc/search")
        leads = search(service, secret, "leads/search")
        end(service, signal.SIGKILL)
    assert (len(entries), len(leads)) == (len(NUMBERS), 1)

    for ending in (signal.SIGTERM, signal.SIGKILL):
        with serving(tmp_path, {}, http_server) as service:
            assert token_file(tmp_path).read_text().strip() == secret
            assert search(service, secret, "dnc/search") == entries
            assert search(service, reader, "leads/search") == leads
            again = {"phone_number": NUMBERS[0], "campaign_id": 0}
            refusal = call(service, secret, "dnc/insert", **again)
            assert str(refusal["id"]) == entries[0]["id"]
            end(service, ending)


def end(service: Service, ending: signal.Signals) -> None:
    service.process.send_signal(ending)
    service.process.wait(40)


def test_the_first_start_makes_a_token_that_nobody_else_can_read(running, folder):
    file = token_file(folder)

    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_text().strip()
    assert search(running, secret, "status/search")
    assert secret not in running.log.read_text()


@pytest.mark.both_servers(second="soak")
def test_a_second_service_on_the_same_data_is_refused_and_disturbs_nobody(
    running, folder
):
    secret = token_file(folder).read_text().strip()
    number = {"phone_number": "5559990000", "campaign_id": 0}
    entry = call(running, secret, "dnc/insert", **number)

    second = command.run(["serve", "--port", str(free_port())], folder)

    assert second.returncode not in {0, -9, -15}
    (message,) = second.stderr.strip().splitlines()
    assert str(folder / "data") in message
    assert "Traceback" not in second.stdout
    assert call(running, secret, "dnc/insert", **number)["id"] == entry["id"]
    assert requests.get(f"{running.base}/readyz", timeout=5).ok
    assert running.process.poll() is None


def use_every_command(folder: Path, name: str) -> tuple[str, str]:
    """Run each command on a new organisation; return a token, and a revoked one."""
    file = folder / f"{name}.csv"
    file.write_text(LEADS)
    command.done(["migrate"], folder)
    command.done(["organisation", "add", name, "--time-zone", "Europe/Rome"], folder)
    ours = ["--organisation", name]
    grants = ["--grants", "read,insert,delete"]

    def add_token(label: str) -> str:
        return command.done(["token", "add", *ours, "--name", label, *grants], folder)

    def add_campaign() -> str:
        words = ["--id", "7", "--uid", "SPRING", "--name", "Spring sale"]
        return command.done(["campaign", "add", *ours, *words], folder)

    # Also two commands at once are a thing that happens.
    with ThreadPoolExecutor() as pool:
        tokens = pool.map(add_token, ["kept", "ended"])
        campaign = pool.submit(add_campaign)
        command.done(["purpose", "add", *ours, "RAFFLE"], folder)
        command.done(["status", "add", *ours, "COLD", "Gone cold"], folder)
        kept, ended = tokens
        assert campaign.result() == "7"
    assert command.done(["lead", "import", *ours, str(file)], folder)
    command.done(["token", "revoke", *ours, "ended"], folder)
    told = command.done(["token", "list", *ours], folder)
    assert "kept" in told
    assert kept not in told
    return kept, ended


def require_what_the_commands_made(service: Service, kept: str, ended: str) -> None:
    refused = requests.post(
        f"{service.base}/v1/dnc/search", data={"auth_token": ended}, timeout=20
    )
    assert refused.status_code == 401
    leads = search(service, kept, "leads/search")
    assert [lead["phone_number"] for lead in leads] == ["5551230001", "5551230002"]
    assert {lead["campaign_uid"] for lead in leads} == {"SPRING"}
    assert "COLD" in {one["status"] for one in search(service, kept, "status/search")}
    raffle = {"phone_number": NUMBERS[0], "campaign_id": -1, "purpose": "RAFFLE"}
    assert call(service, kept, "dnc/insert", **raffle)["success"] is True


def test_every_command_works_while_the_service_runs(running, folder):
    kept, ended = use_every_command(folder, "during")

    require_what_the_commands_made(running, kept, ended)


@pytest.mark.soak
def test_every_command_works_after_the_service_stopped(tmp_path, http_server):
    with serving(tmp_path, {}, http_server):
        pass

    kept, ended = use_every_command(tmp_path, "after")

    with serving(tmp_path, {}, http_server) as service:
        require_what_the_commands_made(service, kept, ended)


@pytest.mark.usefixtures("running")
def test_a_command_that_cannot_be_carried_out_says_why_in_one_line(folder):
    refused = [
        ["organisation", "add", "default"],
        ["token", "list", "--organisation", "nobody"],
        ["token", "revoke", "--organisation", "default", "nothing"],
        ["campaign", "add", "--organisation", "default", "--uid", "0", "--name", "x"],
    ]

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda words: command.run(words, folder), refused))

    for result in results:
        assert result.returncode == 1, result.args
        (line,) = result.stderr.strip().splitlines()
        assert line.startswith("Error: "), result.args
        assert len(line) > len("Error: ") + 5, result.args
