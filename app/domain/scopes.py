"""
Where an entry holds: the whole organisation, one campaign, or one purpose.

A list is named by ``campaign_id``: 0 is the organisation's own list, -1 the list of a
purpose (which blocks every campaign of that purpose), anything else a campaign.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from app.domain.errors import CampaignUnknown, PurposeInvalid

ORGANISATION_LIST = 0
PURPOSE_LIST = -1

# The type of a campaign that calls nobody and is only a named list.
FILTER_PHONE_GROUP = "FILTER_PHONE_GROUP"

# What dialers call the organisation's own list: no campaign may be meant by it.
_TAKEN = {"SYSTEM_INTERNAL"}

_NUMBER = re.compile(r"0|-1|[1-9][0-9]{0,17}")
_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{1,29}")


class KnownPurpose(StrEnum):
    """The purposes that every organisation has (Convoso's list)."""

    COLLECT = "COLLECT"
    COMMNOTM = "COMMNOTM"
    CONFIRM = "CONFIRM"
    ESIGN = "ESIGN"
    HIPAA = "HIPAA"
    INFORM = "INFORM"
    NONCOMM = "NONCOMM"
    NONPROF = "NONPROF"
    NOTFOUND = "NOTFOUND"
    NOTIFY = "NOTIFY"
    TELEMKT = "TELEMKT"
    VERIFY = "VERIFY"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A calling effort of the organisation, or one of its two built-in lists."""

    id: int
    uid: str
    name: str
    type: str
    purpose: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class CampaignReference:
    """
    A campaign as a client names it: by id, or by its code (``uid``).

    Digits may be either; an organisation cannot hold two campaigns that one reference
    could mean (see ``services.campaigns``).
    """

    number: int | None
    code: str

    @property
    def is_purpose_list(self) -> bool:
        """Whether this names the lists that are told apart by purpose."""
        return self.number == PURPOSE_LIST


ORGANISATION = CampaignReference(ORGANISATION_LIST, str(ORGANISATION_LIST))


def read_campaign(text: str) -> CampaignReference:
    """Return the reference in *text*; raises CampaignUnknown if none can be meant."""
    if _NUMBER.fullmatch(text):
        return CampaignReference(int(text), text)
    if _CODE.fullmatch(text):
        return CampaignReference(None, text)
    raise CampaignUnknown


def read_called_campaign(text: str) -> CampaignReference | None:
    """
    Return the campaign that calls are to be made for, or None for none in particular.

    The organisation's own list stands for none. Raises CampaignUnknown for what is no
    campaign; the purpose lists are none, for they do not say which purpose is meant.
    """
    reference = read_campaign(text) if text else None
    if reference is None or reference.number == ORGANISATION_LIST:
        return None
    if reference.is_purpose_list:
        raise CampaignUnknown
    return reference


def read_campaign_code(text: str) -> str:
    """Return *text* as a new campaign's code; raises CampaignUnknown if it is none."""
    if _CODE.fullmatch(text) and text.upper() not in _TAKEN:
        return text
    raise CampaignUnknown


def known_purpose(text: str) -> str | None:
    """Return the purpose that every organisation has under that name, in any case."""
    return KnownPurpose.__members__.get(text.upper())


def require_list_purpose(purpose: str | None) -> str:
    """Return the purpose whose list is meant; raises PurposeInvalid if none is."""
    if purpose is None:
        raise PurposeInvalid
    return known_purpose(purpose) or purpose


@dataclass(frozen=True, slots=True)
class Scope:
    """One list: a ``campaign_id``, and for the purpose lists which purpose."""

    campaign_id: int
    purpose: str | None

    def covers(self, other: "Scope") -> bool:
        """Whether whatever *other* blocks is blocked by this list too."""
        return self.campaign_id == ORGANISATION_LIST or self == other


@lru_cache(maxsize=4096)
def scope_of(campaign_id: int, purpose: str | None) -> Scope:
    """Return the list that an entry is on; elsewhere than on -1 a purpose is a note."""
    return Scope(campaign_id, purpose if campaign_id == PURPOSE_LIST else None)
