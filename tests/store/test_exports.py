"""What is exported can be imported elsewhere as it is."""

import csv
import io
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.entries import Draft
from app.domain.errors import CampaignUnknown
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.files.tables import Column
from app.services.organisations import operator
from tests.conftest import make_organisation
from tests.store.listing import entries, exported, import_text

_names = itertools.count()

REASONS = [None, "DNC", "a, b", 'say "no"', "back\\slash \\N", "=1+1", "Grüße", "\\."]


@pytest.fixture
def elsewhere(services):
    """Another organisation, whose campaign of the same code has another id."""
    other = operator(
        services.organisations.add("test", make_organisation("Elsewhere")), "test"
    )
    services.campaigns.add(other, 4711, Campaign(0, "SPRING", "Spring", ""))
    return other


def test_the_columns_are_those_of_an_import(services, caller):
    services.suppressions.suppress(
        caller, Draft(PhoneNumber("39", "0612345678"), read_campaign("0"), None, "a,b")
    )

    header, line = exported(services, caller)

    assert header.split(",") == list(Column)
    row = next(csv.reader([line]))
    assert row[:6] == ["0612345678", "39", "0", "0", "", "a,b"]
    assert len(row[6]) == len("2026-01-02T03:04:05.678901Z")


def test_a_list_is_the_same_in_another_organisation(services, caller, elsewhere):
    services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", ""))
    rows = [
        f"555000{n:04},1,{['0', 'SPRING', '-1'][n % 3]},VERIFY,{reason or ''}\n"
        for n, reason in enumerate(REASONS * 40)
        if not reason or not {",", '"'} & set(reason)
    ]
    import_text(
        services,
        caller,
        "phone_number,phone_code,campaign_id,purpose,reason\n" + "".join(rows),
    )
    for n, reason in enumerate(REASONS):
        services.suppressions.suppress(
            caller,
            Draft(PhoneNumber("1", f"555111{n:04}"), read_campaign("0"), None, reason),
        )
    before = exported(services, caller)

    report = import_text(services, elsewhere, "\n".join(before))

    assert report.inserted == report.read == len(rows) + len(REASONS)
    after = exported(services, elsewhere)
    assert [line.replace(",4711,", ",101,") for line in after] == before
    assert import_text(services, caller, "\n".join(before)).inserted == 0


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    drafts=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    PhoneNumber("1", "5551234567"),
                    PhoneNumber("1", "0012345678"),
                    PhoneNumber("39", "0612345678"),
                    PhoneNumber("44", "2071838750"),
                    PhoneNumber("49", "4930123456"),
                    PhoneNumber("49", "30123456"),
                ]
            ),
            st.text(max_size=20).filter(str.isprintable),
            st.sampled_from(["TELEMKT", "VERIFY"]),
        ),
        unique_by=lambda draft: (draft[0], draft[2]),
    )
)
def test_every_entry_survives_the_journey(drafts, services):
    here = operator(
        services.organisations.add("test", make_organisation(f"H {next(_names)}")), "t"
    )
    there = operator(
        services.organisations.add("test", make_organisation(f"T {next(_names)}")), "t"
    )
    for number, reason, purpose in drafts:
        services.suppressions.suppress(
            here, Draft(number, read_campaign("-1"), purpose, reason or None)
        )

    import_text(services, there, b"".join(services.exports.stream(here)))

    assert exported(services, there) == exported(services, here)


def test_one_campaign_is_exported_alone(services, caller, database_url):
    spring = services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", ""))
    text = f"phone_number,campaign_id\n5551234567,{spring}\n5551234567,0\n"
    import_text(services, caller, text)
    assert len(entries(database_url, "id")) == 2

    stream = services.exports.stream(caller, read_campaign("SPRING"))

    (row,) = csv.DictReader(io.StringIO(b"".join(stream).decode()))
    assert row["campaign_id"] == str(spring)
    assert services.exports.count(caller, read_campaign("SPRING")) == 1
    assert services.exports.count(caller) == 2
    with pytest.raises(CampaignUnknown):
        services.exports.stream(caller, read_campaign("NOSUCH"))


def test_another_organisation_s_entries_are_not_there(services, caller, elsewhere):
    import_text(services, elsewhere, "5551234567\n")

    assert exported(services, caller) == [",".join(Column)]


def test_an_export_is_of_one_moment_and_may_be_left_half_way(services, caller):
    numbers = "".join(f"{n}\n" for n in range(5550000000, 5550012000))
    import_text(services, caller, numbers)
    stream = services.exports.stream(caller)
    first = next(stream)

    import_text(services, caller, "5559999999\n")
    rest = b"".join(stream)
    left = services.exports.stream(caller)
    next(left)
    left.close()

    assert (first + rest).count(b"\n") == 12_001
    assert len(exported(services, caller)) == 12_002
