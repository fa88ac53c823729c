"""Guarded releases as each dialect words them, and the commands that set them."""

from dataclasses import replace

import psycopg
import pytest
import requests

from app.domain.access import Grant
from app.domain.guards import Rules
from app.services.organisations import EVERY_GRANT
from tests.wire.command import Command
from tests.wire.conftest import open_doors
from tests.wire.doors import Doors, say_listed
from tests.wire.service import Api

NUMBER, OTHER = "5551234567", "5557654321"

# What each dialect's delete answers to what holds it up, beginning with its status.
WORDS = {
    "reason": {
        "convoso": (200, '"code": 6057, "text": "A reason is required"'),
        "workspace": (400, "reason is required"),
        "dncscrub": (400, "reason is missing"),
        "vicidial": (
            200,
            "ERROR: delete_dnc_phone NEEDS A REASON, WHICH HAS NO PLACE HERE - ",
        ),
    },
    "cap": {
        "convoso": (403, "Too many released within the hour"),
        "workspace": (403, "Too many records were deleted within the hour"),
        "dncscrub": (403, "Too many numbers were removed within the hour"),
        "vicidial": (
            200,
            "ERROR: delete_dnc_phone TOO MANY NUMBERS DELETED WITHIN THE HOUR - ",
        ),
    },
    "four eyes": {
        "convoso": (403, "Recorded: a second token must approve"),
        "workspace": (403, "Recorded: a second token must approve"),
        "dncscrub": (403, "Recorded: a second loginId must approve"),
        "vicidial": (200, "ERROR: delete_dnc_phone RECORDED, A SECOND USER MUST"),
    },
}
RULES = {
    "reason": Rules(reason_required=True),
    "cap": Rules(per_hour=0),
    "four eyes": Rules(four_eyes=True),
}


def delete(api: Api, dialect: str, user: str, **more: str) -> requests.Response:
    """Ask *dialect* to take the number off, by the token and user given."""
    bearer = {"Authorization": f"Bearer {api.token}"}
    if dialect == "convoso":
        number = {"phone_number": NUMBER, "phone_code": "1", "campaign_id": "0"}
        return api.send("dnc/delete", **number, **more)
    if dialect == "dncscrub":
        return requests.post(
            f"{api.base}/app/main/rpc/pdnc",
            data={"actionType": "remove", "phoneList": NUMBER, **more},
            headers={"loginId": api.token},
            timeout=20,
        )
    if dialect == "vicidial":
        asked = {"function": "delete_dnc_phone", "user": user, "pass": api.token}
        named = {"phone_number": NUMBER, "campaign_id": "SYSTEM_INTERNAL"}
        return requests.get(
            f"{api.base}/vicidial/non_agent_api.php",
            params={**asked, **named, "source": "test", **more},
            timeout=20,
        )
    (record,) = requests.get(
        f"{api.base}/api/dnc/list", headers=bearer, timeout=20
    ).json()["data"]["dncList"]
    return requests.delete(
        f"{api.base}/api/dnc/delete/{record['_id']}",
        params=more,
        headers=bearer,
        timeout=20,
    )


def with_token(api: Api, name: str, *grants: Grant) -> tuple[Api, str]:
    user = f"{name}-{api.caller.organisation.id}"
    token = api.services.access.issue(
        api.caller, name, grants or EVERY_GRANT, user=user
    )
    return replace(api, token=token, session=requests.Session()), user


def why_released(api: Api, url: str) -> list[tuple[str, str | None]]:
    own = api.caller.organisation.id
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT set_config('dncd.organisation', %s, true)", [str(own)]
        )
        return connection.execute(
            "SELECT actor, why FROM operation WHERE organisation_id = %s"
            " AND kind = 'entry:released'",
            [own],
        ).fetchall()


@pytest.mark.parametrize("dialect", WORDS["cap"])
@pytest.mark.parametrize("rule", RULES)
def test_each_dialect_says_what_holds_a_delete_up(
    rule: str, dialect: str, api: Api
) -> None:
    api.insert(NUMBER)
    api.services.guards.set_rules(api.caller, RULES[rule])
    ada, user = with_token(api, "ada")

    answer = delete(ada, dialect, user)

    status, words = WORDS[rule][dialect]
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert api.search(phone_number=NUMBER)


@pytest.mark.parametrize("dialect", ["convoso", "workspace", "dncscrub"])
def test_a_dialect_that_has_a_place_for_it_takes_the_reason(
    dialect: str, api: Api, service_database: str
) -> None:
    api.insert(NUMBER)
    api.services.guards.set_rules(api.caller, RULES["reason"])

    answer = delete(api, dialect, "", reason="asked in writing")

    assert answer.status_code == 200, answer.text
    assert api.search(phone_number=NUMBER) == []
    (released,) = why_released(api, service_database)
    assert released == ("everything", "asked in writing")


