"""
The one gate that whoever lets a number be called again passes.

It requires the grant, then what the organisation asks besides: a reason, a cap on the
releases of an hour, another's approval. Its rules are read inside the transaction that
releases, where no memory is fresh enough. What the store ends needs a ``Leave``, which
is made here and nowhere else.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context
from dataclasses import dataclass

import structlog

from app.domain.access import Caller, Grant
from app.domain.errors import (
    ApprovalPending,
    Forbidden,
    ReleasesCapped,
    SettingInvalid,
)
from app.domain.events import OperationKind
from app.domain.guards import Leave, PendingRelease, Release, Rules
from app.store import operations, releases
from app.store.database import Database
from app.store.roles import Scope
from app.store.transactions import Open

LARGEST_CAP = 2**31 - 1
LONGEST_APPROVAL = 720

_log = structlog.get_logger()


@dataclass(slots=True)
class Gate:
    """A transaction in which entries may be released, if the gate gives leave."""

    tx: Open
    caller: Caller
    rules: Rules
    refused: tuple[Release, str | None] | None = None

    def let_through(
        self, wanted: Release, *, reason: str | None, why: str | None = None
    ) -> Leave:
        """
        Record *wanted* as an operation of this transaction, and give leave for it.

        *reason* is why it is released; the operation says *why*, by default the same.
        Raises Forbidden, ReleaseReasonMissing, ReleasesCapped, ApprovalPending.
        """
        tx, rules = self.tx, self.rules
        if not self.caller.may(Grant.DELETE):
            raise Forbidden
        rules.require_reason(reason)
        self.refused = wanted, reason
        if rules.per_hour is not None and not rules.allow(
            releases.count(tx), wanted.count
        ):
            raise ReleasesCapped
        why, approves = why or reason, None
        if rules.four_eyes:
            digest = wanted.digest()
            found = releases.find_approved(
                tx, self.caller, digest, rules.approval_hours
            )
            if found is None:
                raise ApprovalPending
            approves, asked_by = found
            releases.forget(tx, digest)
            said = f"asked for by {asked_by} in operation {approves}"
            why = f"{why}; {said}" if why else said
        operation_id = operations.append(
            tx,
            self.caller,
            wanted.kind,
            why=why,
            touched=wanted.count or 0,
            unblocked=wanted.count or 0,
            approves=approves,
        )
        tx.act_for(operation_id)
        return Leave(operation_id)


class Guards:
    """What organisations ask of releases, and the gate that sees to it."""

    def __init__(self, database: Database) -> None:
        """Keep rules and requests in *database*."""
        self._database = database

    @contextmanager
    def releasing(
        self, caller: Caller, transaction: AbstractContextManager[Open]
    ) -> Iterator[Gate]:
        """
        Yield *transaction* with its gate; what the gate refuses it then records.

        In a transaction of its own, for that of the release is rolled back. What an
        operator's command does only the grant guards: whoever may run one can change
        the rules.
        """
        gate: Gate | None = None
        try:
            with transaction as tx:
                gate = Gate(tx, caller, _take_rules(tx, caller))
                yield gate
        except (ApprovalPending, ReleasesCapped) as refusal:
            if gate and gate.refused:
                # An empty context: whatever transaction the request is part of ends
                # with the refusal, and this must not end with it.
                Context().run(self._record, caller, gate.rules, refusal, *gate.refused)
            raise

    def rules(self, caller: Caller) -> Rules:
        """Return what the caller's organisation asks of a release."""
        return releases.rules(self._database.of(caller.organisation.id))

    def set_rules(self, caller: Caller, wanted: Rules) -> None:
        """
        Ask that of every release that begins from now on; raises SettingInvalid.

        What was asked for before and waits for approval goes on waiting.
        """
        if wanted.per_hour is not None and not 0 <= wanted.per_hour <= LARGEST_CAP:
            message = f"a cap is a number from 0 to {LARGEST_CAP}"
            raise SettingInvalid(message)
        if not 1 <= wanted.approval_hours <= LONGEST_APPROVAL:
            message = f"an approval takes 1 to {LONGEST_APPROVAL} hours"
            raise SettingInvalid(message)
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            releases.queue(tx)
            releases.set_rules(tx, wanted)
            operations.append(
                tx,
                caller,
                OperationKind.GUARDS_SET,
                why=describe(wanted),
                touched=0,
            )

    def list_pending(self, caller: Caller) -> list[PendingRelease]:
        """Return the releases that wait for another's approval, oldest first."""
        with self._database.transaction(Scope(caller.organisation.id)) as tx:
            return releases.list_pending(tx, releases.rules(tx).approval_hours)

    def _record(
        self,
        caller: Caller,
        rules: Rules,
        refusal: ApprovalPending | ReleasesCapped,
        wanted: Release,
        reason: str | None,
    ) -> None:
        scope = Scope(caller.organisation.id)
        if isinstance(refusal, ApprovalPending):
            with self._database.transaction(scope) as tx:
                releases.purge(tx, rules.approval_hours)
                operation_id = operations.next_id(tx)
                if releases.request(tx, caller, wanted, reason, operation_id):
                    operations.append(
                        tx,
                        caller,
                        OperationKind.RELEASE_REQUESTED,
                        why=reason,
                        touched=0,
                        operation_id=operation_id,
                    )
            return
        count = "everything" if wanted.count is None else wanted.count
        # First the alarm, which needs no database.
        _log.error(
            "releases_capped",
            organisation=caller.organisation.id,
            token=caller.token_id,
            dialect=caller.dialect,
            request_id=caller.request_id,
            entries=count,
            per_hour=rules.per_hour,
        )
        with self._database.transaction(scope) as tx:
            operations.append(
                tx,
                caller,
                OperationKind.RELEASE_CAPPED,
                why=f"{count} more where {rules.per_hour} an hour are allowed",
                touched=0,
            )


def describe(rules: Rules) -> str:
    """Return *rules* in the words of the command that sets them."""
    cap = "none" if rules.per_hour is None else rules.per_hour
    return (
        f"release-reason={'required' if rules.reason_required else 'optional'} "
        f"releases-per-hour={cap} four-eyes={'on' if rules.four_eyes else 'off'} "
        f"approval-hours={rules.approval_hours}"
    )


def _take_rules(tx: Open, caller: Caller) -> Rules:
    """Return the rules that hold until *tx* ends; first, so that all queue alike."""
    if caller.is_operator or not caller.may(Grant.DELETE):
        return Rules()
    rules = releases.rules(tx)
    if rules.take_turns:
        releases.queue(tx)
        rules = releases.rules(tx)
    return rules
