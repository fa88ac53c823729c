"""An import is one operation and one transaction, whatever the file holds."""

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.entries import Draft
from app.domain.errors import (
    CampaignUnknown,
    PurposeInvalid,
    StoreUnavailable,
    TextNotUtf8,
)
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.files.rejects import Cause, RejectsFile
from app.services.imports import (
    ImportOptions,
    Outcome,
    Progress,
    Source,
    Stage,
)
from app.services.organisations import operator
from app.store import bulk
from app.store.connections import BoundedConnection
from app.store.roles import Scope
from tests.conftest import make_organisation
from tests.store.listing import entries, import_text, rows

HEADER = "phone_number,phone_code,campaign_id,campaign_uid,purpose,reason,inserted_at,"
HEADER += "evidence\n"
NUMBERS = "".join(f"{number}\n" for number in range(5550000000, 5550002000))


def operations(url: str) -> list[tuple[str, int, str]]:
    kept = rows(url, "SELECT * FROM operation WHERE kind LIKE 'entries:%' ORDER BY id")
    return [(row["kind"], row["touched"], row["why"]) for row in kept]


def test_every_number_is_listed_by_one_operation(services, caller, database_url):
    report = import_text(services, caller, NUMBERS, reason="registry")

    assert (report.outcome, report.read, report.inserted) == ("stored", 2000, 2000)
    listed = entries(
        database_url, "e164", "calling_code", "campaign_id", "reason", "operation_id"
    )
    assert listed == [
        (15550000000 + n, 1, 0, "registry", report.operation_id) for n in range(2000)
    ]
    assert operations(database_url) == [("entries:imported", 2000, "numbers.csv")]


def test_the_same_file_again_changes_nothing(services, caller, database_url):
    import_text(services, caller, NUMBERS)
    before = rows(database_url, "SELECT * FROM dnc_entry ORDER BY id")

    again = import_text(services, caller, NUMBERS)

    assert again.outcome is Outcome.UNCHANGED
    assert (again.inserted, again.already_listed) == (0, 2000)
    assert again.operation_id is None
    assert rows(database_url, "SELECT * FROM dnc_entry ORDER BY id") == before
    assert len(operations(database_url)) == 1


def test_what_is_listed_stays_as_it_is(services, caller, database_url):
    draft = Draft(PhoneNumber("1", "5551234567"), read_campaign("0"), None, "asked")
    entry_id = services.suppressions.suppress(caller, draft)

    report = import_text(
        services, caller, "5551234567\n5551234568\n", reason="registry"
    )

    assert (report.inserted, report.already_listed) == (1, 1)
    assert entries(database_url, "e164", "reason") == [
        (15551234567, "asked"),
        (15551234568, "registry"),
    ]
    assert entries(database_url, "id")[0] == (entry_id,)
    assert rows(database_url, "SELECT * FROM dnc_entry_past") == []


def test_of_rows_that_mean_the_same_entry_the_first_counts(
    services, caller, database_url
):
    again = "".join(
        f"555123{n % 100:04},1,0,,,row {n},\n+1 (555) 123-{n % 100:04},,,,,x,\n"
        for n in range(3000)
    )

    report = import_text(services, caller, HEADER + again)

    assert (report.read, report.inserted, report.repeated) == (6000, 100, 5900)
    assert entries(database_url, "reason") == [(f"row {n}",) for n in range(100)]


def test_rows_say_which_list_why_and_since_when(services, caller, database_url):
    spring = services.campaigns.add(caller, None, Campaign(0, "SPRING", "Spring", ""))
    services.campaigns.add_purpose(caller, "surveys")

    report = import_text(
        services,
        caller,
        HEADER + "5551110001,1,4711,SPRING,a note,,2026-01-02T03:04:05.678901Z\n"
        f"5551110002,1,{spring},,,back\\slash,2026-01-02 03:04:05+02:00\n"
        "5551110003,1,SPRING,,,,2026-01-02\n"
        "5551110004,1,-1,,telemkt,,\n"
        "5551110004,1,-1,,surveys,,\n"
        '2071838750,44,,,,,,"{""batchId"": ""B\\\\7""}"\n'
        "+442071838751,,,,,,\n",
        reason="imported",
        purpose="VERIFY",
    )

    assert report.inserted == 7
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    listed = entries(
        database_url, "e164", "campaign_id", "purpose", "reason", "inserted_at"
    )
    told = [row for row in entries(database_url, "e164", "evidence") if row[1]]
    assert told == [(442071838750, {"batchId": "B\\7"})]
    assert [row[:4] for row in listed] == [
        (15551110001, spring, "a note", "imported"),
        (15551110002, spring, "VERIFY", "back\\slash"),
        (15551110003, spring, "VERIFY", "imported"),
        (15551110004, -1, "TELEMKT", "imported"),
        (15551110004, -1, "surveys", "imported"),
        (442071838750, 0, "VERIFY", "imported"),
        (442071838751, 0, "VERIFY", "imported"),
    ]
    assert [row[4] for row in listed[:3]] == [
        at,
        at.replace(hour=1, microsecond=0),
        at.replace(hour=0, minute=0, second=0, microsecond=0),
    ]


