"""
Verify an export of dncd's history against its seals and an anchor kept elsewhere.

This one file needs nothing but Python's standard library: no database, no key, and no
other file of dncd, which computes its seals with it. docs/audit.md tells the formats.

    python3 verify.py --export audit.jsonl.gz --anchors anchors.jsonl

Exit status: 0 when everything is as it was sealed, 1 when something is not, 2 when the
files cannot be read.
"""

import argparse
import gzip
import hashlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, groupby
from pathlib import Path
from typing import Any

FORMAT = 1
NO_ROOT = bytes(32)
LEAF, NODE = b"\x00", b"\x01"

# A leaf tells how the digest of its versions stood after each so many of them, so that
# a change in an import of millions is found to within as many.
STRIDE = 256
HINT = 8

FINDINGS_TOLD = 1000

# A transaction reads the clock when it has its number, and never an instant before the
# last seal. So much may the clock have gone back in between.
EARLY = timedelta(minutes=1)

# What erases says in its answer which versions it took (0 for why something was done),
# by the operations that made them, and what stands in the place of their numbers.
ERASING = ("entry:erased", "retention:applied")
ERASED = "erased"

Record = Mapping[str, Any]
Key = tuple[int, int]


# --- Digests --------------------------------------------------------------------------


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def canonical(value: object) -> bytes:
    """Return *value* as JSON in the one way that is hashed: no blanks, UTF-8."""
    return _ENCODER.encode(value).encode()


def digest(data: bytes) -> bytes:
    """Return the SHA-256 of *data*."""
    return hashlib.sha256(data).digest()


def personal_digest(salt: bytes, values: Sequence[object]) -> bytes:
    """Return what stands for personal data, and tells nothing without the salt."""
    return digest(salt + canonical(values))


OPERATION_FIELDS = (
    "organisation_id",
    "id",
    "at",
    "transaction_id",
    "token_id",
    "actor",
    "dialect",
    "address",
    "request_id",
    "kind",
    "touched",
    "idempotency_key",
    "unblocked",
    "approves",
)
VERSION_FIELDS = (
    "organisation_id",
    "id",
    "operation_id",
    "calling_code",
    "campaign_id",
    "purpose",
    "inserted_at",
    "valid_from",
)
ENDED_FIELDS = (
    "organisation_id",
    "id",
    "operation_id",
    "valid_from",
    "valid_until",
    "ended_by_operation",
)
SEAL_FIELDS = (
    "chain",
    "sequence",
    "previous_root",
    "leaves_root",
    "leaves",
    "operations",
    "cluster",
    "snapshot",
    "sealed_at",
)


def operation_digest(values: Sequence[object], personal: bytes) -> bytes:
    """Return the digest of an operation: its OPERATION_FIELDS, and why."""
    return digest(canonical(["operation", *values, personal.hex()]))


def version_digest(values: Sequence[object], personal: bytes) -> bytes:
    """Return the digest of an entry's version: its VERSION_FIELDS, and about whom."""
    return digest(canonical(["version", *values, personal.hex()]))


def ended_digest(values: Sequence[object]) -> bytes:
    """Return the digest of a version's end: its ENDED_FIELDS."""
    return digest(canonical(["ended", *values]))


class Many:
    """The digest of very many digests, one after another."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = hashlib.sha256()
        self._trail = bytearray()

    def add(self, each: bytes) -> None:
        """Take one digest more."""
        self._hash.update(each)
        self.count += 1
        if self.count % STRIDE == 0:
            self._trail += self._hash.digest()[:HINT]

    @property
    def digest(self) -> bytes:
        """SHA-256 of all digests in their order."""
        return self._hash.digest()

    @property
    def trail(self) -> bytes:
        """The digest's first bytes after each STRIDE of them."""
        return bytes(self._trail)


def leaf_hash(operation: bytes, made: Many, ended: Many) -> bytes:
    """Return the leaf of an operation and the versions that it made and ended."""
    return digest(
        LEAF
        + operation
        + made.count.to_bytes(8, "big")
        + made.digest
        + ended.count.to_bytes(8, "big")
        + ended.digest
    )


