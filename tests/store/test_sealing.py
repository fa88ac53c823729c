"""Every operation gets its seal, and an untouched history verifies."""

import io
import json
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from app.audit.verify import Anchor, Report
from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.entries import Draft, Revision
from app.domain.errors import AnchorContradicts, StoreUnavailable
from app.domain.events import OperationKind
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, read_campaign
from app.files import anchors
from app.services import Services, sealing
from app.services.anchoring import Anchoring
from app.services.imports import ImportOptions, Source
from app.services.organisations import EVERY_GRANT, operator
from app.store import bulk, operations, seals
from app.store.database import Database
from app.store.roles import Scope
from tests.conftest import make_organisation
from tests.store import tampering

GLOBAL = read_campaign("0")


def number(index: int) -> PhoneNumber:
    return PhoneNumber("1", f"555{1000000 + index}")


@pytest.fixture
def sealed(keyed: Services) -> Services:
    return keyed


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


def test_writers_and_sealers_at_once_leave_nothing_unsealed(
    sealed: Services, database_url: str, tmp_path: Path
) -> None:
    names = ("first", "second")
    callers = [
        operator(sealed.organisations.add("test", make_organisation(name)), "test")
        for name in names
    ]
    done = threading.Event()

    def write(writer: int) -> None:
        for turn in range(6):
            tampering.work(sealed, [callers[writer % 2]], writer * 10 + turn)

    def seal() -> None:
        database = Database(database_url, connections=2)
        sealer = build_services(database, tmp_path / "key")
        while not done.is_set():
            sealer.sealing.run()
        database.close()

    with ThreadPoolExecutor(6) as threads:
        sealers = [threads.submit(seal) for _ in range(2)]
        writers = [threads.submit(write, number) for number in range(4)]
        for writer in writers:
            writer.result()
        done.set()
        for sealer in sealers:
            sealer.result()
    sealed.sealing.run()

    assert unsealed(database_url) == 0
    assert verified(sealed).seals > 3


def test_a_transaction_that_takes_long_keeps_nobody_else_s_from_being_sealed(
    sealed: Services, caller: Caller, database: Database, database_url: str
) -> None:
    sealed.sealing.run()
    with database.transaction(Scope(caller.organisation.id)) as slow:
        operation_id = operations.append(slow, caller, OperationKind.PURPOSE_ADDED)
        sealed.suppressions.suppress(caller, Draft(number(1), GLOBAL))

        assert sealed.sealing.run() == 1
        assert unsealed(database_url) == 0
        assert verified(sealed).waiting == 0

    assert sealed.sealing.run() == 1
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT max(sequence), count(*) FROM seal_leaf WHERE operation_id = %s",
            (operation_id,),
        ).fetchone()
    assert row == (newest(sealed).sequence, 1)
    verified(sealed)


def test_what_was_written_before_there_were_seals_is_sealed_too(
    sealed: Services, database_url: str
) -> None:
    caller = operator(
        sealed.organisations.add("test", make_organisation("Old")), "test"
    )
    tampering.work(sealed, [caller], 0)
    # As it was: nothing had told where the entries are.
    with tampering.superuser(database_url) as connection:
        connection.execute("DELETE FROM operation_reach")

    sealed.sealing.run()

    assert unsealed(database_url) == 0
    assert verified(sealed).versions == 10
    with tampering.superuser(database_url) as connection:
        connection.execute("UPDATE dnc_entry SET reason = 'x' WHERE id = 3")
    assert [f.kind for f in sealed.audit.verify([]).findings] == ["edited"]


def test_a_backlog_takes_many_seals_and_verifies(
    sealed: Services,
    caller: Caller,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sealing, "MOST", 3)
    tampering.work(sealed, [caller], 0)
    sealed.sealing.run()
    first = newest(sealed).sequence
    tampering.work(sealed, [caller], 1)

    sealed.sealing.run()

    assert newest(sealed).sequence >= first + 3
    assert unsealed(database_url) == 0
    verified(sealed)


