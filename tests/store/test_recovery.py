"""Operations that were anchored and are gone, as a restored database lacks them."""

import random
import uuid
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from psycopg import errors

from app.audit.verify import Anchor, read_anchors
from app.bootstrap import build_services
from app.domain.access import Caller
from app.domain.conditions import find_schema_fault
from app.domain.entries import Draft
from app.domain.errors import AnchorContradicts, StoreUnavailable
from app.domain.rules import Question
from app.files import anchors
from app.services import Services
from app.services.anchoring import Anchoring
from app.services.organisations import operator
from app.store import conditions
from app.store.database import Database
from app.store.migrations import newest_revision
from app.store.roles import Scope
from tests.conftest import make_organisation
from tests.store import tampering
from tests.store.tampering import GLOBAL, number

ROUNDS = 6


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "anchors.jsonl"


@pytest.fixture
def kept(database: Database, tmp_path: Path, file: Path) -> Services:
    """The services of an installation that seals and anchors."""
    found = build_services(database, tmp_path / "key", file)
    found.keys.start()
    return found


@pytest.fixture
def caller(kept: Services) -> Caller:
    return operator(kept.organisations.add("test", make_organisation("Acme")), "test")


@pytest.fixture
def missed(
    kept: Services, caller: Caller, database_url: str, file: Path
) -> tuple[Anchor, list[Anchor]]:
    """The newest anchor of a history whose end is gone, and those before it."""
    keeping = Anchoring(kept.sealing, file, 0)
    for turn in range(ROUNDS):
        tampering.work(kept, [caller], turn)
        kept.sealing.run()
        keeping.keep()
    with tampering.superuser(database_url) as connection:
        tampering.cut_the_tail(connection, random.Random(1))
    *before, last = read_anchors(file)
    return last, before


def last_sequence(database: Database) -> int:
    with database.transaction(Scope()) as tx:
        rows = tx.fetch("SELECT coalesce(max(sequence), 0) AS n FROM seal", {})
        return int(rows[0]["n"])


@pytest.mark.usefixtures("missed")
def test_nothing_is_told_sealed_or_anchored_before_the_loss_is_confirmed(
    kept: Services,
    caller: Caller,
    database: Database,
    file: Path,
) -> None:
    written, sequence = file.read_text(), last_sequence(database)

    # On whatever connection: each that is made anew asks.
    again = build_services(database, Path("key"), file)
    with pytest.raises(StoreUnavailable):
        again.checks.find_listed(caller, [15551000000], None)
    with pytest.raises(StoreUnavailable):
        again.suppressions.release(caller, number(0), GLOBAL, None, None)
    assert kept.sealing.run() == 0
    with pytest.raises(AnchorContradicts):
        Anchoring(kept.sealing, file, 0).keep()

    assert last_sequence(database) == sequence
    assert file.read_text() == written
    assert not kept.audit.verify(read_anchors(file)).clean


@pytest.mark.usefixtures("missed")
def test_an_id_that_was_lost_is_given_to_nothing_else(
    kept: Services, caller: Caller
) -> None:
    for _ in range(3):
        assert kept.recovery.find_loss()
    first = kept.suppressions.suppress(caller, Draft(number(90_000), GLOBAL))
    second = kept.suppressions.suppress(caller, Draft(number(90_001), GLOBAL))

    assert 100_000_000 < first < second < 200_000_000


def test_once_confirmed_the_chain_goes_on_behind_what_was_lost_and_verifies(
    kept: Services,
    caller: Caller,
    database: Database,
    missed: tuple[Anchor, list[Anchor]],
    file: Path,
) -> None:
    last, _ = missed
    loss = kept.recovery.find_loss()
    assert loss
    assert loss.sequence == last.sequence
    assert loss.missing == last.operations - loss.found_operations > 0

    assert kept.recovery.confirm("somebody") == loss

    assert kept.recovery.find_loss() is None
    assert kept.recovery.confirm("somebody else") is None
    assert kept.sealing.run() > 0
    assert Anchoring(kept.sealing, file, 0).keep()
    newest = anchors.newest(file)
    assert newest
    assert newest.sequence == last.sequence + 1 == last_sequence(database)
    report = kept.audit.verify(read_anchors(file))
    assert report.findings == []
    [gap] = report.gaps
    assert "somebody confirmed" in gap
    assert kept.checks.check(caller, Question(number(0))).callable is False


def test_a_loss_of_the_last_seconds_is_noticed_though_no_line_was_due_for_them(
    kept: Services, caller: Caller, database_url: str, file: Path
) -> None:
    keeping = Anchoring(kept.sealing, file, 60)
    for turn in range(ROUNDS):
        tampering.work(kept, [caller], turn)
        kept.sealing.run()
        keeping.keep()
    assert len(read_anchors(file)) == 1
    with tampering.superuser(database_url) as connection:
        tampering.cut_the_tail(connection, random.Random(1))

    loss = kept.recovery.find_loss()

    assert loss
    assert loss.missing > 0
    assert not kept.audit.verify(anchors.every(file)).clean


