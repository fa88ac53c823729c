"""What a proof pack shows can be computed again from the pack alone."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.audit import verify
from app.audit.verify import Anchor, Many
from app.cli.evidence import write_pack
from app.domain.access import Caller
from app.domain.entries import Draft, Revision
from app.domain.phone import PhoneNumber
from app.domain.scopes import read_campaign
from app.services import Services
from app.services.organisations import operator
from tests.conftest import make_organisation

NUMBER = PhoneNumber("1", "5551234567")
OTHERS = [PhoneNumber("1", str(5553000000 + n)) for n in range(7)]
OWN = read_campaign("0")

Pack = Mapping[str, Any]


@pytest.fixture
def owner(keyed: Services) -> Caller:
    return operator(keyed.organisations.add("test", make_organisation("Acme")), "test")


def live(services: Services, caller: Caller) -> None:
    """Let a number be listed, revised, deleted among others, and restored."""
    draft = Draft(NUMBER, OWN, None, "DNC", {"ip": "192.0.2.1"})
    entry_id = services.suppressions.suppress(caller, draft)
    services.sealing.run()
    services.suppressions.suppress_many(caller, [Draft(x, OWN) for x in OTHERS])
    services.suppressions.revise(caller, entry_id, Revision(reason="Complaint"))
    services.suppressions.release_many(caller, [NUMBER, *OTHERS], OWN)
    services.sealing.run()
    services.histories.restore(caller, entry_id)


def personal(record: Pack) -> bytes:
    told = record["personal"]
    if "digest" in told:
        return bytes.fromhex(told["digest"])
    return verify.personal_digest(bytes.fromhex(told["salt"]), told["values"])


def leaf_of(records: list[Pack]) -> str:
    """Compute a leaf from what it is over, as docs/audit.md tells."""
    [operation] = [each for each in records if each["type"] == "operation"]
    made, ended = Many(), Many()
    for record in records:
        if record["type"] == "version":
            values = [record[name] for name in verify.VERSION_FIELDS]
            made.add(verify.version_digest(values, personal(record)))
        elif record["type"] == "ended":
            values = [record[name] for name in verify.ENDED_FIELDS]
            ended.add(verify.ended_digest(values))
    values = [operation[name] for name in verify.OPERATION_FIELDS]
    own = verify.operation_digest(values, personal(operation))
    return verify.leaf_hash(own, made, ended).hex()


def climb(seal: Pack) -> str:
    node = bytes.fromhex(seal["leaf"])
    for step in seal["path"]:
        beside = bytes.fromhex(step["hash"])
        both = beside + node if step["side"] == "left" else node + beside
        node = verify.digest(verify.NODE + both)
    return node.hex()


def holds(pack: Pack) -> bool:
    """Whether every operation of *pack* is what was sealed and anchored."""
    seals = {seal["sequence"]: seal for seal in pack["seals"]}
    anchors = {anchor["sequence"]: anchor for anchor in pack["anchors"]}
    for operation in pack["operations"]:
        sealed = operation["seal"]
        if leaf_of(sealed["records"]) != sealed["leaf"]:
            return False
        seal = seals[sealed["sequence"]]
        if climb(sealed) != seal["leaves_root"]:
            return False
        for sequence in range(sealed["sequence"], sealed["anchored_by"] + 1):
            link = seals[sequence]
            if verify.seal_root(link).hex() != link["root"]:
                return False
            following = seals.get(sequence + 1)
            if following and following["previous_root"] != link["root"]:
                return False
        anchored = seals[sealed["anchored_by"]]["root"]
        if anchors[sealed["anchored_by"]]["root"] != anchored:
            return False
    return True


@pytest.fixture
def pack(keyed: Services, owner: Caller) -> Pack:
    live(keyed, owner)
    keyed.proofs.prove(owner, NUMBER, None, ())
    keyed.sealing.run(anyway=True)
    anchor = keyed.sealing.newest()
    assert anchor is not None
    stranger = Anchor("another chain", 1, "00" * 32, 1, anchor.at)
    return write_pack(keyed.proofs.prove(owner, NUMBER, None, [stranger, anchor]))


def test_every_operation_leads_to_the_anchor(pack: Pack) -> None:
    assert [each["kind"] for each in pack["operations"]] == [
        "entry:suppressed",
        "entry:revised",
        "entry:released",
        "entry:restored",
    ]
    assert len(pack["anchors"]) == 1
    assert any(operation["seal"]["path"] for operation in pack["operations"])
    assert holds(pack)


@pytest.mark.parametrize(
    "change",
    [
        lambda pack: pack["operations"][0]["seal"]["records"][0].update(actor="x"),
        lambda pack: pack["operations"][1]["seal"]["records"][1].update(purpose="x"),
        lambda pack: pack["operations"][2]["seal"]["records"].pop(),
        lambda pack: (
            pack["operations"][1]["seal"]["path"].reverse()
            or pack["operations"][1]["seal"]["path"].append(
                {"side": "left", "hash": "00" * 32}
            )
        ),
        lambda pack: pack["seals"][0].update(operations=99),
        lambda pack: pack["anchors"][0].update(root="00" * 32),
    ],
)
def test_nothing_of_it_can_be_changed_unseen(pack: Pack, change: Any) -> None:
    change(pack)

    assert not holds(pack)


def test_whose_number_another_s_is_the_seal_does_not_tell(pack: Pack) -> None:
    told = str(pack)

    assert NUMBER.national in told
    for other in OTHERS:
        assert str(other.e164) not in told
        assert other.national not in told


def test_without_the_key_a_pack_still_tells_the_history(
    services: Services, caller: Caller
) -> None:
    services.suppressions.suppress(caller, Draft(NUMBER, OWN))

    pack = write_pack(services.proofs.prove(caller, NUMBER, None, ()))

    assert pack["now"]["listed"] is True
    assert [operation["seal"] for operation in pack["operations"]] == [None]
    assert pack["seals"] == pack["anchors"] == []


@pytest.mark.parametrize("leaves", [1, 2, 3, 5, 8, 13])
def test_each_leaf_s_path_leads_to_the_root_of_its_tree(leaves: int) -> None:
    from app.services.proofs import _path, _root  # noqa: PLC0415

    hashes = [verify.digest(bytes([n])) for n in range(leaves)]
    for position, leaf in enumerate(hashes):
        path = [
            {"side": side, "hash": hash_} for side, hash_ in _path(hashes, position)
        ]
        assert climb({"leaf": leaf.hex(), "path": path}) == _root(hashes)
