"""Tokens of an organisation whose releases are guarded, and ways to release."""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from app.domain.access import Caller, Grant
from app.domain.entries import Draft
from app.domain.errors import (
    DncError,
)
from app.domain.guards import Rules
from app.domain.phone import PhoneNumber
from app.domain.scopes import CampaignReference, read_campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT

GLOBAL = read_campaign("0")
TELEMKT = read_campaign("-1")


def number(n: int) -> PhoneNumber:
    return PhoneNumber("1", f"55512{n:05}")


@dataclass(frozen=True)
class People:
    """Tokens of one organisation, and its database as its owner sees it."""

    services: Services
    operator: Caller
    url: str

    def token(self, name: str, *grants: Grant) -> Caller:
        self.services.access.issue(self.operator, name, grants or EVERY_GRANT)
        known = self.services.access.list_tokens(self.operator)
        return self.operator._replace(
            token_id=known[-1].id,
            actor=name,
            grants=known[-1].grants,
            dialect="test",
        )

    def set(self, **rules: object) -> None:
        self.services.guards.set_rules(self.operator, Rules(**rules))  # type: ignore[arg-type]

    def list_numbers(self, *ns: int, campaign: CampaignReference = GLOBAL) -> list[int]:
        purpose = "TELEMKT" if campaign.is_purpose_list else None
        return [
            self.services.suppressions.suppress(
                self.operator, Draft(number(n), campaign, purpose)
            )
            for n in ns
        ]

    def operations(self, kind: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                "SELECT id, actor, why, touched, unblocked, approves FROM operation"
                " WHERE kind = %s ORDER BY id",
                [kind],
            ).fetchall()

    def listed(self) -> int:
        with psycopg.connect(self.url) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM dnc_entry").fetchall()
        return int(rows[0])

    def checking(self) -> bool:
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT checking_enabled FROM organisation"
            ).fetchall()
        return bool(rows[0][0])


def release(people: People, by: Caller, reason: str | None) -> None:
    people.services.suppressions.release(
        by, number(1), GLOBAL, None, None, reason=reason
    )


def release_many(people: People, by: Caller, reason: str | None) -> None:
    people.services.suppressions.release_many(
        by, [number(1), number(9)], GLOBAL, reason
    )


def attempt(work: Callable[[], object]) -> str:
    try:
        work()
    except DncError as error:
        return type(error).__name__
    return "done"