def test_after_a_backup_was_loaded_elsewhere_the_chain_goes_on(
    sealed: Services,
    caller: Caller,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tampering.work(sealed, [caller], 0)
    sealed.sealing.run()
    tampering.work(sealed, [caller], 1)
    # Transactions are numbered anew there; what was not sealed keeps its number.
    own = "(SELECT system_identifier::text FROM pg_control_system())"
    for name in ("STATE", "HEAD"):
        statement = getattr(seals, name)
        assert own in statement
        monkeypatch.setattr(seals, name, statement.replace(own, "'elsewhere'"))

    sealed.sealing.run()
    tampering.work(sealed, [caller], 2)
    sealed.sealing.run()

    assert unsealed(database_url) == 0
    verified(sealed)


def test_in_a_long_import_a_change_is_found_within_some_hundred_entries(
    sealed: Services, caller: Caller, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"1{2010000000 + i}\n" for i in range(5000)).encode()
    monkeypatch.setattr(bulk, "ROWS_A_PIECE", 1500)
    sealed.imports.run(caller, Source(io.BytesIO(rows), "list"), ImportOptions())
    sealed.suppressions.release_many(
        caller, [PhoneNumber("1", f"2010{i:06}") for i in range(0, 5000, 2)], GLOBAL
    )
    sealed.sealing.run()
    assert unsealed(database_url) == 0
    assert verified(sealed).versions == 5000

    with tampering.superuser(database_url) as connection:
        [entry] = connection.execute(
            "UPDATE dnc_entry SET e164 = e164 + 1 WHERE e164 = 12010003001 RETURNING id"
        ).fetchall()

    [finding] = sealed.audit.verify([]).findings
    assert finding.kind == "edited"
    found = re.search(r"at or after entry (\d+) and before (\d+)", finding.words)
    assert found
    assert int(found[1]) <= entry["id"] < int(found[2]) <= int(found[1]) + 256


def test_a_chain_made_anew_with_the_key_after_an_edit_contradicts_the_anchor(
    sealed: Services, caller: Caller, database_url: str
) -> None:
    tampering.work(sealed, [caller], 0)
    sealed.sealing.run()
    anchor = newest(sealed)
    with tampering.superuser(database_url) as connection:
        connection.execute("UPDATE dnc_entry SET reason = 'x' WHERE id = 3")
        connection.execute("DELETE FROM seal")
        connection.execute("DELETE FROM seal_leaf")

    sealed.sealing.run()

    assert sealed.audit.verify([]).clean
    report = sealed.audit.verify([anchor])
    assert [f.kind for f in report.findings] == ["rewritten"]


def test_a_tail_that_was_cut_and_grown_again_contradicts_the_anchor(
    sealed: Services, caller: Caller, database_url: str
) -> None:
    for turn in range(3):
        tampering.work(sealed, [caller], turn)
        sealed.sealing.run()
    anchor = newest(sealed)
    with tampering.superuser(database_url) as connection:
        tampering.cut_the_tail(connection, random.Random(1))
    cut = [f.kind for f in sealed.audit.verify([anchor]).findings]

    for turn in range(3, 6):
        tampering.work(sealed, [caller], turn)
        sealed.sealing.run()
    grown = [f.kind for f in sealed.audit.verify([anchor]).findings]

    assert cut == ["cut"]
    assert grown == ["rewritten"]


def test_what_was_erased_keeps_its_seal_and_leaves_no_trace_in_an_export(
    sealed: Services, caller: Caller
) -> None:
    sealed.suppressions.suppress(caller, Draft(number(7), GLOBAL, None, "told me"))
    sealed.suppressions.release(caller, number(7), GLOBAL, None, None)
    sealed.sealing.run()
    anchor = newest(sealed)

    sealed.erasures.erase(caller, number(7))

    assert verified(sealed, anchor).erased == 1
    export = json.dumps(list(sealed.audit.records()))
    assert str(number(7).e164) not in export
    assert "told me" not in export


def test_leaves_stand_in_the_order_of_their_transactions(
    sealed: Services, caller: Caller, database_url: str
) -> None:
    sealed.sealing.run()
    tampering.work(sealed, [caller], 0)
    sealed.sealing.run()

    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT operation.transaction_id::text::bigint FROM seal_leaf AS leaf "
            "JOIN operation ON operation.id = leaf.operation_id "
            "WHERE sequence = (SELECT max(sequence) FROM seal) ORDER BY position"
        ).fetchall()

    assert len(rows) > 5
    assert rows == sorted(rows)


@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("operation", "actor"),
        ("dnc_entry_past", "reason"),
        ("seal", "root"),
        ("seal_leaf", "hash"),
        ("operation_reach", "entries"),
        ("erased_part", "personal"),
        ("installation", "key_fingerprint"),
    ],
)
def test_the_application_s_role_cannot_rewrite_what_is_sealed(
    database: Database, verb: str, table: str, column: str
) -> None:
    statement = {
        "UPDATE": f"UPDATE {table} SET {column} = {column}",
        "DELETE": f"DELETE FROM {table}",
        "TRUNCATE": f"TRUNCATE {table}",
    }[verb]
    with (
        pytest.raises(StoreUnavailable, match="InsufficientPrivilege"),
        database.transaction(Scope(1)) as tx,
    ):
        tx.connection.execute(statement.encode())


