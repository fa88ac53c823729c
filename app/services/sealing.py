"""The sealer: every operation gets its place in the chain, soon after it happened."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import attrgetter

from app.audit import verify
from app.audit.verify import NO_ROOT, Anchor, Tree
from app.domain.errors import KeyRefused
from app.domain.keys import Key
from app.services.conditions import Conditions
from app.services.keys import Keys
from app.services.leaves import leaves, told
from app.store import instants, organisations, seals, unsealed
from app.store.database import Database
from app.store.roles import Plans, Scope
from app.store.seals import Head, Leaf, Overtaken, Seal, State
from app.store.transactions import Open
from app.store.unsealed import Unsealed

# Leaves of one seal; what is left waits for the next, which follows at once.
MOST = 20_000

# How long one answer of the database may take: to look through a very long list.
DEADLINE = 3600.0

_SCOPE = Scope(plans=Plans.BY_NUMBER)


class Sealing:
    """Adds seals to the chain, one sealer at a time."""

    def __init__(self, database: Database, keys: Keys, conditions: Conditions) -> None:
        """Seal what *database* holds, with the key in *keys*."""
        self._database = database
        self._keys = keys
        self._conditions = conditions
        self._key: Key | None = None
        # Up to which operation of each organisation a long first pass has come.
        self._marks: dict[int, int] = {}

    def run(self, *, anyway: bool = False) -> int:
        """
        Seal everything that is committed; return how many operations that were.

        When it returns, everything that was committed before it began is sealed, or
        another process is at it. *anyway* adds a seal even if nothing is new, which
        tells that nothing was. While something that was anchored is missing, and
        nobody has confirmed it, nothing is sealed: it would take the place of what was
        lost. Raises KeyRefused, StoreUnavailable.
        """
        if self._conditions.find_missed() is not None:
            return 0
        count = 0
        while True:
            try:
                added = self._add(anyway=anyway)
            except Overtaken:
                self._marks.clear()
                continue
            if not added:
                return count
            # What is written from now on is dated later, by whatever clock.
            instants.settle(self._database.within(Scope()), added[-1].sealed_at)
            count += sum(seal.leaves for seal in added)
            if added[-1].snapshot is not None:
                return count

    def newest(self) -> Anchor | None:
        """Return what an anchor says of the chain as it is; None before its start."""
        with self._database.snapshot(Scope()) as tx:
            found = seals.find_newest(tx)
        return _anchor(found) if found else None

    def find(self, sequence: int) -> Anchor | None:
        """Return what an anchor says of the seal of that number, or None."""
        with self._database.snapshot(Scope()) as tx:
            found = seals.find(tx, sequence)
        return _anchor(found) if found else None

    def is_confirmed(self, anchor: Anchor) -> bool:
        """Whether somebody has confirmed that what *anchor* tells is lost."""
        return self._conditions.is_confirmed(anchor)

    def _add(self, *, anyway: bool) -> list[Seal]:
        """Add the next seal, or two; none if there is nothing to seal, or no turn."""
        if self._key is None:
            self._key = self._keys.require()
        with self._database.repeatable(_SCOPE, deadline=DEADLINE) as tx:
            seals.see(tx)
            if not seals.take_turn(tx):
                return []
            state = seals.find_state(tx)
            if state is None:
                message = "this database was never given a key"
                raise KeyRefused(message)
            since = state.since
            if since is None:
                waiting = self._every(tx)
            else:
                waiting = unsealed.find_new(tx, state, since, MOST + 1)
                if not waiting and not anyway:
                    return []
            whole = len(waiting) <= MOST
            found = list(self._leaves(tx, waiting[:MOST]))
            added = []
            # What is sealed without a look at its transaction must not be judged by it.
            if since is None and found:
                added.append(_link(state, None, found, None))
                seals.add(tx, added[0], found)
                found = []
            if since is not None or whole:
                snapshot = state.snapshot if whole else None
                added.append(_link(state, snapshot, found, added[0] if added else None))
                seals.add(tx, added[-1], found)
        return added

    def _every(self, tx: Open) -> list[Unsealed]:
        """
        Return what has no seal, one organisation after another.

        Goes on where it was, and when it has come to the end looks at all of it once
        more, for what was committed late.
        """
        found = _scan(tx, self._marks)
        if self._marks and len(found) <= MOST:
            self._marks.clear()
            found = _scan(tx, {})
        for one in found[:MOST] if len(found) > MOST else ():
            self._marks[one.organisation_id] = one.operation_id
        return found

    def _leaves(self, tx: Open, waiting: list[Unsealed]) -> Iterator[Leaf]:
        """Yield the leaves, in the order in which they are sealed."""
        assert self._key is not None  # noqa: S101  _add has seen to it
        place = {
            (one.organisation_id, one.operation_id): number
            for number, one in enumerate(waiting)
        }
        found: list[Leaf] = []
        by_organisation = sorted(waiting, key=attrgetter("organisation_id"))
        for organisation_id, own in groupby(
            by_organisation, attrgetter("organisation_id")
        ):
            tx.turn_to(organisation_id)
            found.extend(leaves(tx, self._key, organisation_id, list(own)))
        found.sort(key=lambda leaf: place[leaf.organisation_id, leaf.operation_id])
        yield from found


def _anchor(found: Head) -> Anchor:
    return Anchor(
        found.chain,
        found.sequence,
        found.root.hex(),
        found.operations,
        found.sealed_at.isoformat(timespec="microseconds"),
    )


def _scan(tx: Open, marks: Mapping[int, int]) -> list[Unsealed]:
    found: list[Unsealed] = []
    for organisation_id in organisations.ids(tx):
        tx.turn_to(organisation_id)
        after = marks.get(organisation_id, 0)
        own = unsealed.find_every(tx, organisation_id, after, MOST + 1 - len(found))
        if own:
            ids = [one.operation_id for one in own]
            unsealed.complete_reach(tx, organisation_id, ids)
        found.extend(own)
        if len(found) > MOST:
            break
    return found


def _link(
    state: State, snapshot: str | None, found: list[Leaf], before: Seal | None
) -> Seal:
    """Return the seal over *found* that follows *before*, or the chain's last."""
    tree = Tree()
    for leaf in found:
        tree.add(leaf.hash)
    previous = before.root if before else state.root or NO_ROOT
    operations = before.operations if before else state.operations
    sequence = (before.sequence if before else state.sequence) + 1
    fields = {
        "chain": state.chain,
        "sequence": sequence,
        "previous_root": previous.hex(),
        "leaves_root": tree.root.hex(),
        "leaves": len(found),
        "operations": operations + len(found),
        "cluster": state.cluster,
        "snapshot": snapshot,
        "sealed_at": told([state.at])[0],
    }
    return Seal(
        sequence=sequence,
        previous_root=previous,
        root=verify.seal_root(fields),
        leaves_root=tree.root,
        leaves=len(found),
        operations=operations + len(found),
        cluster=state.cluster,
        snapshot=snapshot,
        sealed_at=state.at,
    )
