"""Every operation gets its seal, and an untouched history verifies."""

from pathlib import Path

import psycopg
import pytest

from app.audit.verify import Anchor, Report
from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import Draft, Revision
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from app.store.database import Database
from tests.conftest import make_organisation

GLOBAL = read_campaign("0")


def number(index: int) -> PhoneNumber:
    return PhoneNumber("1", f"555{1000000 + index}")


@pytest.fixture
def sealed(database: Database, tmp_path: Path) -> Services:
    """The services of an installation that has its key."""
    found = build_services(database, tmp_path / "key")
    found.keys.start()
    return found


@pytest.fixture
def caller(sealed: Services) -> Caller:
    return operator(sealed.organisations.add("test", make_organisation("Acme")), "test")


def newest(services: Services) -> Anchor:
    found = services.sealing.newest()
    assert found is not None
    return found


def verified(services: Services, *anchors: Anchor) -> Report:
    report = services.audit.verify(anchors)
    assert report.clean, list(report.lines())
    return report


def unsealed(url: str) -> int:
    with psycopg.connect(url) as connection:
        [row] = connection.execute(
            "SELECT count(*) FROM operation LEFT JOIN seal_leaf AS leaf "
            "ON leaf.organisation_id = operation.organisation_id "
            "AND leaf.operation_id = operation.id WHERE leaf.hash IS NULL"
        ).fetchall()
        return int(row[0])


def test_every_kind_of_operation_is_sealed_and_verifies(
    sealed: Services, caller: Caller, database_url: str
) -> None:
    services = sealed
    services.access.issue(caller, "token", EVERY_GRANT)
    services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", ""))
    services.campaigns.add_purpose(caller, "SURVEY")
    ids = [
        services.suppressions.suppress(caller, Draft(number(i), GLOBAL, None, "a"))
        for i in range(5)
    ]
    assert services.sealing.run() > 5
    anchor = newest(services)
    services.suppressions.revise(caller, ids[0], Revision(reason="b"))
    services.suppressions.revise(caller, ids[0], Revision(reason="c"))
    services.suppressions.release(caller, number(1), GLOBAL, None, None)
    services.suppressions.suppress_many(
        caller, [Draft(number(i), GLOBAL) for i in range(100, 150)]
    )
    services.organisations.switch_checking(caller, enabled=False)

    assert services.sealing.run() == 5
    assert services.sealing.run() == 0

    assert unsealed(database_url) == 0
    report = verified(services, anchor)
    assert report.waiting == 0
    assert report.anchors == 1
    assert report.versions == 5 + 2 + 50