@pytest.mark.parametrize(
    ("dialect", "status"), [("convoso", 200), ("workspace", 400), ("dncscrub", 400)]
)
def test_a_reason_that_is_no_text_is_refused(
    dialect: str, status: int, api: Api
) -> None:
    api.insert(NUMBER)

    answer = delete(api, dialect, "", reason="x" * 256)

    assert answer.status_code == status
    assert "reason" in answer.text
    assert api.search(phone_number=NUMBER)


@pytest.mark.parametrize("dialect", WORDS["cap"])
def test_what_is_asked_for_in_one_dialect_a_second_token_approves_in_any(
    dialect: str, api: Api, service_database: str
) -> None:
    api.insert(NUMBER)
    api.services.guards.set_rules(api.caller, RULES["four eyes"])
    ada, _ = with_token(api, "ada")
    grace, user = with_token(api, "grace")
    assert delete(ada, "convoso", "").status_code == 403
    assert delete(ada, "dncscrub", "").status_code == 403

    answer = delete(grace, dialect, user)

    assert answer.status_code == 200, answer.text
    assert api.search(phone_number=NUMBER) == []
    ((actor, why),) = why_released(api, service_database)
    assert actor == "grace"
    assert "asked for by ada" in str(why)


def test_a_capped_release_is_counted_for_an_alarm(api: Api) -> None:
    def capped() -> float:
        text = requests.get(f"{api.base}/metrics", timeout=20).text
        return sum(
            float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith("dncd_releases_capped_total{")
        )

    api.insert(NUMBER)
    api.services.guards.set_rules(api.caller, RULES["cap"])
    before = capped()

    for _ in range(3):
        assert delete(api, "dncscrub", "").status_code == 403

    assert capped() == before + 3


def test_an_update_that_lets_a_number_be_called_is_held_up_too(api: Api) -> None:
    entry = api.insert(NUMBER)
    api.services.guards.set_rules(api.caller, RULES["cap"])

    answer = api.send("dnc/update", id=entry, phone_number=OTHER)

    assert answer.status_code == 403
    assert api.call("dnc/update", id=entry, reason="another")["success"] is True


@pytest.mark.parametrize(("enable", "status"), [(True, 200), (False, 403)])
def test_to_switch_the_check_off_needs_the_grant_to_delete(
    enable: object, status: int, api: Api, doors: Doors
) -> None:
    api.insert(NUMBER)
    ada, _ = with_token(api, "ada", *(EVERY_GRANT - {Grant.DELETE}))

    answer = switch(ada, enable=enable)

    assert answer.status_code == status, answer.text
    assert ("native", "check") in say_listed(doors, NUMBER)


@pytest.mark.parametrize("rule", RULES)
def test_to_switch_the_check_off_is_held_up_as_a_release_of_everything(
    rule: str, api: Api
) -> None:
    api.services.guards.set_rules(api.caller, RULES[rule])

    answer = switch(api, enable=False)

    assert answer.status_code in {400, 403}
    assert WORDS[rule]["workspace"][1] in answer.json()["errorMessage"]
    assert ("native", "check") not in say_listed(open_doors(api), NUMBER)


def switch(api: Api, **body: object) -> requests.Response:
    return requests.post(
        f"{api.base}/api/dnc/enable-disable",
        json=body,
        headers={"Authorization": f"Bearer {api.token}"},
        timeout=20,
    )


def test_the_commands_set_show_and_list(
    command: Command,
) -> None:
    said = run(
        command, "organisation", "set", "default", "--release-reason", "required"
    )
    assert "release-reason=required releases-per-hour=none four-eyes=off" in said
    said = run(
        command,
        "organisation",
        "set",
        "default",
        "--releases-per-hour",
        "5",
        "--four-eyes",
        "on",
        "--approval-hours",
        "2",
    )
    shown = run(command, "organisation", "show", "default").splitlines()

    assert {
        "release-reason=required",
        "releases-per-hour=5",
        "four-eyes=on",
        "approval-hours=2",
        "checking=on",
        "name=default",
    } <= set(shown)
    assert run(command, "organisation", "pending", "default", "--json").strip() == "[]"
    said = run(command, "organisation", "set", "default", "--releases-per-hour", "none")
    assert "releases-per-hour=none" in said
    refused = command.run("organisation", "set", "default", "--releases-per-hour", "-1")
    assert refused.returncode != 0


def run(command: Command, *arguments: str) -> str:
    result = command.run(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout.decode()
