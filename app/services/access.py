"""Tokens: who asks, and may they?"""

import time
from collections.abc import Callable, Collection
from datetime import datetime

import structlog

from app.domain.access import (
    Bearer,
    Caller,
    Grant,
    Token,
    hash_secret,
    is_secret,
    is_user_name,
    login_key,
    new_secret,
)
from app.domain.errors import (
    Forbidden,
    LoginLocked,
    RecoveryUnconfirmed,
    SettingInvalid,
    StoreUnavailable,
    TokenInvalid,
)
from app.domain.events import OperationKind
from app.services.conditions import Conditions
from app.services.memory import Memory
from app.store import login_failures, operations, tokens
from app.store.database import Database
from app.store.roles import Scope

# A revoked token must stop working within a second, on every worker.
REMEMBERED_SECONDS = 0.5
REMEMBERED_TOKENS = 10_000

# Wrong secrets of a user from one address, in a quarter of an hour.
MOST_FAILURES = 10

_log = structlog.get_logger()


class Access:
    """Answers for tokens; remembers a valid one for half a second."""

    def __init__(
        self,
        database: Database,
        conditions: Conditions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Ask *database*, which must meet *conditions*, whatever it says of a token.

        *clock* counts seconds and never goes back.
        """
        self._database = database
        self._conditions = conditions
        kept = REMEMBERED_SECONDS, REMEMBERED_TOKENS, clock
        self._bearers: Memory[bytes, Bearer] = Memory(*kept)
        self._proven: Memory[tuple[bytes, bytes], bool] = Memory(*kept)

    def authenticate(
        self, secret: str, *, dialect: str, address: str | None, request_id: str
    ) -> Caller:
        """Return whoever holds *secret*; raises TokenInvalid, StoreUnavailable."""
        return _caller(self._bearer(secret), dialect, address, request_id)

    def recall(
        self, secret: str, *, dialect: str, address: str | None, request_id: str
    ) -> Caller | None:
        """Return whoever holds *secret* if that is remembered; asks nobody."""
        bearer = self._bearers.recall(hash_secret(secret))
        if bearer is None:
            return None
        return _caller(bearer, dialect, address, request_id)

    def authenticate_user(
        self,
        user: str,
        secret: str,
        *,
        dialect: str,
        address: str | None,
        request_id: str,
    ) -> Caller:
        """
        Return whoever is *user* and holds *secret*.

        After ten wrong secrets in a row no more of them are heard for a quarter of an
        hour, not even the right one, from that address, by any worker. Raises
        TokenInvalid, LoginLocked, which both tell nothing of whether there is such a
        user, and StoreUnavailable.
        """
        key = login_key(user, address)
        proof = hash_secret(secret), key
        if self._proven.recall(proof) and not self._count_failures(key):
            bearer = self._bearer(secret)
        else:
            asked = self._proven.now()
            bearer = self._log_in(user, secret, key)
            self._proven.learn(proof, True, asked)  # noqa: FBT003  that it is so
        return _caller(bearer, dialect, address, request_id)

    def require(self, caller: Caller, grant: Grant) -> None:
        """
        Raise Forbidden unless *caller* holds *grant*.

        Raises RecoveryUnconfirmed while opt-outs that were acknowledged may be missing:
        then new ones are taken, and nothing else is said or done.
        """
        if not caller.may(grant):
            raise Forbidden
        if caller.only_inserts and grant is not Grant.INSERT:
            raise RecoveryUnconfirmed

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

        Raises SettingInvalid if *user* is no name or belongs to another token.
        """
        if user is not None and not is_user_name(user):
            message = f"a user has 1 to 64 letters, digits, - and _, unlike {user!r}"
            raise SettingInvalid(message)
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

    def _count_failures(self, key: bytes) -> int:
        return login_failures.count(self._database.within(Scope(secret_hash=key)), key)

    def _log_in(self, user: str, secret: str, key: bytes) -> Bearer:
        """
        Judge one login after another, so that each knows of all that failed before.

        Were they judged side by side, all that come at once would be heard.
        """
        with self._database.transaction(Scope(secret_hash=key)) as tx:
            login_failures.queue(tx, key)
            failures = login_failures.count(tx, key)
            if failures >= MOST_FAILURES:
                raise LoginLocked
            bearer = self._find_user(user, secret)
            if bearer is None:
                login_failures.append(tx, key)
                login_failures.purge(tx)
            elif failures:
                login_failures.forget(tx, key)
        if bearer is None:
            raise TokenInvalid
        return bearer

    def _find_user(self, user: str, secret: str) -> Bearer | None:
        try:
            bearer = self._bearer(secret)
        except TokenInvalid:
            return None
        return bearer if bearer.user == user else None

    def _bearer(self, secret: str) -> Bearer:
        asked = self._bearers.now()
        secret_hash = hash_secret(secret)
        known = self._bearers.recall(secret_hash)
        if known is not None:
            return known
        if not is_secret(secret):
            raise TokenInvalid
        anchor = self._conditions.newest_anchor()
        found = tokens.find_bearer(
            self._database.within(Scope(secret_hash=secret_hash)),
            secret_hash,
            self._conditions.revision,
            anchor,
        )
        self._conditions.require(found.standing, anchor)
        bearer = found.bearer
        if bearer is None:
            self._bearers.forget(secret_hash)
            # A token that was issued since may be among what is lost.
            raise TokenInvalid if found.standing.holds_anchor else RecoveryUnconfirmed
        self._bearers.learn(secret_hash, bearer, asked)
        if found.use_is_news:
            self._note_use(bearer)
        return bearer

    def _note_use(self, bearer: Bearer) -> None:
        """Note that the token was used; a check must not fail because that does."""
        try:
            tokens.mark_used(self._database.of(bearer.organisation.id), bearer.token_id)
        except StoreUnavailable as error:
            _log.warning("token_use_not_noted", cause=str(error))


def _caller(
    bearer: Bearer, dialect: str, address: str | None, request_id: str
) -> Caller:
    return Caller(
        bearer.organisation,
        bearer.grants,
        bearer.token_id,
        bearer.token_name,
        dialect,
        address,
        request_id,
        bearer.only_inserts,
    )