def leaf_hints(operation: bytes, made: Many, ended: Many) -> bytes:
    """Return what tells where a leaf differs; proves nothing."""
    parts = (operation, made.digest, ended.digest)
    return b"".join(part[:HINT] for part in parts) + made.trail + ended.trail


class Tree:
    """RFC 6962's Merkle tree over leaves that come one by one."""

    def __init__(self) -> None:
        self.leaves = 0
        self._whole: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """Take the next leaf's hash."""
        self.leaves += 1
        size, node = 1, leaf
        while self._whole and self._whole[-1][0] == size:
            node = digest(NODE + self._whole.pop()[1] + node)
            size *= 2
        self._whole.append((size, node))

    @property
    def root(self) -> bytes:
        """The tree's root; of no leaves, the SHA-256 of nothing."""
        if not self._whole:
            return digest(b"")
        *rest, (_, node) = self._whole
        for _, left in reversed(rest):
            node = digest(NODE + left + node)
        return node


def seal_root(seal: Record) -> bytes:
    """Return the root of a seal: its SEAL_FIELDS, the root before among them."""
    return digest(canonical(["seal", FORMAT, *(seal[name] for name in SEAL_FIELDS)]))


# --- Anchors --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is kept outside the database: how far a chain was, and its root."""

    chain: str
    sequence: int
    root: str
    operations: int
    at: str

    def as_line(self) -> str:
        """Return the anchor as one line of its file."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(told, separators=(",", ":")) + "\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Anchor":
        """Return the anchor in a line of the file; raises ValueError."""
        try:
            told = json.loads(line)
            return cls(
                str(told["chain"]),
                int(told["sequence"]),
                str(told["root"]),
                int(told["operations"]),
                str(told["at"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            message = f"not an anchor: {line[:80]!r}"
            raise ValueError(message) from error


def read_anchors(file: Path) -> list[Anchor]:
    """
    Return the anchors in *file*, oldest first; none if there is no file.

    A last line without an end was cut off by a crash and is passed over. Raises
    ValueError for any other line that is no anchor.
    """
    try:
        written = file.read_bytes()
    except FileNotFoundError:
        return []
    whole, _, _ = written.rpartition(b"\n")
    return [Anchor.from_line(line) for line in whole.split(b"\n") if line.strip()]


def require_anchors(file: Path) -> list[Anchor]:
    """Return the anchors in *file*; raises ValueError if it holds none either."""
    found = read_anchors(file)
    if not found:
        message = f"there is no anchor in {file}"
        raise ValueError(message)
    return found


# --- Verifying ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it was sealed: which kind of change, where, and in words."""

    kind: str
    place: str
    words: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.kind}: {self.place}: {self.words}"


