"""What can be shown about a number, to somebody who need not believe us."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime

from app.audit import verify
from app.audit.verify import Anchor, Record
from app.domain.access import Caller
from app.domain.entries import Page
from app.domain.erasure import Pseudonyms, StandIns
from app.domain.errors import KeyRefused
from app.domain.history import Proof, SealProof, Subject, Version
from app.domain.keys import Key
from app.domain.phone import PhoneNumber
from app.services.keys import Keys
from app.services.leaves import (
    OPERATION_FIELDS,
    SEAL_COLUMNS,
    VERSION_FIELDS,
    Personal,
    named,
    personal_of_operation,
    personal_of_version,
)
from app.services.sealing import Sealing
from app.services.settling import settle
from app.store import checks, history, seal_proofs, sealed
from app.store.database import Database
from app.store.roles import Plans, Scope
from app.store.seal_proofs import Place
from app.store.sealed import Row
from app.store.transactions import Open

VERSIONS_A_STATEMENT = 1000

# An operation over so many versions is shown whole; of an import its leaf alone is.
SHOWN_WHOLE = 100

# So many seals at most are shown between an operation's and the next anchor.
LONGEST_CHAIN = 5000

_SEAL = ("chain", *SEAL_COLUMNS)

_E164 = 8


class Proofs:
    """The do-not-call list as an auditor is shown it."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        sealing: Sealing,
        pseudonyms: Pseudonyms,
    ) -> None:
        """
        Read *database*, also by *pseudonyms*.

        The key in *keys* gives the salts of what is sealed.
        """
        self._database = database
        self._pseudonyms = pseudonyms
        self._keys = keys
        self._sealing = sealing

    def prove(
        self,
        caller: Caller,
        number: PhoneNumber,
        as_of: datetime | None,
        anchors: Sequence[Anchor],
    ) -> Proof:
        """
        Return all that was ever said of *number*, who said it, and how it is sealed.

        All of one snapshot. What is not sealed yet is sealed before, if the key is at
        hand. Raises InstantInvalid and InstantUnsettled of *as_of*, if one is named.
        """
        if as_of is not None:
            settle(self._database, caller.organisation.id, as_of)
        key = None
        with suppress(KeyRefused):
            key = self._keys.require()
            self._sealing.run()
        scope = Scope(caller.organisation.id, plans=Plans.BY_NUMBER)
        stand_ins = self._pseudonyms.of(caller.organisation.id)
        with self._database.snapshot(scope) as tx:
            snapshot = checks.take_snapshot(tx)
            proof = Proof(
                organisation=caller.organisation.name,
                number=number,
                made_by=caller.actor,
                read_at=snapshot.taken_at,
                as_of=as_of,
                versions=tuple(_read_versions(tx, number, stand_ins)),
            )
            return _seal(tx, proof, key, anchors)


def _read_versions(tx: Open, number: PhoneNumber, stand_ins: StandIns) -> list[Version]:
    versions: list[Version] = []
    total = 1
    while len(versions) < total:
        page = Page(len(versions), VERSIONS_A_STATEMENT)
        found, total = history.find(tx, Subject(numbers=(number,)), page, stand_ins)
        versions += found
    return versions


