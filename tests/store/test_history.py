"""Nothing ends without a trace, and no path around the trigger exists."""

import psycopg
import pytest
from psycopg.rows import dict_row

from app.domain.access import Caller
from app.domain.entries import Draft, Revision
from app.domain.errors import AlreadySuppressed
from app.domain.phone import PhoneNumber
from app.domain.scopes import read_campaign
from app.services import Services
from app.store.database import Database
from app.store.roles import Scope

NUMBER = PhoneNumber("1", "5551234567")
OTHER = PhoneNumber("1", "5551234568")
GLOBAL = read_campaign("0")


def rows(url: str, statement: str) -> list[dict[str, object]]:
    """Ask as the owner of the database, past row-level security."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_a_deleted_entry_is_kept_with_who_ended_it(
    services: Services, caller: Caller, database_url: str
) -> None:
    entry_id = services.suppressions.suppress(
        caller, Draft(NUMBER, GLOBAL, None, "DNC")
    )

    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)

    assert rows(database_url, "SELECT * FROM dnc_entry") == []
    [past] = rows(
        database_url,
        "SELECT past.*, began.kind AS began, ended.kind AS ended "
        "FROM dnc_entry_past AS past "
        "JOIN operation AS began ON began.id = past.operation_id "
        "JOIN operation AS ended ON ended.id = past.ended_by_operation",
    )
    assert past["id"] == entry_id
    assert past["e164"] == NUMBER.e164
    assert past["reason"] == "DNC"
    assert (past["began"], past["ended"]) == ("entry:suppressed", "entry:released")


def test_each_version_begins_where_the_one_before_ended(
    services: Services, caller: Caller, database_url: str
) -> None:
    entry_id = services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    for reason in ("first", "second", "third"):
        services.suppressions.revise(caller, entry_id, Revision(reason=reason))

    past = rows(database_url, "SELECT * FROM dnc_entry_past ORDER BY valid_from")
    [current] = rows(database_url, "SELECT * FROM dnc_entry")

    assert [version["reason"] for version in past] == [None, "first", "second"]
    begins = [version["valid_from"] for version in [*past, current]]
    ends = [version["valid_until"] for version in past]
    assert ends == begins[1:]
    assert {version["inserted_at"] for version in past} == {current["inserted_at"]}


def test_a_revision_that_changes_nothing_leaves_no_version(
    services: Services, caller: Caller, database_url: str
) -> None:
    entry_id = services.suppressions.suppress(
        caller, Draft(NUMBER, GLOBAL, None, "DNC")
    )

    services.suppressions.revise(caller, entry_id, Revision(reason="DNC"))

    assert rows(database_url, "SELECT * FROM dnc_entry_past") == []
    kinds = rows(database_url, "SELECT kind FROM operation WHERE kind ~ '^entry'")
    assert kinds == [{"kind": "entry:suppressed"}]


def test_a_refused_change_leaves_no_operation(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    other = services.suppressions.suppress(caller, Draft(OTHER, GLOBAL))
    before = rows(database_url, "SELECT id FROM operation ORDER BY id")

    with pytest.raises(AlreadySuppressed):
        services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL, None, "again"))
    with pytest.raises(AlreadySuppressed):
        services.suppressions.revise(
            caller, other, Revision(phone_number=NUMBER.national)
        )

    assert rows(database_url, "SELECT id FROM operation ORDER BY id") == before


def test_not_even_the_owner_ends_an_entry_without_an_operation(
    services: Services, caller: Caller, database_url: str
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))

    for statement in ("DELETE FROM dnc_entry", "UPDATE dnc_entry SET reason = 'x'"):
        with pytest.raises(psycopg.errors.RaiseException):
            rows(database_url, statement)
    for table in ("dnc_entry", "dnc_entry_past", "operation"):
        with pytest.raises(psycopg.errors.RaiseException):
            rows(database_url, f"TRUNCATE {table}")

    assert len(rows(database_url, "SELECT * FROM dnc_entry")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE operation SET actor = 'nobody'",
        "DELETE FROM operation",
        "INSERT INTO dnc_entry_past SELECT * FROM dnc_entry_past",
        "UPDATE dnc_entry_past SET reason = 'x'",
        "DELETE FROM dnc_entry_past",
        "DELETE FROM campaign",
        "DELETE FROM token",
        "DROP TRIGGER dnc_entry_deleted ON dnc_entry",
        "ALTER TABLE dnc_entry DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE mine ()",
    ],
)
def test_the_application_s_role_cannot_rewrite_what_happened(
    database: Database, caller: Caller, statement: str
) -> None:
    with (
        pytest.raises(Exception, match="InsufficientPrivilege"),
        database.transaction(Scope(caller.organisation.id)) as tx,
    ):
        tx.connection.execute(statement.encode())


def test_the_application_s_role_owns_nothing_and_is_no_superuser(
    database: Database, database_url: str
) -> None:
    [role] = rows(
        database_url,
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcanlogin, "
        "(SELECT count(*) FROM pg_class WHERE relowner = pg_roles.oid) AS owns "
        "FROM pg_roles WHERE rolname = 'dncd_app'",
    )

    assert not any(role.values())
    with database.transaction(Scope()) as tx:
        assert tx.fetch("SELECT current_user AS me", {}) == [{"me": "dncd_app"}]