@dataclass(slots=True)
class Report:
    """What a verification has found; *findings* holds the first thousand."""

    chain: str = ""
    seals: int = 0
    sealed: int = 0
    waiting: int = 0
    versions: int = 0
    erased: int = 0
    anchors: int = 0
    newer: int = 0
    at: str = ""
    root: str = ""
    gaps: list[str] = field(default_factory=list)
    found: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether everything is as it was sealed."""
        return self.found == 0

    def find(self, kind: str, place: str, words: str) -> None:
        """Remember one finding."""
        self.found += 1
        if len(self.findings) < FINDINGS_TOLD:
            self.findings.append(Finding(kind, place, words))

    def lines(self) -> Iterator[str]:
        """Yield the report as text."""
        yield (
            f"chain {self.chain}: {self.seals} seals over {self.sealed} operations; "
            f"{self.waiting} operations wait for their seal; {self.versions} versions "
            f"of entries, {self.erased} erased; {self.anchors} anchors compared"
        )
        if self.newer:
            yield f"{self.newer} anchors are newer than this history, of {self.at}"
        if self.root:
            yield f"root {self.root}"
        for gap in self.gaps:
            yield f"CONFIRMED LOSS: {gap}"
        for finding in self.findings:
            yield str(finding)
        if self.found > len(self.findings):
            yield f"and {self.found - len(self.findings)} findings more"
        yield "VERIFIED" if self.clean else f"TAMPERED: {self.found} findings"


def verify(records: Iterable[Record], anchors: Sequence[Anchor]) -> Report:
    """
    Return what is not as it was sealed.

    *records* are those of an export, in its order. Takes little memory, and room in a
    temporary file for every leaf.
    """
    with tempfile.NamedTemporaryFile(prefix="dncd-verify-") as scratch:
        index = sqlite3.connect(scratch.name)
        try:
            return _Verification(index, anchors).run(records)
        finally:
            index.close()


class _Verification:
    def __init__(self, index: sqlite3.Connection, anchors: Sequence[Anchor]) -> None:
        self.report = Report()
        self._index = index
        self._chain = _Chain(self.report, index, anchors)

    def run(self, records: Iterable[Record]) -> Report:
        report = self.report
        stream = iter(records)
        head = next(stream, None)
        if head is None or head.get("type") != "export" or head["format"] != FORMAT:
            message = f"not an audit export of format {FORMAT}"
            raise ValueError(message)
        report.chain, report.at = str(head["chain"]), str(head["at"])
        first: list[Record] = []
        for record in stream:
            if record["type"] == "recovery":
                self._chain.recovery(record)
            elif record["type"] == "seal":
                self._chain.seal(record)
            elif record["type"] == "leaf":
                self._chain.leaf(record)
            else:
                first.append(record)
                break
        self._chain.finish()
        newest = self._chain.newest
        # Transactions are numbered anew where a backup is loaded elsewhere.
        now = _Seen(str(head["cluster"]), head.get("snapshot") or "", report.at)
        if newest is not None and newest.cluster != now.cluster:
            newest = None
        erasures = _Erasures(report, self._index)
        sight = _Sight(newest, now if now.snapshot else None)
        contents = _Contents(report, self._chain.leaves(), sight, erasures)
        for key, of_one in groupby(chain(first, stream), _key):
            if key is None:
                break
            contents.take(key, of_one)
        else:
            report.find("cut", "end of the export", "the export has no end")
        contents.finish()
        erasures.finish()
        return report


def _key(record: Record) -> Key | None:
    """Return which operation a record belongs to; None for the export's end."""
    kind = record["type"]
    if kind == "operation":
        return record["organisation_id"], record["id"]
    if kind == "version":
        return record["organisation_id"], record["operation_id"]
    if kind == "ended":
        return record["organisation_id"], record["ended_by_operation"]
    if kind == "end":
        return None
    message = f"an export holds no record {kind!r} here"
    raise ValueError(message)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Which transactions a seal has seen, in the database cluster where it was made."""

    cluster: str
    snapshot: str
    at: str | None

    def sees(self, transaction_id: int) -> bool:
        """
        Whether a transaction had been committed, or was never to be, by then.

        Nothing is told by a snapshot that is none: it is found by its seal's root.
        """
        least, next_, running = self._parts()
        if transaction_id < least:
            return True
        if transaction_id >= next_:
            return False
        return str(transaction_id) not in running

    def precedes(self, transaction_id: int, at: str | None) -> bool:
        """Whether something is dated before, though it was written after."""
        if transaction_id < self._parts()[1] or at is None or self.at is None:
            return False
        seen = datetime.fromisoformat(self.at)
        return datetime.fromisoformat(at) < seen - EARLY

    def _parts(self) -> tuple[int, int, list[str]]:
        try:
            least, next_, running = self.snapshot.split(":")
            return int(least), int(next_), running.split(",")
        except ValueError:
            return 0, 0, []


@dataclass(frozen=True, slots=True)
class _Sight:
    """
    What the newest seal saw, and the export: what waits for its seal came in between.

    None where it is not known, or tells of another cluster's transactions.
    """

    newest: _Seen | None
    now: _Seen | None

    def find_lie(self, operation: Record) -> str | None:
        """Return what cannot be true of an operation that has no seal, or None."""
        newest = self.newest
        if newest is None:
            return None
        if operation["transaction_id"] is None:
            return "claims a transaction that there cannot be"
        transaction_id = int(operation["transaction_id"])
        if newest.sees(transaction_id):
            return "is older than the newest seal, and no seal holds it"
        if self.now and not self.now.sees(transaction_id):
            return "claims a transaction that there had not been"
        if newest.precedes(transaction_id, operation["at"]):
            return f"is dated {operation['at']}, and was written after {newest.at}"
        return None


class _Chain:
    """The seals, one after another, each over its leaves."""

    def __init__(
        self, report: Report, index: sqlite3.Connection, anchors: Sequence[Anchor]
    ) -> None:
        self._report = report
        self._index = index
        self._at: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self._at.setdefault(anchor.sequence, []).append(anchor)
        self._recoveries: list[Record] = []
        self._seal: Record | None = None
        self._tree = Tree()
        self._previous = NO_ROOT.hex()
        self._last = 0
        self._operations = 0
        self.newest: _Seen | None = None
        index.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE leaf (organisation_id INT, operation_id INT, sequence INT,"
            " position INT, hash TEXT, made INT, ended INT, hints TEXT);"
            "CREATE TABLE seal (sequence INT, cluster TEXT, snapshot TEXT,"
            " before_cluster TEXT, before TEXT, before_at TEXT);"
        )

    def recovery(self, recovery: Record) -> None:
        """
        Take what an operator has confirmed to be lost; it comes before the seals.

        The chain leaves out the sequences that were anchored and lost. That somebody
        said so is told, and for the reader to ask about: no seal proves it. It counts
        only if whoever exported it found it made with the key, not in the database.
        """
        if recovery.get("proven") is True:
            self._recoveries.append(recovery)
        else:
            place = f"recovery at seal {recovery['sequence']}"
            words = "was not confirmed by anybody who had the key"
            self._report.find("inserted", place, words)
        self._report.gaps.append(
            f"{recovery['confirmed_by']} confirmed at {recovery['confirmed_at']} that "
            f"of {recovery['operations']} operations anchored up to "
            f"{recovery['anchored_at']} (seal {recovery['sequence']}) "
            f"{recovery['found_operations']} were there, up to {recovery['found_at']} "
            f"(seal {recovery['found_sequence']})"
        )

    def _is_lost(self, sequence: int, last: int) -> bool:
        """Whether the loss of that seal, which *last* stands before, was confirmed."""
        return any(
            recovery["chain"] == self._report.chain
            and int(recovery["found_sequence"]) <= last
            and sequence <= int(recovery["sequence"])
            for recovery in self._recoveries
        )

    def _excuses(self, anchor: Anchor, last: int) -> bool:
        """Whether what *anchor* tells is lost, and was confirmed to be."""
        return anchor.chain == self._report.chain and any(
            anchor.root == recovery["root"]
            if anchor.sequence == recovery["sequence"]
            else self._is_lost(anchor.sequence, last)
            for recovery in self._recoveries
        )

    def _skip(self, sequence: int) -> None:
        """Go on with the seal *sequence*, before which some are missing."""
        for anchored in [n for n in self._at if self._last < n < sequence]:
            self._excuse(anchored)
        if not self._is_lost(sequence - 1, self._last):
            gone = f"seals {self._last + 1} to {sequence - 1}"
            self._report.find("deleted", gone, "are missing from the chain")

    def _excuse(self, sequence: int) -> None:
        """Ask no more for anchored seals whose loss was confirmed."""
        left = [a for a in self._at[sequence] if not self._excuses(a, self._last)]
        self._report.anchors += len(self._at.pop(sequence)) - len(left)
        if left:
            self._at[sequence] = left

    def seal(self, seal: Record) -> None:
        """Take the next seal; its leaves follow."""
        self._close()
        self._seal = seal
        self._tree = Tree()
        report, sequence = self._report, int(seal["sequence"])
        place = f"seal {sequence}"
        if sequence > self._last + 1:
            self._skip(sequence)
        elif sequence <= self._last:
            report.find("reordered", place, f"stands after seal {self._last}")
        if seal["previous_root"] != self._previous:
            words = "does not continue the root of the seal before"
            report.find("edited", place, words)
        if seal["chain"] != report.chain:
            report.find("edited", place, f"belongs to the chain {seal['chain']}")
        before = self.newest
        self._index.execute(
            "INSERT INTO seal VALUES (?, ?, ?, ?, ?, ?)",
            (
                sequence,
                seal["cluster"],
                seal["snapshot"],
                before and before.cluster,
                before and before.snapshot,
                before and before.at,
            ),
        )
        if seal["snapshot"] is not None:
            self.newest = _Seen(seal["cluster"], seal["snapshot"], seal["sealed_at"])

    def leaf(self, leaf: Record) -> None:
        """Take the next leaf of the seal."""
        seal = self._seal
        place = f"leaf {leaf['position']} of seal {leaf['sequence']}"
        if seal is None or leaf["sequence"] != seal["sequence"]:
            self._report.find("inserted", place, "belongs to no seal")
        else:
            if leaf["position"] != self._tree.leaves:
                words = f"stands at place {self._tree.leaves} of its seal"
                self._report.find("reordered", place, words)
            self._tree.add(bytes.fromhex(leaf["hash"]))
        self._index.execute(
            "INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                leaf["organisation_id"],
                leaf["operation_id"],
                leaf["sequence"],
                leaf["position"],
                leaf["hash"],
                leaf["made"],
                leaf["ended"],
                leaf["hints"],
            ),
        )

    def _close(self) -> None:
        """Compare the seal with its leaves and with its anchors."""
        seal, report = self._seal, self._report
        if seal is None:
            return
        sequence = int(seal["sequence"])
        place = f"seal {sequence}"
        report.seals += 1
        self._operations += self._tree.leaves
        leaves = int(seal["leaves"])
        if self._tree.leaves != leaves:
            less = self._tree.leaves < leaves
            words = f"{self._tree.leaves} leaves where {leaves} were sealed"
            report.find("deleted" if less else "inserted", place, words)
            self._operations += leaves - self._tree.leaves
        elif self._tree.root.hex() != seal["leaves_root"]:
            words = "its leaves are others, or in another order, than were sealed"
            report.find("edited", place, words)
        if seal["operations"] != self._operations:
            words = f"counts {seal['operations']} operations for {self._operations}"
            report.find("edited", place, words)
            self._operations = int(seal["operations"])
        root = seal_root(seal).hex()
        if root != seal["root"]:
            report.find("edited", place, "its fields do not give its root")
        for anchor in self._at.pop(sequence, ()):
            self._compare(anchor, seal)
        self._previous, self._last = str(seal["root"]), sequence
        report.root, report.sealed = str(seal["root"]), self._operations

    def _compare(self, anchor: Anchor, seal: Record) -> None:
        report, place = self._report, f"seal {anchor.sequence}"
        report.anchors += 1
        if anchor.chain != report.chain:
            words = f"the anchor is of another chain, {anchor.chain}"
            report.find("rewritten", place, words)
        elif anchor.root != seal["root"]:
            words = f"has another root than the anchor of {anchor.at}"
            report.find("rewritten", place, words)
        elif anchor.operations != seal["operations"]:
            words = f"the anchor of {anchor.at} counts {anchor.operations} operations"
            report.find("rewritten", place, words)

    def finish(self) -> None:
        """Compare the last seal, and look for anchors that no seal is left for."""
        self._close()
        for sequence in sorted(self._at):
            self._excuse(sequence)
        for sequence in sorted(self._at):
            anchor = self._at[sequence][0]
            # What was anchored after the export was made is not in it.
            if sequence > self._last and anchor.at > self._report.at:
                self._report.newer += 1
                continue
            self._report.anchors += 1
            place = f"seal {sequence}"
            words = (
                f"anchored at {anchor.at} over {anchor.operations} operations, and the "
                f"chain ends with seal {self._last} over {self._operations}"
            )
            kind = "cut" if sequence > self._last else "deleted"
            self._report.find(kind, place, words)

    def leaves(self) -> Iterator[tuple[Any, ...]]:
        """Yield every leaf with its seal's sight, by organisation and operation."""
        return iter(
            self._index.execute(
                "SELECT leaf.*, seal.cluster, seal.snapshot, seal.before_cluster,"
                " seal.before, seal.before_at FROM leaf LEFT JOIN (SELECT * FROM seal"
                " GROUP BY sequence) AS seal USING (sequence)"
                " ORDER BY organisation_id, operation_id, sequence, position"
            )
        )


