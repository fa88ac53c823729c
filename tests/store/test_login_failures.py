"""What is kept of failures to log in, and who sees it."""

import psycopg
import pytest

from app.domain.access import Caller, login_key
from app.domain.errors import SettingInvalid
from app.services import Services
from app.services.organisations import EVERY_GRANT
from app.store import login_failures
from app.store.database import Database
from app.store.roles import Scope
from app.store.transactions import Once

KEY = login_key("6666", "198.51.100.7")
OTHER = login_key("6666", "203.0.113.9")


def presenting(database: Database, key: bytes) -> Once:
    return database.within(Scope(secret_hash=key))


def test_failures_are_counted_and_forgotten_by_whoever_presents_their_key(
    database: Database,
) -> None:
    ours, theirs = presenting(database, KEY), presenting(database, OTHER)
    login_failures.append(ours, KEY)
    login_failures.append(ours, KEY)
    login_failures.append(theirs, OTHER)

    login_failures.forget(theirs, KEY)
    login_failures.purge(theirs)

    assert login_failures.count(ours, KEY) == 2
    assert login_failures.count(theirs, KEY) == 0
    assert login_failures.count(database.of(1), KEY) == 0
    login_failures.forget(ours, KEY)
    assert login_failures.count(ours, KEY) == 0
    assert login_failures.count(theirs, OTHER) == 1


def test_what_has_expired_is_gone_once_somebody_purges(
    database: Database, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO login_failure SELECT sha256(n::text::bytea), 3, now() - "
            "CASE WHEN n > 20 THEN interval '16 minutes' ELSE interval '14 minutes' END"
            " FROM generate_series(1, 150) AS n"
        )
        left = []
        for _ in range(3):
            login_failures.purge(presenting(database, KEY))
            row = owner.execute("SELECT count(*) FROM login_failure").fetchone()
            left.append(row and row[0])

    assert left == [50, 20, 20]


@pytest.mark.parametrize("user", ["", "a b", "dialer@acme", "x" * 65, "é"])
def test_a_token_is_issued_to_no_user_that_could_not_log_in(
    user: str, services: Services, caller: Caller
) -> None:
    with pytest.raises(SettingInvalid):
        services.access.issue(caller, "dialer", EVERY_GRANT, user=user)
