"""Forgetting a person, whose number goes on being blocked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.audit.verify import ERASED, personal_digest
from app.domain.access import Caller, Grant
from app.domain.erasure import Pseudonyms, StandIns
from app.domain.errors import ErasureKeyWrong, Forbidden, KeyRefused
from app.domain.events import OperationKind
from app.domain.keys import Key
from app.domain.phone import PhoneNumber
from app.domain.retention import Forgotten
from app.services.keys import Keys
from app.services.leaves import salt_of
from app.store import erasures, operations
from app.store.database import Database
from app.store.erasures import Past
from app.store.roles import Scope
from app.store.transactions import Open

Answer = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Erased:
    """
    What of a number was forgotten: entries, which still block, past versions, leads.

    *versions* counts what the entries were until then as well.
    """

    entries: int
    versions: int
    leads: int
    operation_id: int


class Erasures:
    """Takes everything personal of a number away, and never unblocks it."""

    def __init__(self, database: Database, keys: Keys, pseudonyms: Pseudonyms) -> None:
        """Forget what is in *database*, with the key of *keys*."""
        self._database = database
        self._keys = keys
        self._pseudonyms = pseudonyms

    def erase(
        self, caller: Caller, number: PhoneNumber, why: str | None = None
    ) -> Erased:
        """
        Forget whose number that is, and which, in one transaction and operation.

        Its entries block it as before. The operation is recorded also where nothing was
        found, and never names the number. Needs the grants admin and delete; raises
        Forbidden, ErasureKeyWrong.
        """
        if not (caller.may(Grant.ADMIN) and caller.may(Grant.DELETE)):
            raise Forbidden
        key = require_key(self._keys)
        stand_ins = self._pseudonyms.of(caller.organisation.id)
        stand_in = stand_ins.of(number.e164)
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            operation_id = operations.next_id(tx)
            tx.act_for(operation_id)
            hidden = erasures.hide(tx, operation_id, number.e164, stand_in)
            versions = erasures.find_of_number(tx, number.e164)
            if versions:
                erasures.claim(tx, stand_ins.mark)
            _, answer = forget(tx, key, stand_ins, versions)
            erasures.forget_requests(tx, versions)
            left = erasures.forget_leads(tx, number.e164)
            operations.append(
                tx,
                caller,
                OperationKind.ENTRY_ERASED,
                why=why,
                touched=hidden,
                operation_id=operation_id,
                answer=answer,
            )
        return Erased(hidden, len(versions), left, operation_id)


def require_key(keys: Keys) -> Key:
    """Return the key that belongs to the database; raises ErasureKeyWrong."""
    try:
        return keys.require()
    except KeyRefused as error:
        raise ErasureKeyWrong(str(error)) from error


def forget(
    tx: Open, key: Key, stand_ins: StandIns, versions: Sequence[Past]
) -> tuple[Forgotten, Answer]:
    """
    Replace what is personal of *versions* by digests, and why they came about.

    Returns how much that was, and what the operation that erases is to be sealed with:
    a digest that no such operation speaks for is somebody's forgery.
    """
    stands_in = [_stand_in(version, stand_ins) for version in versions]
    forgotten = erasures.forget_versions(
        tx,
        versions,
        stands_in,
        [_digest(tx, key, version) for version in versions],
    )
    found = erasures.find_why(tx, versions)
    explained = erasures.forget_why(
        tx,
        [operation_id for operation_id, *_ in found],
        [
            personal_digest(salt_of(key, tx.organisation_id, 0, operation_id), personal)
            for operation_id, *personal in found
        ],
    )
    erasures.forget_reasons(tx, versions)
    erased: list[tuple[int, int, int | None]] = [
        (version.id, version.operation_id, stand_in)
        for version, stand_in in zip(versions, stands_in, strict=True)
    ]
    erased += [(0, operation_id, None) for operation_id, *_ in found]
    return Forgotten(forgotten, explained), {ERASED: erased}


def _stand_in(version: Past, stand_ins: StandIns) -> int:
    return version.e164 if version.e164 < 0 else stand_ins.of(version.e164)


def _digest(tx: Open, key: Key, version: Past) -> bytes:
    """Return what a seal holds, or will, of whom the version is about."""
    salt = salt_of(key, tx.organisation_id, version.id, version.operation_id)
    return personal_digest(salt, [version.e164, version.reason, version.evidence])
