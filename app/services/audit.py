"""The whole history as it is, in the form in which anybody can verify it."""

from collections.abc import Iterator, Sequence
from heapq import merge
from hmac import compare_digest

from app.audit import verify
from app.audit.verify import Anchor, Record, Report
from app.domain.keys import Key
from app.domain.recoveries import Loss, proof_of
from app.services.keys import Keys
from app.services.leaves import (
    OPERATION_FIELDS,
    SEAL_COLUMNS,
    VERSION_FIELDS,
    named,
    personal_of_operation,
    personal_of_version,
    told,
)
from app.services.sealing import Sealing
from app.store import organisations, recoveries, sealed, seals
from app.store.database import Database
from app.store.roles import Scope
from app.store.sealed import Row
from app.store.transactions import Open

# To sort a very long list takes its time.
DEADLINE = 24 * 3600.0

_LEAF = (
    "sequence",
    "position",
    "organisation_id",
    "operation_id",
    "hash",
    "made",
    "ended",
    "hints",
)


class Audit:
    """Shows that nobody has rewritten what was sealed, or that somebody has."""

    def __init__(self, database: Database, keys: Keys, sealing: Sealing) -> None:
        """Read *database*; the key in *keys* gives the salts."""
        self._database = database
        self._keys = keys
        self._sealing = sealing

    def records(self) -> Iterator[Record]:
        """
        Seal what is not, and yield everything as ``docs/audit.md`` tells.

        All of it as of one moment, in bounded memory. Raises KeyRefused,
        StoreUnavailable.
        """
        key = self._keys.require()
        # A seal of now: what is older, and is in none, does not wait for one.
        self._sealing.run(anyway=True)
        with self._database.repeatable(Scope(), deadline=DEADLINE) as tx:
            seals.see(tx)
            head = seals.head(tx)
            yield {
                "type": "export",
                "format": verify.FORMAT,
                **{name: told([value])[0] for name, value in head.items()},
            }
            for row in sealed.stream(tx, recoveries.EVERY, {}):
                yield _recovery(key, row)
            yield from _chain(tx, head["chain"])
            for organisation_id in organisations.ids(tx):
                tx.turn_to(organisation_id)
                yield from _history(tx, key, organisation_id)
            yield {"type": "end"}

    def verify(self, anchors: Sequence[Anchor]) -> Report:
        """Return what is not as it was sealed, or not as the anchors tell."""
        return verify.verify(self.records(), anchors)


def _recovery(key: Key, row: Row) -> Record:
    """Return what was confirmed, and whether by somebody who had the key."""
    told = dict(zip(recoveries.COLUMNS, row, strict=True))
    proof = told.pop("proof")
    fields = {name: told[name] for name in Loss.__slots__ if name in told}
    expected = proof_of(key, Loss(**fields, is_other_chain=False), told["confirmed_by"])
    return {
        "type": "recovery",
        **named(list(told), list(told.values())),
        "proven": proof is not None and compare_digest(proof, expected),
    }


def _chain(tx: Open, chain: str) -> Iterator[Record]:
    """Yield each seal, then its leaves; a leaf without a seal where it would be."""
    seal_rows = (
        (row[0], -1, {"type": "seal", "chain": chain, **named(SEAL_COLUMNS, row)})
        for row in sealed.stream(tx, seals.EVERY_SEAL, {})
    )
    leaf_rows = (
        (row[0], row[1], {"type": "leaf", **named(_LEAF, row)})
        for row in sealed.stream(tx, seals.EVERY_LEAF, {})
    )
    for _, _, record in merge(seal_rows, leaf_rows, key=lambda each: each[:2]):
        yield record


def _history(tx: Open, key: Key, organisation_id: int) -> Iterator[Record]:
    """Yield each operation, what it made and what it ended, by its number."""
    operations = (
        (row[1], 0, _operation(key, row))
        for row in sealed.every(tx, sealed.EVERY_OPERATION, organisation_id)
    )
    versions = (
        (row[2], 1, _version(key, row))
        for row in sealed.every(tx, sealed.EVERY_VERSION, organisation_id)
    )
    ends = (
        (row[5], 2, {"type": "ended", **named(verify.ENDED_FIELDS, row)})
        for row in sealed.every(tx, sealed.EVERY_END, organisation_id)
    )
    for _, _, record in merge(operations, versions, ends, key=lambda each: each[:2]):
        yield record


def _operation(key: Key, row: Row) -> Record:
    return {
        "type": "operation",
        **named(verify.OPERATION_FIELDS, row[:OPERATION_FIELDS]),
        "personal": personal_of_operation(key, row).as_record(),
    }


def _version(key: Key, row: Row) -> Record:
    return {
        "type": "version",
        **named(verify.VERSION_FIELDS, row[:VERSION_FIELDS]),
        "personal": personal_of_version(key, row).as_record(),
    }