REJECTED = [
    (",1,0,,,x,", Cause.NUMBER_MISSING),
    ("727XXXXXXX,1,0,,,,", Cause.AREA_CODE),
    ("5.55123e9,1,0,,,,", Cause.SCIENTIFIC),
    ("5.55123E+09,1,0,,,,", Cause.SCIENTIFIC),
    ("5551234567.0,1,0,,,,", Cause.DECIMAL),
    ("555123\x004567,1,0,,,,", Cause.NUL),
    ("555,1,0,,,,", Cause.NUMBER_IMPOSSIBLE),
    ("+5551234567,,0,,,,", Cause.NUMBER_PLUS),
    ("5551234567,1,0,,,-NOTBLANK-,", Cause.REASON_FILTER),
    ("5551234567,1,0,,-NOTBLANK-,,", Cause.PURPOSE_FILTER),
    ("+442071838750,1,0,,,,", Cause.NUMBER_IMPOSSIBLE),
    ("5551234567,999,0,,,,", Cause.CALLING_CODE),
    ("5551234567,1,4711,,,,", Cause.CAMPAIGN),
    ("5551234567,1,no such,,,,", Cause.CAMPAIGN),
    ("5551234567,1,0,NOSUCH,,,", Cause.CAMPAIGN),
    ("5551234567,1,-1,,,,", Cause.PURPOSE_MISSING),
    ("5551234567,1,-1,,NOSUCH,,", Cause.PURPOSE_UNKNOWN),
    (f"5551234567,1,0,,{'x' * 65},,", Cause.PURPOSE_TEXT),
    (f"5551234567,1,0,,,{'x' * 256},", Cause.REASON_LONG),
    ('5551234567,1,0,,,"two\nlines",', Cause.REASON_TEXT),
    ("5551234567,1,0,,,,yesterday", Cause.DATE),
    ("5551234567,1,0,,,,2026-02-30", Cause.DATE),
    ("5551234567,1,0,,,,20260102", Cause.DATE),
    ("5551234567,1,0,,,,9999-01-01", Cause.FUTURE),
    ("5551234567,1,0,,,,,batch 7", Cause.EVIDENCE),
    ("5551234567,1,0,,,,,[]", Cause.EVIDENCE),
    ('5551234567,1,0,,,,,"{""batchId"": 7}"', Cause.EVIDENCE),
    ('5551234567,1,0,,,,,"{""batchId"": null}"', Cause.EVIDENCE),
    ('5551234567,1,0,,,,,"{""batchId"": {""a"": 1}}"', Cause.EVIDENCE),
    ('5551234567,1,0,,,,,"{""batchId"": [""a""]}"', Cause.EVIDENCE),
    (f'5551234567,1,0,,,,,"{{""x"": ""{"x" * 256}""}}"', Cause.EVIDENCE),
]


def test_a_row_is_rejected_for(services, caller, database_url):
    text = HEADER + "".join(f"{row}\n" for row, _ in REJECTED) + ",,,,,,\n\n"

    report = import_text(services, caller, text + "5550000000,,,,,,\n")

    assert report.outcome is Outcome.REFUSED
    assert (report.read, report.rejected) == (len(REJECTED) + 1, len(REJECTED))
    first = [reject.cause for reject in report.first_rejects]
    assert first == [cause for _, cause in REJECTED][: len(first)]
    assert report.causes == Counter(cause for _, cause in REJECTED)
    assert entries(database_url, "e164") == []
    rest = import_text(services, caller, text + "5550000000,,,,,,\n", skip_invalid=True)
    assert (rest.outcome, rest.inserted) == ("stored", 1)
    assert rest.rejected == len(REJECTED)
    assert entries(database_url, "e164") == [(15550000000,)]


