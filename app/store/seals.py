"""
The chain of seals: ``seal`` and ``seal_leaf``, and which operations are to be sealed.

Who seals says so (``see``) and then sees all organisations' leaves and reaches;
operations and entries are read one organisation after another (``enter``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import errors

from app.domain.errors import KeyRefused
from app.store.transactions import Open

SEE = "SELECT set_config('dncd.seals', 'on', true)"

# One sealer at a time, on however many hosts; whoever comes second leaves it to the
# first.
TAKE_TURN = "SELECT pg_try_advisory_xact_lock(725106) AS ours"

ENTER = "SELECT set_config('dncd.organisation', %(organisation_id)s, true)"

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

# What is visible now and was not when everything visible was sealed: what was running
# then, and what has begun since. However long somebody's transaction takes, nobody
# else's waits for it, and none is passed over.
FIND_NEW = """
    SELECT organisation_id, operation_id, transaction_id::text
    FROM (
        SELECT organisation_id, operation_id, transaction_id FROM operation_reach
        WHERE transaction_id >= %(since)s::xid8 AND transaction_id < %(until)s::xid8
        UNION ALL
        SELECT organisation_id, operation_id, transaction_id FROM operation_reach
        WHERE transaction_id = ANY(%(running)s::text[]::xid8[])
    ) AS reach
    WHERE NOT EXISTS (
        SELECT FROM seal_leaf AS leaf
        WHERE leaf.organisation_id = reach.organisation_id
          AND leaf.operation_id = reach.operation_id
    )
    GROUP BY organisation_id, operation_id, transaction_id
    ORDER BY transaction_id, operation_id
    LIMIT %(most)s
"""

# Where nothing is known of what was visible, each operation is looked at.
FIND_EVERY = """
    SELECT organisation_id, id AS operation_id, transaction_id::text
    FROM operation
    WHERE organisation_id = %(organisation_id)s AND id > %(after)s
      AND NOT EXISTS (
          SELECT FROM seal_leaf AS leaf
          WHERE leaf.organisation_id = operation.organisation_id
            AND leaf.operation_id = operation.id
      )
    ORDER BY id
    LIMIT %(most)s
"""

ORGANISATIONS = "SELECT last_value AS newest FROM organisation_id_seq"

UNREACHED = """
    SELECT EXISTS (
        SELECT FROM operation
        WHERE organisation_id = %(organisation_id)s
          AND id = ANY(%(operation_ids)s::bigint[])
          AND NOT EXISTS (
              SELECT FROM operation_reach AS reach
              WHERE reach.transaction_id = operation.transaction_id
                AND reach.organisation_id = operation.organisation_id
                AND reach.operation_id = operation.id
          )
    ) AS found
"""

# What was written before there was a trigger to tell. Reads the whole list once.
REACH = """
    INSERT INTO operation_reach (
        organisation_id, operation_id, transaction_id, ended, first_id, last_id, entries
    )
    SELECT operation.organisation_id, operation.id, operation.transaction_id,
           coalesce(found.ended, false), found.first_id, found.last_id,
           coalesce(found.entries, 0)
    FROM operation
    LEFT JOIN (
        SELECT operation_id, false AS ended, min(id) AS first_id, max(id) AS last_id,
               count(*) AS entries
        FROM (
            SELECT operation_id, id FROM dnc_entry
            WHERE organisation_id = %(organisation_id)s
            UNION ALL
            SELECT operation_id, id FROM dnc_entry_past
            WHERE organisation_id = %(organisation_id)s
        ) AS version
        GROUP BY operation_id
        UNION ALL
        SELECT ended_by_operation, true, min(id), max(id), count(*)
        FROM dnc_entry_past
        WHERE organisation_id = %(organisation_id)s
        GROUP BY ended_by_operation
    ) AS found ON found.operation_id = operation.id
    WHERE operation.organisation_id = %(organisation_id)s
      AND NOT EXISTS (
          SELECT FROM operation_reach AS reach
          WHERE reach.transaction_id = operation.transaction_id
            AND reach.organisation_id = operation.organisation_id
            AND reach.operation_id = operation.id
      )
"""

PLAN_FREELY = """
    SELECT set_config('enable_seqscan', %(freely)s, true),
           set_config('enable_hashjoin', %(freely)s, true),
           set_config('enable_mergejoin', %(freely)s, true)
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
           (SELECT system_identifier::text FROM pg_control_system()) AS cluster
    FROM installation
"""

EVERY_SEAL = """
    SELECT sequence, encode(previous_root, 'hex'), encode(root, 'hex'),
           encode(leaves_root, 'hex'), leaves, operations, cluster, snapshot, sealed_at
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
        then = Snapshot.read(self.complete)
        return then if then.next <= Snapshot.read(self.snapshot).next else None


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An operation that waits for its seal."""

    organisation_id: int
    operation_id: int
    transaction_id: str


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


def enter(tx: Open, organisation_id: int) -> None:
    """Read that organisation's operations and entries from here on."""
    tx.fetch(ENTER, {"organisation_id": str(organisation_id)})


def find_state(tx: Open) -> State | None:
    """Return how far the chain is; None before the first start."""
    rows = tx.fetch(STATE, {})
    return State(**rows[0]) if rows else None


def find_new(tx: Open, state: State, since: Snapshot, most: int) -> list[Unsealed]:
    """Return what has come since *since*, in the order of the transactions."""
    rows = tx.fetch(
        FIND_NEW,
        {
            "since": str(since.next),
            "until": str(Snapshot.read(state.snapshot).next),
            "running": list(since.running),
            "most": most,
        },
    )
    return [Unsealed(**row) for row in rows]


def organisation_ids(tx: Open) -> range:
    """Return the ids that an organisation may have."""
    return range(1, tx.fetch(ORGANISATIONS, {})[0]["newest"] + 1)


def find_every(tx: Open, organisation_id: int, after: int, most: int) -> list[Unsealed]:
    """Return what of the organisation entered, with ids after *after*, is unsealed."""
    parameters = {"organisation_id": organisation_id, "after": after, "most": most}
    return [Unsealed(**row) for row in tx.fetch(FIND_EVERY, parameters)]


def complete_reach(
    tx: Open, organisation_id: int, operation_ids: Sequence[int]
) -> None:
    """Find out where entries are that operations changed before they told so."""
    parameters: dict[str, object] = {
        "organisation_id": organisation_id,
        "operation_ids": list(operation_ids),
    }
    if tx.fetch(UNREACHED, parameters)[0]["found"]:
        tx.fetch(PLAN_FREELY, {"freely": "on"})
        tx.connection.execute(REACH, parameters, prepare=False)
        tx.fetch(PLAN_FREELY, {"freely": "off"})


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
