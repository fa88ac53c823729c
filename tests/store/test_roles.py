"""The service under other logins than the superuser's, as deployment.md advises."""

import importlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import conninfo, sql

from app.bootstrap import build_services
from app.domain.entries import Draft
from app.domain.errors import EntryForeign, EntryUnknown
from app.domain.phone import PhoneNumber
from app.domain.scopes import read_campaign
from app.services.organisations import operator
from app.store import restores
from app.store.database import Database
from app.store.migrations import migrate
from app.store.roles import Scope
from tests.conftest import TestServer, make_organisation

PASSWORD = "made-up"
NUMBER = PhoneNumber("1", "5551234567")
GLOBAL = read_campaign("0")


@pytest.fixture
def logins(server: TestServer, template: str) -> Iterator[tuple[str, str]]:
    """The URLs of an owner that is no superuser, and of a service that owns nothing."""
    assert template  # whose migration has made the role dncd_app
    names = [f"{kind}_{uuid.uuid4().hex}" for kind in ("owner", "service")]
    owner, service = map(sql.Identifier, names)
    with server.new_database() as url:
        database = conninfo.conninfo_to_dict(url)["dbname"]
        for statement in (
            "CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'made-up'",
            "CREATE ROLE {service} LOGIN PASSWORD 'made-up'",
            "GRANT dncd_app TO {owner} WITH ADMIN OPTION",
            "GRANT dncd_app TO {service}",
            "ALTER DATABASE {database} OWNER TO {owner}",
        ):
            server.execute(
                sql.SQL(statement).format(
                    owner=owner, service=service, database=sql.Identifier(database)
                )
            )
        yield tuple(
            conninfo.make_conninfo(url, user=name, password=PASSWORD) for name in names
        )
    for name in (owner, service):
        server.execute(sql.SQL("DROP ROLE {}").format(name))


def test_a_restore_makes_the_role_as_the_first_migration_does() -> None:
    migration = importlib.import_module("migrations.versions.0001_one_list")

    made = " ".join(migration.ROLE.split())

    assert made.startswith(" ".join(restores.ROLE.split()))


def test_neither_the_owner_nor_the_service_needs_to_be_a_superuser(
    logins: tuple[str, str],
) -> None:
    owner_url, service_url = logins
    migrate(owner_url)
    migrate(service_url)  # which finds nothing to do
    database = Database(service_url, connections=3)
    services = build_services(database)

    secret = services.organisations.start("test", make_organisation("default"))
    caller = operator(services.organisations.require("default"), "test")
    entry_id = services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
    services.suppressions.release(caller, NUMBER, GLOBAL, None, None)

    assert secret
    assert entry_id
    assert services.readiness.find_faults() == []
    assert services.organisations.start("test", make_organisation("second")) is None
    database.close()


def test_another_organisation_s_entry_is_told_whoever_owns_the_schema(
    logins: tuple[str, str],
) -> None:
    owner_url, service_url = logins
    migrate(owner_url)
    database = Database(service_url, connections=3)
    services = build_services(database)
    first, second, third = (
        operator(services.organisations.add("test", make_organisation(name)), "test")
        for name in ("first", "second", "third")
    )
    entry_id = services.suppressions.suppress(second, Draft(NUMBER, GLOBAL))

    for caller in (first, third):
        with pytest.raises(EntryForeign):
            services.suppressions.release_entry(caller, entry_id)
        with pytest.raises(EntryUnknown):
            services.suppressions.release_entry(caller, entry_id + 1000)
    for caller in (first, second, third):
        with database.transaction(Scope(caller.organisation.id)) as tx:
            tx.fetch("SELECT dnc_entry_is_foreign(%(id)s)", {"id": entry_id})
            # Who has asked is still who it was.
            seen = tx.fetch("SELECT id FROM organisation", {})
            assert seen == [{"id": caller.organisation.id}]
    services.suppressions.release_entry(second, entry_id)
    database.close()


def test_neither_seals_nor_verifies_as_a_superuser(
    logins: tuple[str, str], tmp_path: Path
) -> None:
    owner_url, service_url = logins
    migrate(owner_url)
    database = Database(service_url, connections=3)
    services = build_services(database, tmp_path / "key")
    services.keys.start()
    for name in ("first", "second"):
        caller = operator(
            services.organisations.add("test", make_organisation(name)), ""
        )
        services.suppressions.suppress(caller, Draft(NUMBER, GLOBAL))
        services.suppressions.release(caller, NUMBER, GLOBAL, None, None)

    assert services.sealing.run() == 6
    report = services.audit.verify([])
    database.close()

    assert report.clean, list(report.lines())
    assert (report.sealed, report.versions) == (6, 2)
