"""The database itself keeps organisations apart, whatever a statement forgets."""

import psycopg
import pytest

from app.domain.access import Caller, hash_secret
from app.domain.entries import Draft
from app.domain.errors import ApprovalPending
from app.domain.guards import Rules
from app.domain.idempotency import KeptAnswer, hash_key
from app.domain.leads import LeadDraft
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from app.store.database import Database
from app.store.roles import Scope
from tests.conftest import make_organisation
from tests.store import folding

NUMBER = PhoneNumber("1", "5551234567")
GLOBAL = read_campaign("0")
TABLES = (
    "organisation",
    "token",
    "campaign",
    "purpose",
    "operation",
    "release_request",
    "dnc_entry",
    "dnc_entry_past",
    "dnc_entry_facet",
    "dnc_entry_block",
    "dnc_entry_tally",
    "dnc_entry_tally_delta",
    "lead_status",
    "lead",
    "login_failure",
    "idempotent_request",
    "operation_reach",
    "seal_leaf",
    "erased_part",
)

# What belongs to no organisation.
OF_NOBODY = (
    "installation",
    "recovery",
    "recovery_notice",
    "schema_revision",
    "seal",
)


@pytest.fixture
def full(
    services: Services, caller: Caller, database: Database, database_url: str
) -> Caller:
    """The operator of an organisation that has something in every table."""
    services.access.issue(caller, "token", EVERY_GRANT)
    services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", ""))
    services.campaigns.add_purpose(caller, "SURVEY")
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)
    answer = KeptAnswer(200, (), b"")
    services.idempotency.settle(caller, hash_key("key"), bytes(32), lambda: answer)
    services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    lead = LeadDraft(NUMBER, read_campaign("SPRING"), "NEW", "", "")
    services.leads.insert(caller, lead)
    services.guards.set_rules(caller, Rules(four_eyes=True))
    (token,) = services.access.list_tokens(caller)
    with pytest.raises(ApprovalPending):
        services.suppressions.release(
            caller._replace(token_id=token.id), NUMBER, GLOBAL, None, None
        )
    folding.fold(database_url, caller.organisation.id, most=1)
    seal(database, caller)
    return caller


SEALED = """
    WITH leaf AS (
        INSERT INTO seal_leaf
        SELECT 1, row_number() OVER (), organisation_id, id, sha256(''), 0, 0, ''
        FROM operation
    )
    INSERT INTO erased_part SELECT organisation_id, 0, id, sha256('') FROM operation
"""


def seal(database: Database, caller: Caller) -> None:
    with database.transaction(Scope(caller.organisation.id)) as tx:
        tx.fetch(SEALED, {})


@pytest.fixture
def other(services: Services) -> Caller:
    """The operator of an organisation that has nothing."""
    return operator(
        services.organisations.add("test", make_organisation("Other")), "test"
    )


def count(database: Database, scope: Scope, table: str) -> int:
    with database.transaction(scope) as tx:
        found = tx.connection.execute(f"SELECT count(*) AS n FROM {table}".encode())
        number: int = found.fetchall()[0]["n"]
        return number


@pytest.mark.parametrize("table", TABLES)
def test_a_statement_that_names_no_organisation_sees_only_its_own_rows(
    database: Database, full: Caller, other: Caller, table: str
) -> None:
    own = count(database, Scope(full.organisation.id), table)
    others = count(database, Scope(other.organisation.id), table)

    built_in = {
        "organisation": 1,
        "campaign": 2,
        "lead_status": 3,
        "operation": 1,
        "operation_reach": 1,
    }
    seldom = {"organisation", "lead_status", "login_failure"}
    assert own > built_in.get(table, 0) or table in seldom
    assert others == built_in.get(table, 0)
    assert count(database, Scope(), table) == 0


def test_every_table_is_under_forced_row_level_security(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        forced = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace "
            "AND relrowsecurity AND relforcerowsecurity"
        ).fetchall()
        every = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace"
        ).fetchall()

    assert {name for (name,) in forced} == {*TABLES, *OF_NOBODY}
    assert {name for (name,) in every} == {*TABLES, *OF_NOBODY, "alembic_version"}


def test_no_row_can_be_written_into_another_organisation(
    database: Database, full: Caller, other: Caller
) -> None:
    statement = (
        "INSERT INTO dnc_entry (organisation_id, e164, calling_code, campaign_id, "
        f"operation_id) VALUES ({full.organisation.id}, 15551110000, 1, 0, 1)"
    )
    with (
        pytest.raises(Exception, match="InsufficientPrivilege"),
        database.transaction(Scope(other.organisation.id)) as tx,
    ):
        tx.connection.execute(statement.encode())


def test_a_secret_opens_its_own_token_and_organisation_and_nothing_else(
    database: Database, services: Services, full: Caller
) -> None:
    secret = services.access.issue(full, "another", EVERY_GRANT)
    presented = Scope(secret_hash=hash_secret(secret))

    assert count(database, presented, "token") == 1
    assert count(database, presented, "organisation") == 1
    assert count(database, presented, "dnc_entry") == 0


def test_whose_an_entry_is_only_the_application_may_ask(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT has_function_privilege('public', oid, 'EXECUTE'),"
            " has_function_privilege('dncd_app', oid, 'EXECUTE'),"
            " prosecdef, proconfig, prorettype::regtype::text"
            " FROM pg_proc WHERE proname = 'dnc_entry_is_foreign'"
        ).fetchall()

    search_path = ["search_path=public, pg_temp"]
    assert found == [(False, True, True, search_path, "boolean")]
