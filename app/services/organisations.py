"""Organisations, and what is made when there is none yet."""

from dataclasses import replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.domain import phone
from app.domain.access import Caller, Grant, Organisation, hash_secret, new_secret
from app.domain.errors import CallingCodeInvalid, SettingInvalid
from app.domain.events import OperationKind
from app.domain.guards import Release
from app.services.guards import Guards
from app.store import operations, organisations, tokens
from app.store.database import Database
from app.store.roles import Scope

EVERY_GRANT = frozenset(Grant)


class Organisations:
    """The tenants of this service."""

    def __init__(self, database: Database, guards: Guards) -> None:
        """Keep the organisations in *database*; what releases passes *guards*."""
        self._database = database
        self._guards = guards

    def require(self, name: str) -> Organisation:
        """Return the organisation of that name; raises OrganisationUnknown."""
        named = self._database.within(Scope(organisation_name=name))
        return organisations.require(named, name)

    def add(self, actor: str, organisation: Organisation) -> Organisation:
        """
        Add an organisation with its built-in lists and statuses; its id is new.

        Raises OrganisationExists, SettingInvalid.
        """
        _check(organisation)
        added = self._numbered(organisation)
        with self._database.transaction(Scope(added.id)) as tx:
            organisations.add(tx, added)
            caller = operator(added, actor)
            operations.append(tx, caller, OperationKind.ORGANISATION_ADDED)
        return added

    def switch_checking(
        self, caller: Caller, *, enabled: bool, reason: str | None = None
    ) -> None:
        """
        Let checks of the caller's organisation answer by its list, or not.

        Every check that begins once this has returned knows. To switch it off releases
        all that is listed: raises what the gate raises.
        """
        kind = OperationKind.CHECKING_SWITCHED
        transaction = self._database.transaction(Scope(caller.organisation.id))
        with self._guards.releasing(caller, transaction) as gate:
            if enabled:
                operations.append(gate.tx, caller, kind, why="on", touched=0)
            else:
                why = f"off: {reason}" if reason else "off"
                gate.let_through(
                    Release(kind, None, change="off"), reason=reason, why=why
                )
            organisations.switch_checking(gate.tx, enabled=enabled)

    def switch_evidence(self, caller: Caller, *, required: bool) -> None:
        """
        Refuse entries without evidence where a dialect can carry it, or take them.

        What comes without from a dialect that has no place for it is taken all the
        same: an opt-out must not be lost. Every worker knows within a second.
        """
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            organisations.switch_evidence(tx, required=required)
            operations.append(
                tx,
                caller,
                OperationKind.EVIDENCE_SWITCHED,
                why="required" if required else "optional",
                touched=0,
            )

    def start(self, actor: str, organisation: Organisation) -> str | None:
        """
        On an empty database make *organisation* and a token with every grant.

        Returns the token's secret, or None if there is an organisation already. Of
        many processes that start at once, one makes them.
        """
        with self._database.transaction(Scope()) as first:
            if not organisations.none_yet(first):
                return None
            added = self.add(actor, organisation)
            secret = new_secret()
            caller = operator(added, actor)
            with self._database.transaction(Scope(added.id)) as tx:
                tokens.issue(
                    tx,
                    "first start",
                    hash_secret(secret),
                    EVERY_GRANT,
                    user=None,
                    expires=None,
                )
                operations.append(
                    tx, caller, OperationKind.TOKEN_ISSUED, why="first start"
                )
        return secret

    def _numbered(self, organisation: Organisation) -> Organisation:
        with self._database.transaction(Scope()) as tx:
            return replace(organisation, id=organisations.next_id(tx))


def operator(organisation: Organisation, actor: str) -> Caller:
    """Return whoever works on *organisation* from the command line."""
    return Caller(
        organisation=organisation,
        grants=EVERY_GRANT,
        token_id=None,
        actor=actor,
        dialect="cli",
        address=None,
        request_id="",
    )


def _check(organisation: Organisation) -> None:
    try:
        ZoneInfo(organisation.time_zone)
        phone.read_calling_code(organisation.default_phone_code)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"unknown time zone {organisation.time_zone!r}"
        raise SettingInvalid(message) from error
    except CallingCodeInvalid as error:
        message = f"unknown calling code {organisation.default_phone_code!r}"
        raise SettingInvalid(message) from error
