"""Tokens: who asks, and may they?"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from datetime import datetime
from threading import Lock

import structlog

from app.domain.access import (
    Bearer,
    Caller,
    Grant,
    Token,
    hash_secret,
    is_secret,
    new_secret,
)
from app.domain.errors import Forbidden, StoreUnavailable, TokenInvalid
from app.domain.events import OperationKind
from app.store import operations, tokens
from app.store.database import Database, Scope

# A revoked token must stop working within a second, on every worker.
REMEMBERED_SECONDS = 0.5
REMEMBERED_TOKENS = 10_000

_log = structlog.get_logger()


class Access:
    """Answers for tokens; remembers a valid one for half a second."""

    def __init__(
        self, database: Database, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask *database*; *clock* counts seconds and never goes back."""
        self._database = database
        self._clock = clock
        self._remembered: OrderedDict[bytes, tuple[float, Bearer]] = OrderedDict()
        self._lock = Lock()

    def authenticate(
        self, secret: str, *, dialect: str, address: str | None, request_id: str
    ) -> Caller:
        """Return whoever holds *secret*; raises TokenInvalid, StoreUnavailable."""
        bearer = self._bearer(secret)
        return Caller(
            organisation=bearer.organisation,
            grants=bearer.grants,
            token_id=bearer.token_id,
            actor=bearer.token_name,
            dialect=dialect,
            address=address,
            request_id=request_id,
        )

    def require(self, caller: Caller, grant: Grant) -> None:
        """Raise Forbidden unless *caller* holds *grant*."""
        if not caller.may(grant):
            raise Forbidden

    def issue(
        self,
        caller: Caller,
        name: str,
        grants: Collection[Grant],
        *,
        user: str | None = None,
        expires: datetime | None = None,
    ) -> str:
        """
        Make a token and return its secret, which is not kept anywhere.

        Raises SettingInvalid if *user* belongs to another token.
        """
        secret = new_secret()
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            tokens.issue(
                tx, name, hash_secret(secret), grants, user=user, expires=expires
            )
            operations.append(tx, caller, OperationKind.TOKEN_ISSUED, why=name)
        return secret

    def revoke(self, caller: Caller, reference: str) -> int:
        """End the tokens of that id or name; return how many. Raises TokenUnknown."""
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            ended = tokens.revoke(tx, reference)
            operations.append(
                tx,
                caller,
                OperationKind.TOKEN_REVOKED,
                why=reference,
                touched=len(ended),
            )
        return len(ended)

    def list_tokens(self, caller: Caller) -> list[Token]:
        """Return every token of the caller's organisation."""
        return tokens.list_all(self._database.of(caller.organisation.id))

    def _bearer(self, secret: str) -> Bearer:
        now = self._clock()
        secret_hash = hash_secret(secret)
        with self._lock:
            known = self._remembered.get(secret_hash)
        if known and now < known[0]:
            return known[1]
        if not is_secret(secret):
            raise TokenInvalid
        found = tokens.find_bearer(
            self._database.within(Scope(secret_hash=secret_hash)), secret_hash
        )
        if found is None:
            with self._lock:
                self._remembered.pop(secret_hash, None)
            raise TokenInvalid
        bearer, use_is_news = found
        with self._lock:
            self._remembered[secret_hash] = (now + REMEMBERED_SECONDS, bearer)
            self._remembered.move_to_end(secret_hash)
            if len(self._remembered) > REMEMBERED_TOKENS:
                self._remembered.popitem(last=False)
        if use_is_news:
            self._note_use(bearer)
        return bearer

    def _note_use(self, bearer: Bearer) -> None:
        """Note that the token was used; a check must not fail because that does."""
        try:
            tokens.mark_used(self._database.of(bearer.organisation.id), bearer.token_id)
        except StoreUnavailable as error:
            _log.warning("token_use_not_noted", cause=str(error))
