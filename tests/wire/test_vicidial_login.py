"""Who may log in to VICIdial's page, and who is locked out, where and for how long."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import requests

from app.domain.access import Grant, login_key, new_secret
from tests.wire.service import Service, serving
from tests.wire.test_races import at_once
from tests.wire.vicidial import FILTER, NUMBER, OWN, PAGE, Box, make_box, with_user

MOST = 10
CHECK = {"function": "check_phone_number", "source": "test", "phone_number": NUMBER}
OURS = "198.51.100.7"
ELSEWHERE = "203.0.113.9"
AGE = """
    UPDATE login_failure SET last_at = last_at - %s::interval WHERE key = %s
    RETURNING failures
"""


@pytest.fixture
def box(service, administration) -> Box:
    return make_box(service, administration)


@pytest.fixture(scope="module")
def live_service(
    service_database: str,
    key_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    http_server: str,
) -> Iterator[Service]:
    """A service that speaks the live edition to whom it does not know."""
    environment = {
        "DATABASE_URL": service_database,
        "DNCD_KEY_FILE": str(key_file),
        "DNCD_EDITION_VICIDIAL": "live",
    }
    folder: Path = tmp_path_factory.mktemp("live")
    with serving(folder, environment, http_server) as running:
        yield running


def log_in(
    box: Box, password: str | None = None, address: str = OURS, path: str = PAGE
) -> requests.Response:
    """Ask on a connection of its own, as whoever is at *address*."""
    asked = {**CHECK, "user": box.user, "pass": password or box.password}
    return requests.get(
        box.api.base + path,
        asked,
        headers={"X-Forwarded-For": address},
        timeout=20,
    )


def outcome(answer: requests.Response) -> str:
    assert answer.status_code == 200, answer.text
    if answer.text.startswith("AREACODE: 1|"):
        return "in"
    return "LOCK" if "|LOCK|" in answer.text else "BAD"


def fail(box: Box, times: int, address: str = OURS) -> list[str]:
    return [outcome(log_in(box, new_secret(), address)) for _ in range(times)]


def age(url: str, box: Box, by: str, address: str = OURS) -> list[int]:
    """Let the box's failures be older; return how many they are."""
    with psycopg.connect(url, autocommit=True) as owner:
        rows = owner.execute(AGE, [by, login_key(box.user, address)]).fetchall()
    return [failures for (failures,) in rows]


def failures(url: str, box: Box, address: str = OURS) -> list[int]:
    return age(url, box, "0", address)


def test_a_wrong_password_is_told_so_and_never_echoed(box):
    for password in ("1234", new_secret(), f"{box.password}x", box.password[:-1]):
        answer = log_in(box, password)

        assert answer.text == (
            f"ERROR: Login incorrect, please try again - {box.user}||BAD|\n"
        )
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_live_edition_has_the_live_lines(live_service, box):
    box = replace(box, api=replace(box.api, base=live_service.base))
    lines = [log_in(box, "1234").text for _ in range(MOST + 1)]

    bad = f"ERROR: Login incorrect, please try again: |{box.user}||BAD|\n"
    locked = (
        f"ERROR: Too many login attempts, try again in 15 minutes: |{box.user}|LOCK|\n"
    )
    assert lines == [bad] * MOST + [locked]


def test_ten_failures_lock_a_user_out_of_every_worker_even_with_the_right_password(box):
    # Every worker remembers that the password is right.
    assert {outcome(log_in(box)) for _ in range(12)} == {"in"}

    assert fail(box, MOST) == ["BAD"] * MOST

    answers = [log_in(box) for _ in range(12)]
    assert {answer.text for answer in answers} == {
        f"ERROR: Too many login attempts, try again in 15 minutes - {box.user}|LOCK|\n"
    }
    assert set(fail(box, 3)) == {"LOCK"}
    assert log_in(box, path=FILTER).status_code == 429


def test_nobody_is_locked_out_from_elsewhere(box):
    assert fail(box, MOST + 2, ELSEWHERE)[-1] == "LOCK"

    assert outcome(log_in(box)) == "in"
    assert outcome(log_in(box, address=ELSEWHERE)) == "LOCK"


def test_another_user_of_the_same_address_is_not_locked_out(box):
    other = with_user(box.api, box.edition, [Grant.CHECK])

    fail(box, MOST)

    assert outcome(log_in(box)) == "LOCK"
    assert outcome(log_in(other)) == "in"