def test_what_is_written_for_no_text_at_all_is_none(services, caller, database_url):
    import_text(services, caller, HEADER + "5550000000,1,0,,-BLANK-,-BLANK-,\n")

    assert entries(database_url, "purpose", "reason") == [(None, None)]


@pytest.mark.parametrize(
    ("text", "e164"),
    [("+12015551234", 12015551234), ("+442079460958", 442079460958), ("+201", None)],
)
def test_a_plus_means_another_country_where_somebody_can_have_the_number(
    text, e164, services, caller, database_url
):
    # Brazil has no such number; somebody put the plus before one of North America.
    report = import_text(services, caller, f"{text}\n+5551234567\n", skip_invalid=True)

    assert report.causes[Cause.NUMBER_PLUS] == 1
    assert entries(database_url, "e164") == ([(e164,)] if e164 else [])


def test_rejects_can_be_corrected_and_imported(services, caller):
    file = io.StringIO()
    text = b"5551234567\n727XXXXXXX\n5.55123e9\n"
    options = ImportOptions(skip_invalid=True)
    source = Source(io.BytesIO(text), "numbers.txt")

    services.imports.run(caller, source, options, rejects=RejectsFile(file))

    header, area_code, scientific = file.getvalue().splitlines()
    assert header == "line,cause,phone_number"
    assert area_code.startswith("2,")
    assert area_code.endswith(",727XXXXXXX")
    assert scientific.startswith("3,")
    corrected = file.getvalue().replace("5.55123e9", "5551234568")
    corrected = corrected.replace("727XXXXXXX", "7275551234")
    assert import_text(services, caller, corrected).inserted == 2


@pytest.mark.parametrize(
    "line",
    [
        "5551234567",
        "15551234567",
        "+15551234567",
        "+1 (555) 123-4567",
        '"5551234567"',
        "'5551234567",
        '="5551234567"',
        "\u00a05551234567 ",
        "5551234567,,",
        "0015551234567",
    ],
)
def test_a_spelling_is_read_alone_and_among_plain_lines(
    line, services, caller, database_url
):
    import_text(services, caller, f"{line}\n")
    import_text(services, caller, f"5550000001\n{line}\n5550000002\n")

    assert entries(database_url, "e164") == [
        (15550000001,),
        (15550000002,),
        (15551234567,),
    ]


def test_numbers_without_a_code_have_that_of_the_organisation_or_of_the_command(
    services, database_url
):
    wanted = make_organisation("London")
    object.__setattr__(wanted, "default_phone_code", "44")
    london = operator(services.organisations.add("test", wanted), "test")

    import_text(services, london, "2071838750\n+15551234567\n")
    import_text(services, london, "5551234568\n", calling_code="1")
    import_text(services, london, "555,1234569\n")

    assert entries(database_url, "e164", "calling_code") == [
        (15551234567, 1),
        (15551234568, 1),
        (15551234569, 1),
        (442071838750, 44),
    ]


def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    services, caller, database_url
):
    import_text(services, caller, "5550000000\n5550000001\n")
    text = NUMBERS + "5550000000\nnonsense 1\n"

    report = import_text(services, caller, text, dry_run=True)

    assert report.outcome is Outcome.DRY_RUN
    assert (report.read, report.inserted, report.already_listed) == (2002, 1998, 2)
    assert (report.repeated, report.rejected) == (1, 1)
    assert len(entries(database_url, "id")) == 2
    purposes = HEADER + "5550000000,1,-1,,VERIFY,,\n5550000000,1,-1,,TELEMKT,,\n"
    import_text(services, caller, purposes)
    assert import_text(services, caller, purposes, dry_run=True).inserted == 0
    assert len(operations(database_url)) == 2


def test_a_file_that_breaks_off_leaves_nothing(services, caller, database_url):
    with pytest.raises(TextNotUtf8, match="line 2001 "):
        import_text(services, caller, NUMBERS.encode() + b"\xff\n")

    assert entries(database_url, "id") == []
    assert operations(database_url) == []


@pytest.mark.parametrize("stage", [Stage.READING, Stage.STORING, Stage.COMMITTING])
def test_whoever_is_interrupted_leaves_nothing(
    stage, services, caller, database_url, monkeypatch
):
    monkeypatch.setattr(bulk, "ROWS_A_PIECE", 500)
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        if progress.stage is stage and (progress.fraction or 1) > 0.4:
            raise KeyboardInterrupt

    source = Source(io.BytesIO(NUMBERS.encode()), "numbers.txt", len(NUMBERS))
    with pytest.raises(KeyboardInterrupt):
        services.imports.run(caller, source, ImportOptions(), progress=interrupt)

    assert seen[-1].stage is stage
    assert entries(database_url, "id") == []
    assert operations(database_url) == []
    assert import_text(services, caller, NUMBERS).inserted == 2000


