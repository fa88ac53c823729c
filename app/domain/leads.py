"""Leads: people to call, and the statuses that they can have."""

import re
from dataclasses import dataclass
from datetime import datetime

from app.domain.errors import LeadStatusInvalid
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, CampaignReference

NEW = "NEW"

_STATUS = re.compile(r"[0-9A-Za-z_-]{1,30}")


@dataclass(frozen=True, slots=True)
class LeadDraft:
    """A lead before it exists."""

    number: PhoneNumber
    campaign: CampaignReference
    status: str
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Lead:
    """A person to call for a campaign."""

    id: int
    number: PhoneNumber
    campaign: Campaign
    status: str
    first_name: str
    last_name: str
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class LeadStatus:
    """A status that the organisation gives its leads."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """What to look for; a field that is None is not looked at."""

    id: int | None = None
    numbers: tuple[PhoneNumber, ...] | None = None
    calling_code: str | None = None
    campaign: CampaignReference | None = None
    status: str | None = None


def read_status(text: str) -> str:
    """Return *text* as a lead status may be written; raises LeadStatusInvalid."""
    if _STATUS.fullmatch(text):
        return text
    raise LeadStatusInvalid