def test_a_confirmation_speaks_of_other_hosts_earlier_anchors_and_of_no_later_ones(
    kept: Services, database: Database, missed: tuple[Anchor, list[Anchor]], file: Path
) -> None:
    last, before = missed
    lost = [each for each in before if each.sequence > last_sequence(database)]
    assert lost
    kept.recovery.confirm("somebody")
    # Another host's.
    for each in anchors.files(file):
        each.unlink()

    for anchor in lost:
        file.write_text(anchor.as_line())
        assert kept.recovery.find_loss() is None
    for later in (
        replace(last, sequence=last.sequence + 1),
        replace(last, root="ab" * 32),
        replace(lost[0], chain="00000000-0000-0000-0000-000000000000"),
    ):
        file.write_text(later.as_line())
        assert kept.recovery.find_loss()
        report = kept.audit.verify([later])
        assert report.found > 0


def serves(connection: tampering.Connection, code: str, anchor: Anchor | None) -> bool:
    """Whether the database's own rule lets code of revision *code* tell anything."""
    try:
        connection.execute(
            "SELECT dncd_require(%(code)s, %(chain)s::uuid, %(sequence)s::bigint,"
            " decode(%(root)s, 'hex'))",
            conditions.expected(code, anchor),
        )
    except errors.RaiseException:
        return False
    return True


def believes(database: Database, code: str, anchor: Anchor | None) -> bool:
    """Whether the rule that is asked with every token does."""
    standing = conditions.find(database.within(Scope()), code, anchor)
    return standing.holds_anchor and find_schema_fault(standing, code) is None


def test_the_database_s_own_rule_and_the_one_asked_with_a_token_are_one(
    kept: Services,
    database: Database,
    database_url: str,
    missed: tuple[Anchor, list[Anchor]],
) -> None:
    last, before = missed
    anchors_told = [
        None,
        last,
        *before,
        *(replace(each, root="ab" * 32) for each in (last, before[0])),
        *(replace(each, chain=str(uuid.uuid4())) for each in (last, before[0])),
        replace(last, sequence=last.sequence + 1),
    ]
    newest = newest_revision()
    told = set()

    with tampering.superuser(database_url) as connection:

        def require_one() -> None:
            for code, anchor in product(("0003", "0004", newest, "9999"), anchors_told):
                answer = believes(database, code, anchor)
                assert serves(connection, code, anchor) is answer, (code, anchor)
                told.add((code, answer))

        require_one()
        kept.recovery.confirm("somebody")
        require_one()
        for serving_from in ("0004", "9998"):
            connection.execute(
                "INSERT INTO schema_revision VALUES ('9998', %s)", [serving_from]
            )
            connection.execute("UPDATE alembic_version SET version_num = '9998'")
            require_one()
            connection.execute("DELETE FROM schema_revision WHERE revision = '9998'")
        # One that has not said whom it serves.
        require_one()

    assert {(newest, True), (newest, False), ("9999", False)} <= told


FORGED = """
    INSERT INTO recovery (
        chain, sequence, root, operations, anchored_at, found_sequence,
        found_operations, confirmed_by, proof
    )
    SELECT chain, %(sequence)s, decode(%(root)s, 'hex'), %(operations)s, %(at)s,
           (SELECT max(sequence) FROM seal), 0, 'nobody', %(proof)s
    FROM installation
"""


@pytest.mark.parametrize("proof", [None, bytes(32)], ids=["without", "with a wrong"])
def test_a_confirmation_that_a_superuser_forged_excuses_nothing(
    kept: Services,
    database_url: str,
    missed: tuple[Anchor, list[Anchor]],
    file: Path,
    proof: bytes | None,
) -> None:
    last, _ = missed
    parameters = {
        **{name: getattr(last, name) for name in last.__slots__},
        "proof": proof,
    }
    with tampering.superuser(database_url) as connection:
        connection.execute(FORGED, parameters)
    # The service goes on; whoever verifies learns of it.
    assert kept.recovery.find_loss() is None
    kept.sealing.run()

    report = kept.audit.verify(read_anchors(file))

    assert report.gaps
    told = {(each.kind, each.place) for each in report.findings}
    assert ("inserted", f"recovery at seal {last.sequence}") in told
    assert {"cut", "deleted"} & {kind for kind, _ in told}


def test_a_confirmation_that_was_edited_afterwards_excuses_nothing(
    kept: Services, database_url: str, missed: tuple[Anchor, list[Anchor]], file: Path
) -> None:
    assert missed
    kept.recovery.confirm("somebody")
    kept.sealing.run()
    assert kept.audit.verify(read_anchors(file)).clean
    with tampering.superuser(database_url) as connection:
        connection.execute("UPDATE recovery SET confirmed_by = 'the auditor'")

    assert not kept.audit.verify(read_anchors(file)).clean


def test_a_host_without_anchors_says_that_it_would_notice_no_loss(
    kept: Services, caller: Caller, file: Path
) -> None:
    kept.suppressions.suppress(caller, Draft(number(1), GLOBAL))
    assert kept.readiness.find_notes() == []
    kept.sealing.run()

    assert kept.readiness.find_faults() == []
    [note] = kept.readiness.find_notes()
    assert "no anchors" in note
    Anchoring(kept.sealing, file, 0).keep()
    assert kept.readiness.find_notes() == []
    for each in anchors.files(file):
        each.write_bytes(b"")
    assert kept.readiness.find_notes() == [note]