def _seal(tx: Open, proof: Proof, key: Key | None, anchors: Sequence[Anchor]) -> Proof:
    """Return *proof* with each operation's leaf, and what links it to an anchor."""
    ids = [operation.id for operation in proof.operations()]
    places = seal_proofs.find_places(tx, ids)
    records = _records(tx, proof.number, key, places) if key else {}
    hashes = {
        sequence: seal_proofs.find_hashes(tx, sequence)
        for sequence in {place.sequence for place in places}
    }
    anchors = _own(tx, places, anchors)
    chain: dict[int, Record] = {}
    used: dict[int, Anchor] = {}
    found: dict[int, SealProof] = {}
    for place in places:
        anchor = _next_anchor(anchors, place.sequence)
        last = anchor.sequence if anchor else place.sequence
        if place.sequence not in chain or last not in chain:
            for row in seal_proofs.find_seals(tx, place.sequence, last):
                chain[row[1]] = named(_SEAL, row)
        if anchor is not None:
            used[anchor.sequence] = anchor
        found[place.operation_id] = SealProof(
            sequence=place.sequence,
            position=place.position,
            leaf=place.hash.hex(),
            path=tuple(_path(hashes[place.sequence], place.position)),
            anchor=None if anchor is None else anchor.sequence,
            records=tuple(records.get(place.operation_id, ())),
        )
    return replace(
        proof,
        seals=found,
        chain=tuple(chain[sequence] for sequence in sorted(chain)),
        anchors=tuple(asdict(used[sequence]) for sequence in sorted(used)),
    )


def _own(tx: Open, places: Sequence[Place], anchors: Sequence[Anchor]) -> list[Anchor]:
    """Return the anchors of the chain that holds the operations."""
    chains = {
        row[0]
        for place in places[:1]
        for row in seal_proofs.find_seals(tx, place.sequence, place.sequence)
    }
    return [anchor for anchor in anchors if anchor.chain in chains]


def _next_anchor(anchors: Sequence[Anchor], sequence: int) -> Anchor | None:
    """Return the first anchor of the seal or of one that follows it soon."""
    reached = [
        anchor
        for anchor in anchors
        if sequence <= anchor.sequence < sequence + LONGEST_CHAIN
    ]
    return min(reached, key=lambda anchor: anchor.sequence, default=None)


def _path(leaves: Sequence[bytes], position: int) -> list[tuple[str, str]]:
    """Return the neighbours that lead from a leaf to the root, and on which side."""
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if position < half:
        return [*_path(leaves[:half], position), ("right", _root(leaves[half:]))]
    return [*_path(leaves[half:], position - half), ("left", _root(leaves[:half]))]


def _root(leaves: Sequence[bytes]) -> str:
    tree = verify.Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root.hex()


def _records(
    tx: Open, number: PhoneNumber, key: Key, places: Sequence[Place]
) -> dict[int, list[Record]]:
    """Return what the leaves of small operations are over, as an export tells it."""
    organisation_id = tx.organisation_id
    whole = [
        place.operation_id
        for place in places
        if place.made + place.ended <= SHOWN_WHOLE
    ]
    operations = {row[1]: row for row in sealed.operations(tx, organisation_id, whole)}
    reaches = sealed.reaches(
        tx, organisation_id, [(one, str(row[3])) for one, row in operations.items()]
    )
    made = sealed.made(
        tx,
        organisation_id,
        [(one, part) for one, reach in reaches.items() for part in reach.made],
    )
    ended = sealed.ended(
        tx,
        organisation_id,
        [(one, part) for one, reach in reaches.items() for part in reach.ended],
    )
    return {
        one: [
            _record(
                "operation",
                verify.OPERATION_FIELDS,
                row[:OPERATION_FIELDS],
                personal_of_operation(key, row),
            ),
            *(
                _record(
                    "version",
                    verify.VERSION_FIELDS,
                    version[:VERSION_FIELDS],
                    personal_of_version(key, version),
                    shown=version[_E164] == number.e164,
                )
                for version in made.get(one, ())
            ),
            *(_record("ended", verify.ENDED_FIELDS, end) for end in ended.get(one, ())),
        ]
        for one, row in operations.items()
    }


def _record(
    kind: str,
    names: Sequence[str],
    row: Row,
    personal: Personal | None = None,
    *,
    shown: bool = True,
) -> Record:
    """Return a row as an export has it; of what is not *shown* the digest alone."""
    record: dict[str, object] = {
        "type": kind,
        **named(names, row),
    }
    if personal is not None:
        record["personal"] = (
            personal.as_record() if shown else {"digest": personal.as_digest().hex()}
        )
    return record
