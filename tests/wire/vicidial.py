"""A VICIdial box: an organisation with a user, and the page that it asks."""

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import requests

from app.domain.access import Grant
from app.domain.scopes import FILTER_PHONE_GROUP, Campaign
from app.services import Services
from app.services.organisations import EVERY_GRANT, operator
from tests.conftest import make_organisation
from tests.wire.service import Api, Service

PAGE = "/vicidial/non_agent_api.php"
FILTER = "/vicidial/filter"
NUMBER = "7275551212"
OTHER = "7275551213"
OWN = "SYSTEM_INTERNAL"
CAMPAIGN = "TESTCAMP"
GROUP = "FPG1"

_numbers = itertools.count(6666)


@dataclass(frozen=True)
class Box:
    """A user of one organisation, with a campaign and a filter phone group."""

    api: Api
    user: str
    password: str
    edition: str

    @property
    def login(self) -> dict[str, str]:
        return {"source": "test", "user": self.user, "pass": self.password}

    def send(
        self, function: str, *, method: str = "GET", path: str = PAGE, **fields: Any
    ) -> requests.Response:
        """Ask by query, as the documentation does; None leaves a field out."""
        asked = {**self.login, "function": function, **fields}
        return requests.request(method, self.api.base + path, params=asked, timeout=20)

    def say(self, function: str, **fields: Any) -> str:
        """Return the lines of an answer that has the headers of every answer."""
        answer = self.send(function, **fields)
        assert answer.status_code == 200, answer.text
        require_headers(answer)
        return answer.text

    def filters(self, **fields: Any) -> requests.Response:
        asked = {"user": self.user, "pass": self.password, **fields}
        return requests.get(self.api.base + FILTER, params=asked, timeout=20)

    def words(self, documented: str, live: str) -> str:
        """Return what an answer in the box's edition says, with the user in it."""
        words = {"documented": documented, "live": live}[self.edition]
        return words.replace("6666", self.user)

    def with_grants(self, *grants: Grant) -> "Box":
        """Return another user of the same organisation, who may do less."""
        return with_user(self.api, self.edition, grants)

    def listed(self) -> list[tuple[str, str]]:
        """Return every entry as its number and the code of its list."""
        return [
            (f"{entry['phone_code']}{entry['phone_number']}", entry["campaign_uid"])
            for entry in self.api.search()
        ]


def with_user(api: Api, edition: str, grants: Collection[Grant]) -> Box:
    user = str(next(_numbers))
    password = api.services.access.issue(api.caller, user, grants, user=user)
    return Box(api, user, password, edition)


def make_box(
    service: Service,
    services: Services,
    edition: str = "documented",
    time_zone: str = "UTC",
    default_phone_code: str = "1",
) -> Box:
    """Return a box of a new organisation, which has a campaign and a group."""
    name = f"vicidial {next(_numbers)}"
    wanted = replace(
        make_organisation(name, time_zone),
        editions={"vicidial": edition},
        default_phone_code=default_phone_code,
    )
    caller = operator(services.organisations.add("test", wanted), "test")
    token = services.access.issue(caller, "everything", EVERY_GRANT)
    api = Api(service.base, token, caller, services)
    api.add_campaign(CAMPAIGN, "TELEMKT")
    services.campaigns.add(caller, None, Campaign(0, GROUP, "VIPs", FILTER_PHONE_GROUP))
    return with_user(api, edition, EVERY_GRANT)


def require_headers(answer: requests.Response) -> None:
    """Fail unless *answer* has the headers that every answer of the page has."""
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache, must-revalidate"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
