"""
VICIdial's own filters for DNC.com as clients: what they send, and how they read.

The batch filter posts multipart and splits lines at line feeds and columns at commas;
the inbound filter asks by GET, whole numbers only, and looks at the second column.
"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.wire.dncscrub import NUMBER, OTHER, add
from tests.wire.service import Api

STATUSES = {code: f"{code}DNCCM" for code in "XCOERWGHLFVIMBPDSTY"}
FILTERS = ("USADNC", "PROJDNC", "LITIGATOR", "INVALID")


class Unmatched(Exception):
    """The batch filter stops: a line is not about the lead that it should be."""


def batch(api: Api, leads: list[str], **settings: str) -> list[str]:
    """Return the new status of each lead, as the batch filter would set it."""
    fields = {"PROJ_ID": "", "CAMPAIGN_ID": "", "VERSION": "3"} | settings
    answer = requests.post(
        f"{api.base}/app/main/rpc/scrub",
        files={
            "loginId": (None, api.token),
            "version": (None, fields["VERSION"]),
            "projId": (None, fields["PROJ_ID"]),
            "campaignId": (None, fields["CAMPAIGN_ID"]),
            "phoneList": (None, ",".join(leads)),
        },
        headers={"Expect": "100-continue"},
        timeout=30,
    )
    statuses = []
    for index, line in enumerate(answer.text.removesuffix("\n").split("\n")):
        number, _, rest = line.partition(",")
        if number != leads[index]:
            raise Unmatched(line)
        # A line goes into a statement between apostrophes, and into 255 characters.
        assert not re.search(r"['\\]", line)
        assert len(line) <= 255
        statuses.append(STATUSES[rest.split(",")[0]])
    return statuses


def inbound(api: Api, phone: str, **settings: str) -> str:
    """Return how many of its conditions the inbound filter finds: 0 lets it pass."""
    url = (
        f"{api.base}/app/main/rpc/scrub?version=2&loginId={api.token}&phoneList={phone}"
    )
    for name, value in settings.items():
        url += f"&{name}={value}"
    answer = requests.get(url, timeout=10)
    contents = re.sub(";|\n", "", answer.text) if answer.ok else "PHP ERROR: 2"
    found = contents.split(",")
    code = found[1] if len(found) > 1 else ""
    met = {
        "USADNC": code == "D" and "National (USA)" in contents,
        "PROJDNC": code == "P",
        "LITIGATOR": code == "D" and "Litigator" in contents,
        "INVALID": code == "I"
        or bool(re.search(r"\D", phone))
        or "not a valid number" in contents,
    }
    return str(sum(met[name] for name in FILTERS))


def test_the_batch_filter_sets_every_lead_s_status(api):
    api.insert(NUMBER, reason='don\'t; call, "ever" \\ again')

    leads = [OTHER, NUMBER, "0012345678", OTHER, NUMBER]

    assert batch(api, leads) == ["CDNCCM", "PDNCCM", "IDNCCM", "CDNCCM", "PDNCCM"]


def test_the_batch_filter_scrubs_for_a_campaign(api):
    api.add_campaign("SPRING")
    add(api, NUMBER, projId="SPRING")

    assert batch(api, [NUMBER]) == ["CDNCCM"]
    assert batch(api, [NUMBER], PROJ_ID="SPRING") == ["PDNCCM"]
    assert batch(api, [NUMBER], CAMPAIGN_ID="SPRING", VERSION="5") == ["PDNCCM"]


def test_the_batch_filter_may_send_its_last_thousand_past_fifty_thousand(api):
    leads = [str(5550000000 + n) for n in range(50_999)]
    add(api, leads[-1])

    statuses = batch(api, leads)

    assert statuses[:-1] == ["CDNCCM"] * 50_998
    assert statuses[-1] == "PDNCCM"
    with pytest.raises(Unmatched, match="Too many numbers: at most 50999 a call"):
        batch(api, [*leads, OTHER])


def test_the_batch_filter_changes_no_lead_when_it_is_refused(api):
    with pytest.raises(Unmatched, match="Unknown projId"):
        batch(api, [NUMBER], PROJ_ID="NOSUCH")
    api.services.access.revoke(api.caller, "everything")
    fresh = api.with_grants()
    with pytest.raises(Unmatched, match="may not do this"):
        batch(fresh, [NUMBER])


def test_the_inbound_filter_stops_who_is_listed_or_no_number(api):
    api.add_campaign("SPRING")
    add(api, NUMBER)
    add(api, OTHER, projId="SPRING")

    assert inbound(api, NUMBER) == "1"
    assert inbound(api, OTHER) == "0"
    assert inbound(api, OTHER, projId="SPRING") == "1"
    assert inbound(api, OTHER, campaignId="SPRING") == "1"
    assert inbound(api, "0012345678") == "1"
    assert inbound(api, "911") == "1"
    assert inbound(api, "anonymous") == "1"


def test_filters_at_once_are_all_answered(api):
    add(api, NUMBER)
    leads = [NUMBER, *(str(5550000000 + n) for n in range(10_000))]

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(batch, api, leads) for _ in range(8)]
        statuses = [one.result() for one in asked]

    assert all(found == ["PDNCCM", *["CDNCCM"] * 10_000] for found in statuses)
