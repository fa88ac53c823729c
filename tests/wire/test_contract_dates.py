"""``insert_date``: days and seconds as the organisation's clocks show them."""

import pytest
import requests

from tests.wire.answers import page
from tests.wire.backdating import insert_at

BERLIN = "Europe/Berlin"

# Instants, and the day that each belongs to for the organisation.
DAYS = [
    pytest.param(
        "UTC",
        {
            "2026-03-30 23:59:59.999999+00": "2026-03-30",
            "2026-03-31 00:00:00+00": "2026-03-31",
            "2026-03-31 23:59:59.999999+00": "2026-03-31",
            "2026-04-01 00:00:00+00": "2026-04-01",
        },
        id="UTC",
    ),
    pytest.param(
        "America/New_York",
        {
            "2026-03-31 03:59:59+00": "2026-03-30",
            "2026-03-31 04:00:00+00": "2026-03-31",
            "2026-04-01 03:59:59+00": "2026-03-31",
        },
        id="west of Greenwich",
    ),
    pytest.param(
        "Asia/Kathmandu",
        {
            "2026-03-30 18:14:59+00": "2026-03-30",
            "2026-03-30 18:15:00+00": "2026-03-31",
        },
        id="a quarter of an hour off",
    ),
    pytest.param(
        BERLIN,
        {
            "2026-03-28 22:59:59+00": "2026-03-28",
            "2026-03-28 23:00:00+00": "2026-03-29",
            "2026-03-29 21:59:59+00": "2026-03-29",
            "2026-03-29 22:00:00+00": "2026-03-30",
        },
        id="a day of 23 hours",
    ),
    pytest.param(
        BERLIN,
        {
            "2026-10-24 21:59:59+00": "2026-10-24",
            "2026-10-24 22:00:00+00": "2026-10-25",
            "2026-10-25 22:59:59+00": "2026-10-25",
            "2026-10-25 23:00:00+00": "2026-10-26",
        },
        id="a day of 25 hours",
    ),
    pytest.param(
        "Asia/Beirut",
        {
            "2026-03-28 21:59:59+00": "2026-03-28",
            "2026-03-28 22:00:00+00": "2026-03-29",
            "2026-03-29 21:00:00+00": "2026-03-30",
        },
        id="a day without midnight",
    ),
    pytest.param(
        "America/Havana",
        {
            "2026-11-01 03:59:59+00": "2026-10-31",
            "2026-11-01 04:30:00+00": "2026-11-01",
            "2026-11-01 05:30:00+00": "2026-11-01",
            "2026-11-02 05:00:00+00": "2026-11-02",
        },
        id="a day with two midnights",
    ),
]


@pytest.mark.parametrize(("zone", "day_of"), DAYS)
def test_a_day_is_the_organisation_s_whole_day(
    zone, day_of, make_api, service_database
):
    api = make_api(time_zone=zone)
    ids = {
        instant: insert_at(api, service_database, instant, f"555123456{n}")
        for n, instant in enumerate(day_of)
    }

    for day in set(day_of.values()):
        found = api.search(insert_date=day)
        expected = [ids[instant] for instant in day_of if day_of[instant] == day]
        assert [entry["id"] for entry in found] == expected, day
        assert {entry["insert_date"] for entry in found} == {day}


@pytest.fixture
def clock(make_api, service_database):
    """An organisation in Berlin, with an entry of each of some instants."""
    api = make_api(time_zone=BERLIN)
    instants = [
        "2026-03-31 08:30:14.999999+00",
        "2026-03-31 08:30:15+00",
        "2026-03-31 08:30:15.999999+00",
        "2026-03-31 08:30:16+00",
        "2026-10-25 00:30:00.5+00",
        "2026-10-25 01:30:00+00",
    ]
    ids = [
        insert_at(api, service_database, instant, f"555123456{n}")
        for n, instant in enumerate(instants)
    ]
    return api, ids


@pytest.mark.parametrize(
    ("second", "meant"),
    [
        pytest.param("2026-03-31 10:30:15", [1, 2], id="and no other second"),
        pytest.param("2026-03-31+10:30:15", [1, 2], id="with a plus for the space"),
        pytest.param("2026-03-31 08:30:15", [], id="but not of another zone"),
        pytest.param("2026-10-25 02:30:00", [4, 5], id="both times it comes"),
        pytest.param("2026-10-25 02:30:01", [], id="but not the one after it"),
        pytest.param("2026-03-29 02:30:00", [], id="that the clocks leave out: none"),
    ],
)
def test_a_second_is_found_whole(second, meant, clock):
    api, ids = clock

    body = api.call("dnc/search", insert_date=second)

    assert [each["id"] for each in body["data"]["entries"]] == [ids[n] for n in meant]
    assert body["data"]["total"] == len(meant)


@pytest.mark.parametrize("space", ["+", "%20", "%2B", " "])
@pytest.mark.parametrize("way", ["query", "form"])
def test_the_space_before_the_time_may_arrive_as(space, way, clock):
    api, ids = clock
    text = f"auth_token={api.token}&insert_date=2026-03-31{space}10:30:16"
    url = f"{api.base}/v1/dnc/search"

    if way == "query":
        answer = requests.get(f"{url}?{text}", timeout=20)
    else:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = requests.post(url, text, headers=form, timeout=20)

    (entry,) = api.search(id=ids[3])
    assert answer.json() == page([entry])


def test_a_date_and_another_filter_must_both_hold(clock):
    api, ids = clock
    api.call("dnc/update", id=ids[5], reason="DNC")

    found = api.search(insert_date="2026-10-25", reason="DNC")

    assert [entry["id"] for entry in found] == [ids[5]]


def test_an_update_leaves_the_day_of_the_opt_out(clock):
    api, ids = clock
    (before,) = api.search(id=ids[1])

    api.call("dnc/update", id=ids[1], reason="DNC", phone_number="5557654321")

    (after,) = api.search(insert_date="2026-03-31 10:30:15", reason="DNC")
    assert after["insert_date"] == before["insert_date"] == "2026-03-31"
    assert after["id"] == ids[1]
