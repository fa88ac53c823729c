"""From an operation and its versions to the leaf that seals them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from app.audit import verify
from app.audit.verify import Many
from app.domain.keys import Key
from app.store import sealed
from app.store.sealed import Reach, Reaches, Row
from app.store.seals import Leaf
from app.store.transactions import Open
from app.store.unsealed import Unsealed

# What is read at once; an operation with more entries is read bit by bit.
FEW = 2_000
AT_ONCE = 20_000

SALT_BYTES = 16

# What an export and a proof pack tell of a seal.
SEAL_COLUMNS = (
    "sequence",
    "previous_root",
    "root",
    "leaves_root",
    "leaves",
    "operations",
    "cluster",
    "snapshot",
    "sealed_at",
)

OPERATION_FIELDS = len(verify.OPERATION_FIELDS)
VERSION_FIELDS = len(verify.VERSION_FIELDS)


def leaves(
    tx: Open, key: Key, organisation_id: int, wanted: Sequence[Unsealed]
) -> Iterator[Leaf]:
    """
    Yield a leaf for each of the operations, which are of the organisation entered.

    In bounded memory, however many entries one of them touched. What has reached out
    without ever being recorded as an operation has no leaf.
    """
    found = sealed.reaches(
        tx,
        organisation_id,
        [(one.operation_id, one.transaction_id) for one in wanted],
    )
    nothing = Reaches()
    for part in _parts(wanted, found):
        ids = [one.operation_id for one in part]
        rows = {row[1]: row for row in sealed.operations(tx, organisation_id, ids)}
        few = [one for one in ids if found.get(one, nothing).entries <= FEW]
        made = sealed.made(
            tx, organisation_id, _pairs((one, found[one].made) for one in few)
        )
        ended = sealed.ended(
            tx, organisation_id, _pairs((one, found[one].ended) for one in few)
        )
        for one in ids:
            if one not in rows:
                continue
            where = found.get(one, nothing)
            versions: Iterable[Row] = made.get(one, ())
            ends: Iterable[Row] = ended.get(one, ())
            if where.entries > FEW:
                versions = sealed.stream_made(tx, organisation_id, one, where.made)
                ends = sealed.stream_ended(tx, organisation_id, one, where.ended)
            yield _leaf(key, rows[one], versions, ends)


def _parts(
    wanted: Sequence[Unsealed], found: dict[int, Reaches]
) -> Iterator[list[Unsealed]]:
    """Yield the operations in their order, so many that their entries fit."""
    part: list[Unsealed] = []
    entries = 0
    for one in wanted:
        part.append(one)
        reach = found.setdefault(one.operation_id, Reaches())
        entries += 1 + (reach.entries if reach.entries <= FEW else 0)
        if entries >= AT_ONCE:
            yield part
            part, entries = [], 0
    if part:
        yield part


def _pairs(
    reached: Iterable[tuple[int, Sequence[Reach]]],
) -> list[tuple[int, Reach]]:
    return [(one, part) for one, parts in reached for part in parts]


def _leaf(
    key: Key, operation: Row, versions: Iterable[Row], ends: Iterable[Row]
) -> Leaf:
    own = verify.operation_digest(
        told(operation[:OPERATION_FIELDS]),
        personal_of_operation(key, operation).as_digest(),
    )
    made, ended = Many(), Many()
    for version in versions:
        made.add(
            verify.version_digest(
                told(version[:VERSION_FIELDS]),
                personal_of_version(key, version).as_digest(),
            )
        )
    for end in ends:
        ended.add(verify.ended_digest(told(end)))
    return Leaf(
        organisation_id=operation[0],
        operation_id=operation[1],
        hash=verify.leaf_hash(own, made, ended),
        made=made.count,
        ended=ended.count,
        hints=verify.leaf_hints(own, made, ended),
    )


class Personal:
    """Somebody's data in a row, or what was kept for a digest when they were erased."""

    __slots__ = ("_erased", "_salt", "_values")

    def __init__(
        self, salt: bytes, values: Sequence[object], erased: bytes | None
    ) -> None:
        self._salt = salt
        self._values = values
        self._erased = erased

    def as_digest(self) -> bytes:
        """Return what a seal holds of them."""
        if self._erased is not None:
            return self._erased
        return verify.personal_digest(self._salt, self._values)

    def as_record(self) -> dict[str, object]:
        """Return what an export tells, from which the digest can be computed."""
        if self._erased is not None:
            return {"digest": self._erased.hex(), "left": list(self._values)}
        return {"salt": self._salt.hex(), "values": list(self._values)}


def personal_of_version(key: Key, version: Row) -> Personal:
    """Return about whom a version is: number, reason and evidence."""
    salt = salt_of(key, version[0], version[1], version[2])
    *values, erased = version[VERSION_FIELDS:]
    return Personal(salt, values, erased)


def personal_of_operation(key: Key, operation: Row) -> Personal:
    """Return what an operation may tell about somebody: why, and what was answered."""
    salt = salt_of(key, operation[0], 0, operation[1])
    *values, erased = operation[OPERATION_FIELDS:]
    return Personal(salt, values, erased)


def salt_of(key: Key, organisation_id: int, entry_id: int, operation_id: int) -> bytes:
    """Return the salt of a version's personal part; entry 0 is the operation's own."""
    told = key.derive("seal", organisation_id, entry_id, operation_id)
    return told[:SALT_BYTES]


def told(values: Sequence[object]) -> list[object]:
    """Return the values of a row as they are written: an instant to the microsecond."""
    return [
        value.isoformat(timespec="microseconds") if type(value) is datetime else value
        for value in values
    ]


def named(names: Sequence[str], row: Sequence[object]) -> dict[str, object]:
    """Return the values of *row* as they are written, by their *names*."""
    return dict(zip(names, told(row), strict=True))
