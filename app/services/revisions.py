"""What a revision makes of an entry, and whether it lets calls be made again."""

from dataclasses import replace

from app.domain import guards, phone, scopes
from app.domain.entries import Entry, Revision, Unchanged
from app.domain.events import OperationKind
from app.domain.guards import Release
from app.services.guards import Gate
from app.store import campaigns, operations
from app.store.transactions import Open


def apply(tx: Open, entry: Entry, revision: Revision) -> Entry:
    """Return *entry* as the revision wants it."""
    number, campaign, purpose = entry.number, entry.campaign, entry.purpose
    code, text = revision.calling_code, revision.phone_number
    if not isinstance(code, Unchanged) or not isinstance(text, Unchanged):
        number = phone.read(
            number.national if isinstance(text, Unchanged) else text,
            number.calling_code
            if isinstance(code, Unchanged)
            else phone.read_calling_code(code),
        )
    if not isinstance(revision.campaign, Unchanged):
        campaign = campaigns.require(tx, revision.campaign)
    if not isinstance(revision.purpose, Unchanged):
        purpose = revision.purpose
    if campaign.id == scopes.PURPOSE_LIST:
        purpose = campaigns.require_purpose(tx, scopes.require_list_purpose(purpose))
    reason = revision.reason
    return replace(
        entry,
        number=number,
        campaign=replace(campaign, purpose=None, active=True),
        purpose=purpose,
        reason=entry.reason if isinstance(reason, Unchanged) else reason,
    )


def begin(gate: Gate, entry: Entry, revised: Entry, revision: Revision) -> int:
    """
    Return the operation that revises *entry*.

    One that lets calls be made again passes the gate; its reason is the one that the
    revision gives, not one that the entry had.
    """
    tx, kind = gate.tx, OperationKind.ENTRY_REVISED
    if not guards.unblocks(entry, revised):
        operation_id = operations.append(tx, gate.caller, kind, why=revised.reason)
        tx.act_for(operation_id)
        return operation_id
    given = revision.reason
    reason = None if isinstance(given, Unchanged) else given
    change = repr((*guards.freed_of(revised), revised.reason))
    wanted = Release(kind, 1, [guards.freed_of(entry)], change)
    return gate.let_through(wanted, reason=reason, why=revised.reason).operation_id
