"""What a day or a second is, where clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.dates import Interval, read_intervals
from app.domain.errors import DateInvalid

NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "start", "hours"),
    [
        pytest.param("2026-01-15", "2026-01-15 05:00", 24, id="a winter day"),
        pytest.param("2026-03-08", "2026-03-08 05:00", 23, id="when clocks go forward"),
        pytest.param("2026-11-01", "2026-11-01 04:00", 25, id="when clocks go back"),
    ],
)
def test_a_day_is_as_long_as_the_zone_makes_it(day, start, hours):
    assert read_intervals(day, NEW_YORK) == (
        Interval(utc(start), utc(start) + timedelta(hours=hours)),
    )


@pytest.mark.parametrize("text", ["2026-01-15 10:30:00", "2026-01-15+10:30:00"])
def test_a_second_is_one_second(text):
    start = utc("2026-01-15 15:30:00")

    assert read_intervals(text, NEW_YORK) == (
        Interval(start, start + timedelta(seconds=1)),
    )


def test_a_second_that_the_clocks_repeat_is_two():
    found = read_intervals("2026-11-01 01:30:00", NEW_YORK)

    assert [one.start for one in found] == [
        utc("2026-11-01 05:30"),
        utc("2026-11-01 06:30"),
    ]


def test_a_second_that_the_clocks_skip_is_none():
    assert read_intervals("2026-03-08 02:30:00", NEW_YORK) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-30",
        "0000-00-00",
        "0000-01-01",
        "9999-12-31",
        "9999-12-31 23:59:60",
        "10000-01-01",
        "now",
        "-infinity",
        "2026-03-03T10:30:00Z",
        "2026-03-03 10:30:00+99:99",
        "٢٠٢٦-01-01",
        "2026-03-03 10:30:00\x00",
        "2026-03-03 ",
    ],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(DateInvalid):
        read_intervals(text, NEW_YORK)
