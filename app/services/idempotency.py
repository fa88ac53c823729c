"""Doing once what is asked twice: by its key a request finds what it was answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from app.domain.access import Caller
from app.domain.errors import (
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    StoreUnavailable,
)
from app.domain.idempotency import KeptAnswer
from app.store import idempotent_requests
from app.store.database import Database
from app.store.roles import Scope
from app.store.transactions import Open

# How often a worker looks for what has expired, and how much of it goes at a time.
SWEEP_SECONDS = 60.0
SWEPT = 1000

_log = structlog.get_logger()


class Refusal(Exception):
    """What was asked is refused: nothing of it is to be stored but the *answer*."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__()
        self.answer = answer


class Unsettled(Exception):
    """The *answer* says nothing final: nothing at all is to be stored."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Settled:
    """An answer, and whether it was given before."""

    answer: KeptAnswer
    replayed: bool


class Idempotency:
    """Remembers for thirty days what was answered to requests with a key."""

    def __init__(
        self, database: Database, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Keep answers in *database*; *clock* counts seconds and never goes back."""
        self._database = database
        self._clock = clock
        self._sweep_at = clock()

    def settle(
        self,
        caller: Caller,
        key: bytes,
        request: bytes,
        work: Callable[[], KeptAnswer],
    ) -> Settled:
        """
        Return what *work* answers, or what was answered under *key* before.

        Whatever *work* does by services, with the answer, is one transaction: when this
        returns all of it is committed, when it raises nothing is, unless that is
        OutcomeUnknown. *work* raises Refusal to undo what it did and keep the answer,
        Unsettled to keep nothing. Raises IdempotencyKeyInUse at once where the key's
        request is being carried out, IdempotencyKeyReused where *request*, a digest, is
        another than it was, StoreUnavailable, and what else *work* raises.
        """
        scope = Scope(caller.organisation.id)
        try:
            with self._database.shared(scope) as tx:
                settled = self._settle(tx, caller, key, request, work)
        except Unsettled as unsettled:
            return Settled(unsettled.answer, replayed=False)
        self.sweep()
        return settled

    def _settle(
        self,
        tx: Open,
        caller: Caller,
        key: bytes,
        request: bytes,
        work: Callable[[], KeptAnswer],
    ) -> Settled:
        try:
            known = idempotent_requests.claim(tx, key)
        except idempotent_requests.InUse:
            raise IdempotencyKeyInUse from None
        if known is not None:
            if known.request != request:
                raise IdempotencyKeyReused
            return Settled(known.answer, replayed=True)
        try:
            with self._database.transaction(tx.scope):
                answer = work()
        except Refusal as refusal:
            answer = refusal.answer
        idempotent_requests.keep(tx, caller, key, request, answer)
        return Settled(answer, replayed=False)

    def sweep(self) -> None:
        """
        Remove some of what has expired, if it is time to; may be called at any time.

        That it fails is no matter: there will be a next time.
        """
        now = self._clock()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_SECONDS
        try:
            with self._database.transaction(Scope()) as tx:
                if idempotent_requests.sweep(tx, SWEPT) == SWEPT:
                    self._sweep_at = now
        except StoreUnavailable as failure:
            _log.warning("idempotency_keys_not_swept", cause=str(failure))
