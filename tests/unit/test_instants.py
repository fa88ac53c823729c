"""Which texts are instants, and which."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import InstantInvalid
from app.domain.instants import read_instant

TEN = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00Z",
        "2026-11-21 10:00:00z",
        "2026-11-21T10:00:00.0Z",
        "2026-11-21T10:00:00.000000999Z",
        "2026-11-21T11:00:00+01:00",
        "2026-11-21T11:00:00+0100",
        "2026-11-21T11:00:00 01:00",
        "2026-11-21T05:30:00-04:30",
    ],
)
def test_an_instant_is_read_in_every_spelling_of_its_zone(text: str) -> None:
    assert read_instant(text) == TEN
    assert read_instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-11-21T10:00:00", "2026-11-21 10:00"])
def test_a_date_time_without_a_zone_is_refused_by_that_name(text: str) -> None:
    with pytest.raises(InstantInvalid, match="as_of has no zone"):
        read_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21Z",
        "20261121T100000Z",
        "2026-W47-6T10:00Z",
        "1763719200",
        "2026-11-21T10:00:00ZZ",
        "2026-11-21T10:00:00 UTC",
        "٢٠٢٦-11-21T10:00:00Z",
        "2026-11-21T10:00:00Z\n",
    ],
)
def test_what_is_no_iso_date_time_is_refused(text: str) -> None:
    with pytest.raises(InstantInvalid, match="as_of is no ISO 8601"):
        read_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T10:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T10:00:60Z",
        "2026-11-21T10:00:00+25:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(InstantInvalid, match="as_of is no date and time"):
        read_instant(text)


@given(st.datetimes(timezones=st.timezones()))
def test_what_python_writes_is_read_as_the_same_instant(instant: datetime) -> None:
    try:
        wanted = instant.astimezone(UTC)
    except OverflowError:
        return
    if instant.utcoffset().total_seconds() % 60:  # type: ignore[union-attr]
        return
    assert read_instant(instant.isoformat()) == wanted
    assert read_instant(instant.isoformat().replace("+", " ")) == wanted


@given(st.text())
def test_anything_else_is_refused_and_never_fails(text: str) -> None:
    with contextlib.suppress(InstantInvalid):
        read_instant(text)
