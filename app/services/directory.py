"""Which lists and purposes an organisation has, for whoever asks a great many times."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from app.domain import scopes
from app.domain.causes import Cause
from app.domain.scopes import CampaignReference


class Rejected(Exception):
    """A row cannot be taken."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Directory:
    """What the organisation has: its lists and its purposes."""

    ids: frozenset[int]
    codes: Mapping[str, int]
    purposes: frozenset[str]

    @classmethod
    def of(cls, lists: Mapping[int, str], purposes: frozenset[str]) -> Self:
        """Return the directory of *lists*, the code of each by its id."""
        codes = {code: campaign_id for campaign_id, code in lists.items()}
        return cls(frozenset(lists), codes, purposes)

    def find_list(self, reference: CampaignReference) -> int | None:
        """Return the id that *reference* means: as an id first, then as a code."""
        if reference.number is not None and reference.number in self.ids:
            return reference.number
        return self.codes.get(reference.code)

    def require_purpose(self, campaign_id: int, purpose: str | None) -> str | None:
        """Return the purpose as that list stores it; raises Rejected."""
        if campaign_id != scopes.PURPOSE_LIST:
            return purpose
        if purpose is None:
            raise Rejected(Cause.PURPOSE_MISSING)
        meant = scopes.require_list_purpose(purpose)
        if not scopes.known_purpose(meant) and meant not in self.purposes:
            raise Rejected(Cause.PURPOSE_UNKNOWN)
        return meant