class _Erasures:
    """
    What is a digest only, because it was erased, and the operations that say so.

    An operation that erases is sealed with what it erases and what it leaves there. A
    digest stands for nothing else: whoever can compute one could hide a number with it.
    """

    def __init__(self, report: Report, index: sqlite3.Connection) -> None:
        self._report = report
        self._index = index
        index.executescript(
            "CREATE TABLE erased (organisation_id INT, entry_id INT,"
            " operation_id INT, remains TEXT);"
            "CREATE TABLE erasing (organisation_id INT, entry_id INT,"
            " operation_id INT, remains TEXT);"
            "CREATE TABLE ended (organisation_id INT, entry_id INT, operation_id INT);"
        )

    def operation(self, record: Record) -> None:
        """Note what an operation has erased, and whether it was erased from."""
        organisation_id, personal = record["organisation_id"], record["personal"]
        if "digest" in personal:
            self._note("erased", organisation_id, 0, record["id"], personal.get("left"))
        elif record["kind"] in ERASING:
            for entry, operation, stand_in in _erased_by(personal["values"]):
                left = [stand_in, None, None] if entry else [None, None]
                self._note("erasing", organisation_id, entry, operation, left)

    def version(self, record: Record) -> None:
        """Note a version that was erased."""
        personal = record["personal"]
        if "digest" in personal:
            self._note(
                "erased",
                record["organisation_id"],
                record["id"],
                record["operation_id"],
                personal.get("left"),
            )

    def ended(self, record: Record) -> None:
        """Note that a version has ended: no other is ever erased."""
        self._index.execute(
            "INSERT INTO ended VALUES (?, ?, ?)",
            (record["organisation_id"], record["id"], record["operation_id"]),
        )

    def _note(
        self, table: str, organisation_id: int, entry: int, operation: int, left: object
    ) -> None:
        self._index.execute(
            f"INSERT INTO {table} VALUES (?, ?, ?, ?)",  # noqa: S608  two names of ours
            (organisation_id, entry, operation, canonical(left).decode()),
        )

    def finish(self) -> None:
        """Compare what is erased with what was said to be."""
        for table in ("erasing", "ended"):
            self._index.execute(
                f"CREATE INDEX {table}_key ON {table}"
                " (organisation_id, entry_id, operation_id)"
            )
        for (
            organisation_id,
            entry,
            operation,
            said,
            same,
            has_ended,
        ) in self._index.execute(
            "SELECT organisation_id, entry_id, operation_id,"
            " count(erasing.remains), total(erasing.remains = erased.remains),"
            " entry_id = 0 OR EXISTS (SELECT 1 FROM ended WHERE"
            " ended.organisation_id = erased.organisation_id AND"
            " ended.entry_id = erased.entry_id AND"
            " ended.operation_id = erased.operation_id)"
            " FROM erased LEFT JOIN erasing"
            " USING (organisation_id, entry_id, operation_id)"
            " GROUP BY organisation_id, entry_id, operation_id, erased.remains"
        ):
            place = f"operation {operation} of organisation {organisation_id}"
            what = f"the version of entry {entry} that it made" if entry else "why"
            if not said:
                words = f"{what} is gone, and no operation erased it"
            elif not same:
                words = f"{what} was erased, and says something else than then"
            elif not has_ended:
                words = f"{what} is erased, though it has not ended"
            else:
                continue
            self._report.find("edited", place, words)