def test_the_pieces_are_shown_as_they_are_stored(services, caller, monkeypatch):
    monkeypatch.setattr(bulk, "ROWS_A_PIECE", 500)
    seen: list[Progress] = []
    source = Source(io.BytesIO(NUMBERS.encode()), "numbers.txt", len(NUMBERS))

    services.imports.run(caller, source, ImportOptions(), progress=seen.append)

    assert seen[0] == Progress(Stage.READING, 2000, 1.0)
    storing = [progress for progress in seen if progress.stage is Stage.STORING]
    assert len(storing) >= 4
    assert (storing[-1].rows, storing[-1].fraction) == (2000, 1.0)
    assert [p.fraction for p in storing] == sorted(p.fraction for p in storing)


def test_no_list_is_meant_by(services, caller, database_url):
    with pytest.raises(CampaignUnknown):
        import_text(services, caller, NUMBERS, campaign=read_campaign("NOSUCH"))
    for purpose in (None, "NOSUCH"):
        with pytest.raises(PurposeInvalid):
            import_text(
                services, caller, NUMBERS, campaign=read_campaign("-1"), purpose=purpose
            )
    assert entries(database_url, "id") == []


def test_a_list_for_a_purpose_is_imported(services, caller, database_url):
    meant = {"campaign": read_campaign("-1"), "purpose": "telemkt"}

    first = import_text(services, caller, "5551234567\n", **meant)
    again = import_text(services, caller, "5551234567\n", **meant)

    assert (first.inserted, again.inserted) == (1, 0)
    assert entries(database_url, "campaign_id", "purpose") == [(-1, "TELEMKT")]


def test_organisations_do_not_mix(services, caller, database_url):
    theirs = services.organisations.add("test", make_organisation("Other"))
    other = operator(theirs, "test")
    services.campaigns.add(other, 4711, Campaign(0, "THEIRS", "Theirs", ""))

    ours = import_text(services, caller, NUMBERS)
    again = import_text(services, other, NUMBERS)
    refused = import_text(services, caller, HEADER + "5551234567,1,4711,,,,\n")

    assert ours.inserted == again.inserted == 2000
    assert refused.causes == {Cause.CAMPAIGN: 1}
    counted = rows(
        database_url,
        "SELECT count(*) AS n FROM dnc_entry GROUP BY organisation_id",
    )
    assert [row["n"] for row in counted] == [2000, 2000]


def test_a_request_s_connection_may_take_longer_for_bulk_work_alone(
    database, monkeypatch
):
    monkeypatch.setattr(BoundedConnection, "deadline", 0.2)

    with database.transaction(Scope(), deadline=5) as tx:
        tx.fetch("SELECT pg_sleep(0.4)", {})

    with pytest.raises(StoreUnavailable), database.transaction(Scope()) as tx:
        tx.fetch("SELECT pg_sleep(0.4)", {})


def test_an_opt_out_of_a_moment_ago_is_no_future_one(services, caller, database_url):
    now = datetime.now(UTC) - timedelta(seconds=1)

    import_text(services, caller, HEADER + f"5551234567,1,0,,,,{now.isoformat()}\n")

    assert entries(database_url, "inserted_at") == [(now,)]


def test_two_imports_at_once_list_each_number_once(
    services, caller, database_url, monkeypatch
):
    monkeypatch.setattr(bulk, "ROWS_A_PIECE", 100)
    upwards = NUMBERS.splitlines()
    files = ["\n".join(upwards), "\n".join(reversed(upwards[500:])), NUMBERS]

    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda f: import_text(services, caller, f), files))

    assert sum(report.inserted for report in reports) == 2000
    assert len(entries(database_url, "id")) == 2000
    kept = operations(database_url)
    assert sum(touched for _, touched, _ in kept) == 2000
    assert len(kept) == sum(report.outcome is Outcome.STORED for report in reports)


def test_a_number_that_was_released_is_listed_again(services, caller, database_url):
    import_text(services, caller, "5551234567\n")
    number = PhoneNumber("1", "5551234567")
    services.suppressions.release(caller, number, read_campaign("0"), None, None)

    assert import_text(services, caller, "5551234567\n").inserted == 1
    assert len(rows(database_url, "SELECT * FROM dnc_entry_past")) == 1
