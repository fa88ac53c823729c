"""Many drafts: which list each is for, and which of them mean the same entry."""

from collections.abc import Sequence
from dataclasses import replace

from app.domain import scopes
from app.domain.entries import Draft
from app.domain.scopes import CampaignReference
from app.store import batches, campaigns
from app.store.batches import Key
from app.store.transactions import Open


def place(tx: Open, drafts: Sequence[Draft]) -> tuple[list[Key], dict[Key, Draft]]:
    """
    Return the key of each draft, and by key the first one of each.

    Raises CampaignUnknown, PurposeInvalid.
    """
    lists: dict[CampaignReference, int] = {}
    purposes: dict[str | None, str] = {}
    keys: list[Key] = []
    wanted: dict[Key, Draft] = {}
    for draft in drafts:
        campaign_id = lists.get(draft.campaign)
        if campaign_id is None:
            campaign_id = campaigns.require(tx, draft.campaign).id
            lists[draft.campaign] = campaign_id
        placed = draft
        if campaign_id == scopes.PURPOSE_LIST:
            if draft.purpose not in purposes:
                purposes[draft.purpose] = campaigns.require_purpose(
                    tx, scopes.require_list_purpose(draft.purpose)
                )
            placed = replace(draft, purpose=purposes[draft.purpose])
        key = batches.key_of(placed, campaign_id)
        keys.append(key)
        wanted.setdefault(key, placed)
    return keys, wanted


def shared_reason(drafts: Sequence[Draft]) -> str | None:
    """Return the reason that all of *drafts* have, or None."""
    reasons = {draft.reason for draft in drafts}
    return reasons.pop() if len(reasons) == 1 else None