def test_whoever_does_not_seal_sees_no_other_organisation_s_leaves(
    sealed: Services, caller: Caller, database: Database
) -> None:
    other = operator(
        sealed.organisations.add("test", make_organisation("Other")), "test"
    )
    tampering.work(sealed, [caller], 0)
    sealed.sealing.run()

    with database.transaction(Scope(other.organisation.id)) as tx:
        seen = tx.fetch("SELECT DISTINCT organisation_id FROM seal_leaf", {})
        reached = tx.fetch("SELECT DISTINCT organisation_id FROM operation_reach", {})

    assert seen == reached == [{"organisation_id": other.organisation.id}]


def test_an_anchor_is_kept_when_something_was_sealed_and_not_too_often(
    sealed: Services, caller: Caller, tmp_path: Path
) -> None:
    file = tmp_path / "data" / "anchors.jsonl"
    often = Anchoring(sealed.sealing, file, 0)
    sealed.sealing.run()

    first = often.keep()
    again = often.keep()
    sealed.suppressions.suppress(caller, Draft(number(1), GLOBAL))
    sealed.sealing.run()
    seldom = Anchoring(sealed.sealing, file, 60)
    second = seldom.keep()
    sealed.suppressions.suppress(caller, Draft(number(2), GLOBAL))
    sealed.sealing.run()

    assert first
    assert again is None
    assert second
    assert seldom.keep() is None
    assert anchors.read_anchors(file) == [first, second]
    assert anchors.last(file) == second == verified_anchor(sealed, second)
    # What is not appended yet would be missed all the same.
    third = anchors.newest(file)
    assert third
    assert third == verified_anchor(sealed, third) == sealed.sealing.newest()
    assert anchors.every(file) == [first, second, third]
    assert seldom.keep(at_once=True) == third
    assert anchors.every(file) == anchors.read_anchors(file)


def test_the_newest_anchor_is_the_furthest_of_a_chain_and_the_latest_of_two(
    tmp_path: Path,
) -> None:
    file = tmp_path / "anchors.jsonl"
    anchors.append(file, Anchor("one", 7, "ab" * 32, 9, "2026-11-21T12:00"))

    # The clock was set back.
    anchors.note(file, further := Anchor("one", 8, "cd" * 32, 10, "2026-11-21T11:00"))
    assert anchors.newest(file) == further
    # The database was made anew.
    anchors.note(file, anew := Anchor("two", 1, "ef" * 32, 2, "2026-11-21T13:00"))
    assert anchors.newest(file) == anew
    anchors.append(file, later := Anchor("two", 2, "ef" * 32, 2, "2026-11-21T13:30"))
    assert anchors.newest(file) == later
    assert anchors.newest(tmp_path / "none") is None


def test_where_things_are_only_appended_anchors_are_kept_all_the_same(
    sealed: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "anchors.jsonl"
    sealed.sealing.run()

    def refuse(_written: Path, _beside: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refuse)
    kept = Anchoring(sealed.sealing, file, 0).keep()

    assert kept
    assert anchors.newest(file) == kept


def verified_anchor(services: Services, anchor: Anchor) -> Anchor | None:
    return services.sealing.find(anchor.sequence)


def test_nothing_is_anchored_after_what_contradicts_it(
    sealed: Services, caller: Caller, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "anchors.jsonl"
    anchoring = Anchoring(sealed.sealing, file, 0)
    for turn in range(3):
        tampering.work(sealed, [caller], turn)
        sealed.sealing.run()
    anchoring.keep()
    before = file.read_text()
    with tampering.superuser(database_url) as connection:
        tampering.cut_the_tail(connection, random.Random(1))

    with pytest.raises(AnchorContradicts, match="restored from a backup, or cut"):
        anchoring.keep()
    for turn in range(3, 6):
        tampering.work(sealed, [caller], turn)
        sealed.sealing.run()
    with pytest.raises(AnchorContradicts, match="was rewritten"):
        anchoring.keep()

    assert file.read_text() == before


def test_an_anchor_cut_off_by_a_crash_is_passed_over_and_written_over(
    tmp_path: Path,
) -> None:
    file = tmp_path / "anchors.jsonl"
    one, two = (Anchor("c", n, "ab" * 32, n, f"at {n}") for n in (1, 2))
    anchors.append(file, one)
    with file.open("a") as torn:
        torn.write('{"chain": "c", "seq')

    assert anchors.newest(file) == one
    assert anchors.read_anchors(file) == [one]
    anchors.append(file, two)
    assert anchors.read_anchors(file) == [one, two]
    anchors.note(file, two)
    for each in anchors.files(file):
        assert each.stat().st_mode & 0o777 == 0o600
    assert sorted(tmp_path.iterdir()) == sorted(anchors.files(file))