def _erased_by(personal: Sequence[Any]) -> list[tuple[int, int, int | None]]:
    """Return what an operation says to have erased; nothing, if that makes no sense."""
    try:
        return [tuple(each) for each in json.loads(personal[1])[ERASED]]
    except (IndexError, KeyError, TypeError, ValueError):
        return []


@dataclass(slots=True)
class _Group:
    """An operation with the versions that it made and ended, as they are now."""

    operation: Record | None = None
    digest: bytes = b""
    made: Many = field(default_factory=Many)
    ended: Many = field(default_factory=Many)
    ids: list[int] = field(default_factory=list)


class _Contents:
    """Operations and versions, compared with their leaves."""

    def __init__(
        self,
        report: Report,
        leaves: Iterator[tuple[Any, ...]],
        sight: _Sight,
        erasures: _Erasures,
    ) -> None:
        self._report = report
        self._erasures = erasures
        self._leaves = leaves
        self._leaf = next(leaves, None)
        self._sight = sight
        self._last: Key = (-1, -1)

    def take(self, key: Key, records: Iterator[Record]) -> None:
        """Take an operation with all its versions."""
        report, place = self._report, f"operation {key[1]} of organisation {key[0]}"
        group = self._read(place, records)
        if key <= self._last:
            report.find("reordered", place, "stands at another place of the export")
            return
        self._last = key
        while self._leaf is not None and self._leaf[:2] < key:
            self._miss()
        if self._leaf is None or self._leaf[:2] != key:
            self._unsealed(place, group)
            return
        leaf = self._leaf
        self._leaf = next(self._leaves, None)
        while self._leaf is not None and self._leaf[:2] == key:
            words = f"is sealed a second time, by seal {self._leaf[2]}"
            report.find("inserted", place, words)
            self._leaf = next(self._leaves, None)
        place += f" (leaf {leaf[3]} of seal {leaf[2]})"
        if group.operation is None:
            report.find("deleted", place, "is missing, though its versions are there")
            return
        parts = group.digest, group.made, group.ended
        if leaf_hash(*parts).hex() == leaf[4]:
            noted = group.made.count, group.ended.count, leaf_hints(*parts).hex()
            if leaf[5:8] != noted:
                report.find("edited", place, "what its leaf notes beside its hash")
        else:
            self._tell(place, leaf, group)
        self._tell_time(place, group.operation, leaf)

    def _read(self, place: str, records: Iterator[Record]) -> "_Group":
        group = _Group()
        for record in records:
            if record["type"] == "operation":
                if group.operation is not None:
                    self._report.find("inserted", place, "is there twice")
                group.operation = record
                values = [record[name] for name in OPERATION_FIELDS]
                group.digest = operation_digest(values, self._personal(record))
                self._erasures.operation(record)
            elif record["type"] == "version":
                if group.made.count % STRIDE == 0:
                    group.ids.append(record["id"])
                self._report.versions += 1
                values = [record[name] for name in VERSION_FIELDS]
                group.made.add(version_digest(values, self._personal(record)))
                self._erasures.version(record)
            else:
                self._erasures.ended(record)
                values = [record[name] for name in ENDED_FIELDS]
                group.ended.add(ended_digest(values))
        return group

    def _personal(self, record: Record) -> bytes:
        personal = record["personal"]
        if "digest" in personal:
            self._report.erased += record["type"] == "version"
            return bytes.fromhex(personal["digest"])
        return personal_digest(bytes.fromhex(personal["salt"]), personal["values"])

    def _unsealed(self, place: str, group: _Group) -> None:
        report, operation = self._report, group.operation
        if operation is None:
            versions = group.made.count + group.ended.count
            words = f"{versions} versions name it, and there is no such operation"
            report.find("inserted", place, words)
        elif lie := self._sight.find_lie(operation):
            report.find("inserted", place, lie)
        else:
            report.waiting += 1

    def _miss(self) -> None:
        leaf = self._leaf
        assert leaf is not None  # noqa: S101  asked by both callers
        place = f"operation {leaf[1]} of organisation {leaf[0]}"
        place += f" (leaf {leaf[3]} of seal {leaf[2]})"
        self._report.find("deleted", place, "is missing")
        self._leaf = next(self._leaves, None)

    def _tell(self, place: str, leaf: tuple[Any, ...], group: _Group) -> None:
        """Find out what differs from the leaf, as far as its hints are true."""
        report, made, ended = self._report, group.made, group.ended
        hints = bytes.fromhex(leaf[7])
        told = False
        if hints[:HINT] != group.digest[:HINT]:
            report.find("edited", place, "the operation itself")
            told = True
        parts: tuple[tuple[str, Many, int, bytes, list[int]], ...] = (
            ("versions that it made", made, leaf[5], hints[HINT : 2 * HINT], group.ids),
            ("versions that it ended", ended, leaf[6], hints[2 * HINT : 3 * HINT], []),
        )
        for name, many, count, hint, where in parts:
            if many.count < count:
                words = f"{count - many.count} of the {count} {name}"
                report.find("deleted", place, words + _near(hints, made, where))
                told = True
            elif many.count > count:
                words = f"{many.count - count} besides the {count} {name}"
                report.find("inserted", place, words + _near(hints, made, where))
                told = True
            elif many.digest[:HINT] != hint:
                words = f"one or more of the {count} {name}"
                report.find("edited", place, words + _near(hints, made, where))
                told = True
        if not told:
            report.find("edited", place, "its leaf")

    def _tell_time(self, place: str, operation: Record, leaf: tuple[Any, ...]) -> None:
        """Look whether an operation was there when its seal looked, and not before."""
        if operation["transaction_id"] is None:
            return
        cluster, snapshot, before_cluster, before, before_at = leaf[8:13]
        report, transaction_id = self._report, int(operation["transaction_id"])
        if snapshot is not None and not _Seen(cluster, snapshot, "").sees(
            transaction_id
        ):
            report.find("edited", place, "is younger than the seal that holds it")
        if before is None or before_cluster != cluster:
            return
        earlier = _Seen(before_cluster, before, before_at)
        if earlier.sees(transaction_id):
            words = "claims to be older than a seal that did not hold it"
            report.find("inserted", place, words)
        elif earlier.precedes(transaction_id, operation["at"]):
            words = f"is dated {operation['at']}, and was written after {before_at}"
            report.find("inserted", place, words)

    def finish(self) -> None:
        """Look for leaves whose operations are gone."""
        while self._leaf is not None:
            self._miss()


