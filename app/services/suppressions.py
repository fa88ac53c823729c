"""Stopping calls to a number, and allowing them again."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from app.domain import guards, scopes
from app.domain.access import Caller
from app.domain.entries import Draft, Entry, Revision
from app.domain.erasure import Pseudonyms
from app.domain.errors import (
    AlreadySuppressed,
    EntryErased,
    EntryForeign,
    EntryRepeated,
    EntryUnknown,
    LeadStatusInvalid,
    NotSuppressed,
    StoreUnavailable,
)
from app.domain.events import OperationKind
from app.domain.guards import Freed, Release
from app.domain.phone import PhoneNumber
from app.domain.scopes import CampaignReference, scope_of
from app.services import placement, revisions
from app.services.guards import Gate, Guards
from app.store import (
    batches,
    campaigns,
    entries,
    leads,
    operations,
    organisations,
)
from app.store.database import Database
from app.store.roles import Plans
from app.store.roles import Scope as DatabaseScope
from app.store.transactions import Open

# How often two requests may cross before one of them is told to come again.
ATTEMPTS = 5

# Up to so many entries take no longer than one; a statement of the most that a request
# may name, some fifty thousand, takes seconds on a slow disk.
FEW = 500
MANY_DEADLINE = 20.0


class Suppressions:
    """The do-not-call list as its writers see it."""

    def __init__(
        self, database: Database, guards: Guards, pseudonyms: Pseudonyms
    ) -> None:
        """
        Keep the list in *database*; whatever leaves it passes *guards*.

        What is erased of it stands there by *pseudonyms*.
        """
        self._database = database
        self._guards = guards
        self._pseudonyms = pseudonyms

    def suppress(self, caller: Caller, draft: Draft) -> int:
        """
        Stop calls to a number, and return the entry's id.

        When this returns the entry is committed and every check that starts sees it.
        Raises EntryRepeated or AlreadySuppressed with the stored entry's id,
        CampaignUnknown, PurposeInvalid.
        """
        if draft.campaign.is_purpose_list:
            draft = replace(draft, purpose=scopes.require_list_purpose(draft.purpose))
        for _ in range(ATTEMPTS):
            added = entries.insert(
                self._database.of(caller.organisation.id), caller, draft
            )
            if added is not None:
                return added
            stored = self._find_in_the_way(caller, draft)
            if stored is not None:
                raise _refusal(draft, stored)
        raise StoreUnavailable

    def suppress_many(
        self, caller: Caller, drafts: Sequence[Draft]
    ) -> list[int | None]:
        """
        Stop calls to many numbers: all or none, in one transaction and operation.

        Returns for each draft the new entry's id, or None where its list held the
        number already, which stays as it was, or an earlier draft has put it there.
        Whatever the outcome of each, when this returns they all were listed at the
        instant of the commit. Raises CampaignUnknown, PurposeInvalid.
        """
        for _ in range(ATTEMPTS):
            with suppress(batches.Crossed):
                return self._suppress_all(caller, drafts)
        raise StoreUnavailable

    def revise(self, caller: Caller, entry_id: int, revision: Revision) -> None:
        """
        Replace an entry by a version with other details.

        A version that no longer blocks what the old one blocked needs the delete
        grant. Raises EntryUnknown, Forbidden, AlreadySuppressed, NumberInvalid,
        CallingCodeInvalid, CampaignUnknown, PurposeInvalid, and what the gate raises.
        """
        for _ in range(ATTEMPTS):
            revised: Entry | None = None
            try:
                with self._releasing(caller) as gate:
                    entry = entries.lock(gate.tx, entry_id)
                    if entry is None:
                        raise EntryUnknown
                    if entry.number.is_erased:
                        raise EntryErased
                    revised = revisions.apply(gate.tx, entry, revision)
                    if revised != entry:
                        operation_id = revisions.begin(gate, entry, revised, revision)
                        entries.revise(gate.tx, operation_id, revised)
            except entries.Collision:
                stored = revised and self._find(caller, revised)
                if stored:
                    raise AlreadySuppressed(stored.id) from None
            else:
                return
        raise StoreUnavailable

    def release(  # noqa: PLR0913, PLR0917  what a delete says
        self,
        caller: Caller,
        number: PhoneNumber,
        campaign: CampaignReference,
        purpose: str | None,
        lead_status: str | None,
        reason: str | None = None,
    ) -> None:
        """
        Take a number off one list and, in the same transaction, update its leads.

        *lead_status* None leaves the leads as they are; *reason* is why it is done.
        Raises NotSuppressed, CampaignUnknown, PurposeInvalid, LeadStatusInvalid, and
        what the gate raises.
        """
        if campaign.is_purpose_list:
            purpose = scopes.require_list_purpose(purpose)
        with self._releasing(caller) as gate:
            tx = gate.tx
            scope = scope_of(campaigns.require(tx, campaign).id, purpose)
            if campaign.is_purpose_list and purpose:
                campaigns.require_purpose(tx, purpose)
            if lead_status is not None and not leads.has_status(tx, lead_status):
                raise LeadStatusInvalid
            stand_ins = self._pseudonyms.of(caller.organisation.id)
            freed: list[Freed] = []
            # Where it was erased it may be there twice.
            if gate.rules.take_turns or stand_ins.in_use:
                found = entries.lock_number(tx, number, scope, stand_ins)
                if not found:
                    raise NotSuppressed
                freed += map(guards.freed_of, found)
            wanted = Release(
                OperationKind.ENTRY_RELEASED, len(freed) or 1, freed, lead_status or ""
            )
            leave = gate.let_through(wanted, reason=reason)
            if not entries.release(tx, leave, number, scope, stand_ins):
                raise NotSuppressed
            if lead_status is not None:
                leads.set_status(tx, leave.operation_id, number, scope, lead_status)

    def release_many(
        self,
        caller: Caller,
        numbers: Sequence[PhoneNumber],
        campaign: CampaignReference,
        reason: str | None = None,
    ) -> int:
        """
        Take numbers off one list, in one transaction and operation; leads stay.

        Returns how many entries they had there, also erased ones; to have none is no
        error. Raises CampaignUnknown, also for the purpose lists, which are no one
        list, and what the gate raises.
        """
        for _ in range(ATTEMPTS):
            with (
                suppress(batches.Crossed),
                self._guards.releasing(
                    caller, self._transaction_of_many(caller, len(numbers))
                ) as gate,
            ):
                tx = gate.tx
                campaign_id = campaigns.require_one_list(tx, campaign)
                keys = sorted({number.e164 for number in numbers})
                listed = batches.lock(tx, keys, campaign_id)
                # Asked afterwards, to know of what was erased while this waited.
                mark = organisations.erasure_mark(tx)
                stand_ins = self._pseudonyms.of(caller.organisation.id)
                if names := stand_ins.require_names(mark, keys):
                    listed += batches.lock(tx, sorted(names), campaign_id)
                if listed:
                    freed: list[Freed] = []
                    if gate.rules.four_eyes:
                        freed += (Freed(i, n, campaign_id, None) for _, i, n in listed)
                    wanted = Release(OperationKind.ENTRY_RELEASED, len(listed), freed)
                    leave = gate.let_through(wanted, reason=reason)
                    batches.release(tx, leave, listed)
                return len(listed)
        raise StoreUnavailable

    def release_entry(
        self, caller: Caller, entry_id: int, reason: str | None = None
    ) -> None:
        """
        Take that entry off its list; leads stay.

        Raises EntryUnknown, or EntryForeign where it is another organisation's, and
        what the gate raises.
        """
        with self._releasing(caller) as gate:
            tx = gate.tx
            entry = entries.lock(tx, entry_id)
            if entry is None:
                raise EntryForeign if entries.is_foreign(tx, entry_id) else EntryUnknown
            freed = [guards.freed_of(entry)]
            wanted = Release(OperationKind.ENTRY_RELEASED, 1, freed)
            leave = gate.let_through(wanted, reason=reason)
            entries.release_locked(tx, leave, entry_id)

    def _suppress_all(
        self, caller: Caller, drafts: Sequence[Draft]
    ) -> list[int | None]:
        with self._transaction_of_many(caller, len(drafts)) as tx:
            keys, wanted = placement.place(tx, drafts)
            # First whatever is there, then what is not: nobody who holds what this
            # waits for is kept waiting by this. Whom it meets with the same numbers
            # in between it does not wait for, but begins again.
            kept = batches.keep(tx, wanted)
            missing = {key: draft for key, draft in wanted.items() if key not in kept}
            operation_id = operations.next_id(tx)
            added = batches.insert(tx, operation_id, missing) if missing else {}
            met = [key for key in missing if key not in added]
            if met and len(batches.keep_unlocked(tx, met)) < len(met):
                raise batches.Crossed
            if added:
                operations.append(
                    tx,
                    caller,
                    OperationKind.ENTRY_SUPPRESSED,
                    why=placement.shared_reason(drafts),
                    touched=len(added),
                    operation_id=operation_id,
                )
        return [added.pop(key, None) for key in keys]

    def _find_in_the_way(self, caller: Caller, draft: Draft) -> Entry | None:
        """Return the entry that kept *draft* out; raises if there is no such list."""
        scope = DatabaseScope(caller.organisation.id)
        with self._database.transaction(scope) as tx:
            campaign = campaigns.require(tx, draft.campaign)
            if draft.campaign.is_purpose_list and draft.purpose:
                campaigns.require_purpose(tx, draft.purpose)
            return entries.find(tx, draft.number, scope_of(campaign.id, draft.purpose))

    def _find(self, caller: Caller, entry: Entry) -> Entry | None:
        scope = scope_of(entry.campaign.id, entry.purpose)
        once = self._database.of(caller.organisation.id)
        return entries.find(once, entry.number, scope)

    def _releasing(self, caller: Caller) -> AbstractContextManager[Gate]:
        return self._guards.releasing(caller, self._transaction(caller))

    def _transaction_of_many(
        self, caller: Caller, count: int
    ) -> AbstractContextManager[Open]:
        scope = DatabaseScope(caller.organisation.id, plans=Plans.BY_NUMBER)
        deadline = MANY_DEADLINE if count > FEW else None
        return self._database.transaction(scope, deadline=deadline)

    def _transaction(self, caller: Caller) -> AbstractContextManager[Open]:
        return self._database.transaction(
            DatabaseScope(caller.organisation.id, tells=True)
        )


def _refusal(draft: Draft, stored: Entry) -> AlreadySuppressed:
    if (draft.reason, draft.purpose) == (stored.reason, stored.purpose):
        return EntryRepeated(stored.id)
    return AlreadySuppressed(stored.id)