def test_the_addresses_of_one_ipv6_network_are_one(box):
    said = [
        outcome(log_in(box, "wrong", f"2001:db8:1:2::{host:x}"))
        for host in range(MOST + 2)
    ]

    assert said == ["BAD"] * MOST + ["LOCK"] * 2
    assert outcome(log_in(box, address="2001:db8:1:2:ffff::1")) == "LOCK"
    assert outcome(log_in(box, address="2001:db8:1:3::1")) == "in"


def test_a_lock_does_not_tell_which_users_exist(box):
    nobody = replace(box, user=f"nobody{box.user}")

    known, unknown = fail(box, MOST + 1), fail(nobody, MOST + 1)

    assert known == unknown == ["BAD"] * MOST + ["LOCK"]


def test_a_success_clears_the_count(box, service_database):
    for _ in range(3):
        assert fail(box, MOST - 1) == ["BAD"] * (MOST - 1)
        assert outcome(log_in(box)) == "in"
        assert failures(service_database, box) == []


def test_a_lock_ends_after_15_minutes_however_often_it_was_tried(box, service_database):
    fail(box, MOST)
    age(service_database, box, "14 minutes 50 seconds")
    assert set(fail(box, 5)) == {"LOCK"}
    assert outcome(log_in(box)) == "LOCK"

    age(service_database, box, "11 seconds")

    assert outcome(log_in(box)) == "in"
    assert fail(box, 1) == ["BAD"]


def test_what_failed_long_ago_does_not_count(box, service_database):
    fail(box, MOST - 1)
    age(service_database, box, "15 minutes 1 second")

    assert fail(box, MOST + 1) == ["BAD"] * MOST + ["LOCK"]


def test_of_many_guesses_at_once_ten_are_heard(box, service_database):
    racing = [lambda: outcome(log_in(box, new_secret())) for _ in range(40)]

    said = Counter(at_once(racing))

    assert said == {"BAD": MOST, "LOCK": 30}
    assert failures(service_database, box) == [MOST]
    assert outcome(log_in(box)) == "LOCK"


def test_a_dialer_that_logs_in_many_times_at_once_is_never_locked_out(box):
    for _ in range(2):
        said = at_once([lambda: outcome(log_in(box)) for _ in range(40)])
        assert set(said) == {"in"}


def test_what_is_kept_of_failures_is_no_name_and_goes_with_time(box, service_database):
    others = [replace(box, user=f"x{number}") for number in range(3)]
    for other in others:
        fail(other, 1)
        assert age(service_database, other, "16 minutes") == [1]

    # The password, typed in the name's place.
    fail(replace(box, user=box.password), 1)

    assert all(failures(service_database, other) == [] for other in others)
    with psycopg.connect(service_database) as owner:
        rows = owner.execute("SELECT * FROM login_failure").fetchall()
    assert box.password not in str(rows)
    assert box.user not in str([row[1:] for row in rows])


@pytest.mark.parametrize("which", ["token", "another user's", "none"])
def test_a_secret_is_good_for_its_own_user_alone(which, box):
    """Also one that every worker has just found good for something else."""
    other = with_user(box.api, box.edition, [Grant.CHECK])
    secret = {"token": box.api.token, "another user's": other.password, "none": ""}
    for _ in range(6):
        assert outcome(log_in(other)) == "in"
        box.api.search()

    said = {outcome(log_in(box, secret[which] or "-")) for _ in range(6)}

    assert said == {"BAD"}
    assert outcome(log_in(replace(box, user=""), box.api.token)) == "BAD"


def test_a_user_whose_token_ended_is_not_let_in(box):
    access, caller = box.api.services.access, box.api.caller
    expired = access.issue(
        caller,
        "expired",
        [Grant.CHECK],
        user=f"e{box.user}",
        expires=datetime.now(UTC) - timedelta(seconds=1),
    )
    access.revoke(caller, box.user)

    assert outcome(log_in(replace(box, user=f"e{box.user}"), expired)) == "BAD"
    assert outcome(log_in(box)) == "BAD"


def test_no_password_and_no_number_is_left_behind_in_the_log(box, service):
    wrong = new_secret()
    for password in (wrong, "Passw0rd-4711"):
        log_in(box, password)
        log_in(box, password, path=FILTER)
        requests.post(
            box.api.base + PAGE,
            {**CHECK, "user": password, "pass": password},
            timeout=20,
        )
    box.say("add_dnc_phone", phone_number=NUMBER, campaign_id=OWN)

    log = service.log.read_text()

    for secret in (wrong, "Passw0rd-4711", box.password, NUMBER):
        assert secret not in log