def _near(hints: bytes, made: Many, ids: Sequence[int]) -> str:
    """Return between which entries the first difference is, where it is known."""
    if not ids:
        return ""
    sealed, now = hints[3 * HINT :], made.trail
    same = 0
    while (part := sealed[same : same + HINT]) and part == now[same : same + HINT]:
        same += HINT
    chunk = min(same // HINT, len(ids) - 1)
    following = f" and before {ids[chunk + 1]}" if chunk + 1 < len(ids) else ""
    return f": at or after entry {ids[chunk]}{following}"


# --- Files ----------------------------------------------------------------------------


def read_export(file: Path) -> Iterator[Record]:
    """Yield the records of an export, compressed or not; raises ValueError."""
    with gzip.open(file, "rb") if _is_gzip(file) else file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
            except ValueError as error:
                message = f"line {number} of {file} is not JSON"
                raise ValueError(message) from error
            if not isinstance(record, dict) or "type" not in record:
                message = f"line {number} of {file} is no record"
                raise ValueError(message)
            yield record


def _is_gzip(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(2) == b"\x1f\x8b"


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the files that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description="Verify an export of dncd's history.")
    parser.add_argument("--export", required=True, type=Path, metavar="FILE")
    parser.add_argument("--anchors", type=Path, metavar="FILE")
    chosen = parser.parse_args(arguments)
    try:
        anchors = require_anchors(chosen.anchors) if chosen.anchors else []
        report = verify(read_export(chosen.export), anchors)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"cannot be verified: {error or type(error).__name__}\n")
        return 2
    sys.stdout.writelines(f"{line}\n" for line in report.lines())
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
