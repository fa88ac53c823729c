"""
The chain of seals: ``seal`` and ``seal_leaf``.

Who seals says so (``see``) and then sees all organisations' leaves and reaches;
operations and entries are read one organisation after another (``turn_to``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import errors

from app.domain.errors import KeyRefused
from app.store.sealed import of_calendar
from app.store.transactions import Open

SEE = "SELECT set_config('dncd.seals', 'on', true)"

# One sealer at a time, on however many hosts; whoever comes second leaves it to the
# first.
TAKE_TURN = "SELECT pg_try_advisory_xact_lock(725106) AS ours"

# A sequence that was anchored and lost is not given to another seal.
STATE = """
    SELECT installation.chain::text, now() AS at,
           pg_current_snapshot()::text AS snapshot,
           (SELECT system_identifier::text FROM pg_control_system()) AS cluster,
           greatest(
               last.sequence, 0,
               (SELECT max(sequence) FROM recovery WHERE chain = installation.chain)
           ) AS sequence, last.root,
           coalesce(last.operations, 0) AS operations,
           complete.snapshot AS complete, complete.cluster AS complete_in
    FROM installation
    LEFT JOIN (
        SELECT sequence, root, operations FROM seal ORDER BY sequence DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN (
        SELECT snapshot, cluster FROM seal WHERE snapshot IS NOT NULL
        ORDER BY sequence DESC LIMIT 1
    ) AS complete ON true
"""

ADD_LEAVES = """
    INSERT INTO seal_leaf (
        sequence, position, organisation_id, operation_id, hash, made, ended, hints
    )
    SELECT %(sequence)s, leaf.place - 1, leaf.organisation_id, leaf.operation_id,
           leaf.hash, leaf.made, leaf.ended, leaf.hints
    FROM unnest(
        %(organisation_ids)s::bigint[], %(operation_ids)s::bigint[],
        %(hashes)s::bytea[], %(made)s::bigint[], %(ended)s::bigint[],
        %(hints)s::bytea[]
    ) WITH ORDINALITY AS leaf (
        organisation_id, operation_id, hash, made, ended, hints, place
    )
"""

ADD = """
    INSERT INTO seal (
        sequence, previous_root, root, leaves_root, leaves, operations, cluster,
        snapshot, sealed_at
    )
    VALUES (
        %(sequence)s, %(previous_root)s, %(root)s, %(leaves_root)s, %(leaves)s,
        %(operations)s, %(cluster)s, %(snapshot)s, %(sealed_at)s
    )
"""

NEWEST = """
    SELECT installation.chain::text, seal.sequence, seal.root, seal.operations,
           seal.sealed_at
    FROM seal, installation ORDER BY sequence DESC LIMIT 1
"""

FIND = """
    SELECT installation.chain::text, seal.sequence, seal.root, seal.operations,
           seal.sealed_at
    FROM seal, installation WHERE sequence = %(sequence)s
"""

HEAD = """
    SELECT chain::text, key_fingerprint, now() AS at,
           pg_current_snapshot()::text AS snapshot,
           (SELECT system_identifier::text FROM pg_control_system()) AS cluster
    FROM installation
"""

EVERY_SEAL = f"""
    SELECT sequence, encode(previous_root, 'hex'), encode(root, 'hex'),
           encode(leaves_root, 'hex'), leaves, operations, cluster, snapshot,
           {of_calendar("seal.sealed_at")}
    FROM seal ORDER BY sequence
"""

EVERY_LEAF = """
    SELECT sequence, position, organisation_id, operation_id, encode(hash, 'hex'),
           made, ended, encode(hints, 'hex')
    FROM seal_leaf ORDER BY sequence, position
"""


class Overtaken(Exception):
    """Another sealer has added the next seal already."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions had been committed, as PostgreSQL writes it."""

    least: int
    next: int
    running: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Snapshot":
        """Return the snapshot of ``pg_current_snapshot()::text``."""
        least, following, running = text.split(":")
        return cls(int(least), int(following), tuple(filter(None, running.split(","))))


@dataclass(frozen=True, slots=True)
class State:
    """How far the chain is, and what this transaction sees."""

    chain: str
    at: datetime
    snapshot: str
    cluster: str
    sequence: int
    root: bytes | None
    operations: int
    complete: str | None
    complete_in: str | None

    @property
    def since(self) -> Snapshot | None:
        """Of what snapshot everything is sealed; None where it is not of here."""
        if self.complete is None or self.complete_in != self.cluster:
            return None
        try:
            then = Snapshot.read(self.complete)
        except ValueError:
            # Somebody's edit, which does not keep us from sealing what there is.
            return None
        return then if then.next <= Snapshot.read(self.snapshot).next else None


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a seal holds of an operation."""

    organisation_id: int
    operation_id: int
    hash: bytes
    made: int
    ended: int
    hints: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of the chain."""

    sequence: int
    previous_root: bytes
    root: bytes
    leaves_root: bytes
    leaves: int
    operations: int
    cluster: str
    snapshot: str | None
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """A seal, as far as an anchor tells it."""

    chain: str
    sequence: int
    root: bytes
    operations: int
    sealed_at: datetime


def see(tx: Open) -> None:
    """See all organisations' leaves from here on."""
    tx.fetch(SEE, {})


def take_turn(tx: Open) -> bool:
    """Whether nobody else seals until this transaction ends."""
    ours: bool = tx.fetch(TAKE_TURN, {})[0]["ours"]
    return ours


def find_state(tx: Open) -> State | None:
    """Return how far the chain is; None before the first start."""
    rows = tx.fetch(STATE, {})
    return State(**rows[0]) if rows else None


def add(tx: Open, seal: Seal, leaves: Sequence[Leaf]) -> None:
    """Append *seal* over *leaves* to the chain; raises Overtaken."""
    parameters = {name: getattr(seal, name) for name in seal.__slots__}
    columns = {
        "sequence": seal.sequence,
        "organisation_ids": [leaf.organisation_id for leaf in leaves],
        "operation_ids": [leaf.operation_id for leaf in leaves],
        "hashes": [leaf.hash for leaf in leaves],
        "made": [leaf.made for leaf in leaves],
        "ended": [leaf.ended for leaf in leaves],
        "hints": [leaf.hints for leaf in leaves],
    }
    try:
        tx.fetch(ADD, parameters)
        if leaves:
            tx.fetch(ADD_LEAVES, columns)
    except (errors.UniqueViolation, errors.SerializationFailure) as error:
        raise Overtaken from error


def head(tx: Open) -> dict[str, Any]:
    """Return whose chain this is, and when it is looked at; raises KeyRefused."""
    rows = tx.fetch(HEAD, {})
    if not rows:
        message = "this database was never given a key: `dncd serve` makes it"
        raise KeyRefused(message)
    return rows[0]


def find_newest(tx: Open) -> Head | None:
    """Return the chain's last seal, or None."""
    rows = tx.fetch(NEWEST, {})
    return Head(**rows[0]) if rows else None


def find(tx: Open, sequence: int) -> Head | None:
    """Return the seal of that number, or None."""
    rows = tx.fetch(FIND, {"sequence": sequence})
    return Head(**rows[0]) if rows else None
