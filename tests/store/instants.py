"""The database's instants, and every way to ask what was listed at one."""

from datetime import UTC, datetime

import psycopg

from app.domain.access import Caller
from app.domain.entries import EntryFilter, Page
from app.domain.phone import PhoneNumber
from app.domain.rules import Question
from app.domain.scopes import read_campaign
from app.services import Services

NUMBER = PhoneNumber("1", "5551234567")
OTHER = PhoneNumber("1", "5551234568")
GLOBAL = read_campaign("0")

OPEN = """
    SELECT set_config('role', 'dncd_app', true),
           set_config('dncd.organisation', %(organisation)s, true)
"""


def now(url: str) -> datetime:
    """Return the database's clock, by which everything is dated."""
    with psycopg.connect(url) as connection:
        [row] = connection.execute("SELECT clock_timestamp()").fetchall()
        instant: datetime = row[0]
        return instant.astimezone(UTC)


def versions(url: str) -> list[tuple[int, datetime, datetime | None]]:
    """Return when each version of each entry began and ended, oldest first."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT id, valid_from, NULL::timestamptz AS valid_until FROM dnc_entry"
            " UNION ALL SELECT id, valid_from, valid_until FROM dnc_entry_past"
            " ORDER BY valid_from"
        ).fetchall()


def is_listed(
    services: Services, caller: Caller, at: datetime, number: PhoneNumber = NUMBER
) -> bool:
    """Ask in each of the ways that there are, which all must say the same."""
    single = services.checks.check_as_of(caller, Question(number), at)
    _, hits = services.checks.find_listed(caller, [number.e164], None, as_of=at)
    found, total = services.searches.search(
        caller, EntryFilter(numbers=(number,)), Page(), at
    )
    everything, all_of_them = services.searches.search(
        caller, EntryFilter(), Page(limit=1000), at
    )
    exported = b"".join(services.exports.stream(caller, None, at)).decode()
    answers = {
        not single.callable,
        number.e164 in hits,
        bool(found),
        bool(total),
        number in {entry.number for entry in everything},
        f"\n{number.national},{number.calling_code}," in exported,
    }
    assert len(answers) == 1, answers
    assert all_of_them == len(everything) == exported.count("\n") - 1
    assert services.exports.count(caller, None, at) == all_of_them
    return answers.pop()
