"""A search that looks at every entry ends, whatever it looks for."""

import time

import psycopg
import pytest

from app.domain.access import Caller
from app.domain.entries import Draft, EntryText, Page, read_entry_text
from app.domain.errors import StoreUnavailable
from app.domain.phone import PhoneNumber
from app.domain.scopes import read_campaign
from app.services import Services, searches
from tests.waiting import require_soon

NUMBER = PhoneNumber("1", "5551234567")
GLOBAL = read_campaign("0")


@pytest.mark.parametrize(
    ("text", "digits", "number"),
    [
        ("+1 (555) 123", "1555123", None),
        ("555-1234", "5551234", None),
        ("15551234567", "15551234567", NUMBER),
        ("+1 555 123 4567", "15551234567", NUMBER),
        ("+", None, None),
        ("...", None, None),
        ("555x", None, None),
        ("customer 7", None, None),
    ],
)
def test_a_text_is_a_part_of_a_number_or_the_whole_or_none(text, digits, number):
    read = read_entry_text(text, "call", "1")

    assert read == EntryText(text, "call", digits, number, number is not None)


@pytest.mark.parametrize(
    ("text", "digits", "number"),
    [
        ("0015551234567", "0015551234567", NUMBER),
        ("2125551234", "2125551234", PhoneNumber("1", "2125551234")),
        ("+49 3012", "493012", PhoneNumber("49", "3012")),
    ],
)
def test_a_number_whose_digits_may_be_a_part_of_others_is_not_the_whole(
    text, digits, number
):
    assert read_entry_text(text, "call", "1") == EntryText(text, "call", digits, number)


@pytest.mark.parametrize(
    "text",
    [
        "a.c",
        "a*",
        "(a",
        "[a",
        "{1}",
        "\\",
        "\\d",
        "^",
        "$",
        "***=x",
        "(?i)x",
        "?",
        "a|b",
    ],
)
def test_no_character_has_a_meaning_of_its_own(
    services: Services, caller: Caller, text: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL, None, "abc ab aac d1"))
    exact = Draft(PhoneNumber("1", "5551234568"), GLOBAL, None, f"-{text.upper()}-")
    entry_id = services.suppressions.suppress(caller, exact)

    found, total = services.searches.browse(caller, EntryText(text, "call"), Page())

    assert ([entry.id for entry in found], total) == ([entry_id], 1)


def test_a_search_that_takes_too_long_is_ended_by_the_server(
    services: Services,
    caller: Caller,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searches, "SCAN_SECONDS", 0.3)
    with psycopg.connect(database_url) as holding:
        holding.execute("LOCK TABLE dnc_entry")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="QueryCanceled"):
            services.searches.browse(caller, EntryText("x", "call"), Page())
        took = time.monotonic() - began
        waiting = holding.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        ).fetchone()

    require_soon(took, 2)
    assert waiting == (0,)
    # Nothing of the limit is left on the connection.
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    assert services.searches.browse(caller, None, Page())[1] == 1
