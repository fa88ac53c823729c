"""Convoso's requests into our words, and our answers into Convoso's."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Response

from app.domain import dates, instants, leads, phone, scopes, texts
from app.domain.access import Organisation
from app.domain.entries import UNCHANGED, Draft, Entry, EntryFilter, Page, Revision
from app.domain.errors import (
    EntryUnknown,
    IdInvalid,
    LeadStatusMissing,
)
from app.domain.leads import Lead, LeadDraft, LeadFilter, LeadStatus
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, CampaignReference
from app.domain.texts import BLANK, NOT_BLANK, TextFilter
from app.http.envelope import write_json
from app.http.forms import Fields
from app.http.paging import read_id

_YES = {"true", "1", "yes", "on"}


def read_draft(fields: Fields) -> Draft:
    """Return the entry that an insert asks for."""
    return Draft(
        number=_read_number(fields),
        campaign=scopes.read_campaign(fields["campaign_id"]),
        reason=texts.read_reason(fields.get("reason", "")),
        purpose=texts.read_purpose(fields.get("purpose", "")),
    )


def read_revision(fields: Fields) -> tuple[int, Revision]:
    """Return which entry an update means, and what it changes."""
    return read_id(fields["id"], EntryUnknown), Revision(
        phone_number=fields.get("phone_number") or UNCHANGED,
        calling_code=fields.get("phone_code") or UNCHANGED,
        campaign=scopes.read_campaign(fields["campaign_id"])
        if fields.get("campaign_id")
        else UNCHANGED,
        reason=texts.read_reason(fields["reason"]) if "reason" in fields else UNCHANGED,
        purpose=texts.read_purpose(fields["purpose"])
        if fields.get("purpose")
        else UNCHANGED,
    )


def read_filter(fields: Fields, organisation: Organisation) -> EntryFilter:
    """Return what a search looks for; an empty parameter counts as absent."""
    given = {name: value for name, value in fields.items() if value}
    zone = ZoneInfo(organisation.time_zone)
    numbers, calling_code = _read_number_filter(given, organisation)
    return EntryFilter(
        id=read_id(given["id"], IdInvalid) if "id" in given else None,
        campaign=_read_campaign_filter(given),
        numbers=numbers,
        calling_code=calling_code,
        inserted=dates.read_intervals(given["insert_date"], zone)
        if "insert_date" in given
        else None,
        reason=_read_text_filter(given.get("reason"), texts.read_reason),
        purpose=_read_text_filter(given.get("purpose"), texts.read_purpose),
    )


def read_as_of(fields: Fields) -> datetime | None:
    """Return the instant whose list is searched, or None for now."""
    return instants.read_instant(fields["as_of"]) if fields.get("as_of") else None


def read_release(
    fields: Fields,
) -> tuple[PhoneNumber, CampaignReference, str | None, str | None, str | None]:
    """Return which number leaves which list, its purpose, its leads' status and why."""
    return (
        _read_number(fields),
        scopes.read_campaign(fields["campaign_id"]),
        texts.read_purpose(fields.get("purpose", "")),
        _read_lead_status(fields),
        texts.read_reason(fields.get("reason", "")),
    )


def read_lead(fields: Fields) -> LeadDraft:
    """Return the lead that an insert asks for; its status is NEW unless it says."""
    return LeadDraft(
        number=_read_number(fields),
        campaign=scopes.read_campaign(fields["campaign_id"]),
        status=leads.read_status(fields.get("status") or leads.NEW),
        first_name=texts.read_name(fields.get("first_name", "")),
        last_name=texts.read_name(fields.get("last_name", "")),
    )


def read_lead_filter(fields: Fields, organisation: Organisation) -> LeadFilter:
    """Return what a search of leads looks for."""
    given = {name: value for name, value in fields.items() if value}
    numbers, calling_code = _read_number_filter(given, organisation)
    return LeadFilter(
        id=read_id(given["id"], IdInvalid) if "id" in given else None,
        numbers=numbers,
        calling_code=calling_code,
        campaign=_read_campaign_filter(given),
        status=leads.read_status(given["status"]) if "status" in given else None,
    )


def read_campaign_id(fields: Fields) -> int | None:
    """Return the one campaign that is asked for, or None for all."""
    return read_id(fields["id"], IdInvalid) if fields.get("id") else None


def read_status_code(fields: Fields) -> str | None:
    """Return the one status that is asked for, or None for all."""
    return leads.read_status(fields["status"]) if fields.get("status") else None


def write_id(entry_id: int) -> Response:
    """Answer that it is done, and the id of what was stored or changed."""
    return write_json({"success": True, "id": entry_id})


def write_done() -> Response:
    """Answer that it is done."""
    return write_json({"success": True})


def write_page(
    page: Page, total: int, entries: Iterable[Mapping[str, str]]
) -> Response:
    """Answer a part of what was found, and how much there is in all."""
    data = {
        "offset": page.offset,
        "limit": page.limit,
        "total": total,
        "entries": list(entries),
    }
    return write_json({"success": True, "data": data})


def write_entry(entry: Entry, zone: ZoneInfo) -> dict[str, str]:
    """Return an entry as a search shows it, its day in the organisation's zone."""
    return {
        "id": str(entry.id),
        **_write_number(entry.number),
        **_write_campaign_of(entry.campaign),
        "campaign_type": entry.campaign.type,
        "purpose": entry.purpose or "",
        "reason": entry.reason or "",
        "insert_date": entry.inserted_at.astimezone(zone).strftime("%Y-%m-%d"),
    }


def write_lead(lead: Lead, zone: ZoneInfo) -> dict[str, str]:
    """Return a lead as a search shows it, its times in the organisation's zone."""
    return {
        "id": str(lead.id),
        **_write_number(lead.number),
        **_write_campaign_of(lead.campaign),
        "status": lead.status,
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "created_at": lead.created_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        "modified_at": lead.modified_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
    }


def write_status(status: LeadStatus) -> dict[str, str]:
    """Return a lead status as a search shows it."""
    return {"status": status.code, "name": status.name}


def write_campaign(campaign: Campaign) -> dict[str, str]:
    """Return a campaign as a search shows it."""
    return {
        "id": str(campaign.id),
        "uid": campaign.uid,
        "name": campaign.name,
        "type": campaign.type,
        "purpose": campaign.purpose or "",
        "active": "true" if campaign.active else "false",
    }


def _read_number(fields: Fields) -> PhoneNumber:
    calling_code = phone.read_calling_code(fields["phone_code"])
    return phone.read(fields["phone_number"], calling_code)


def _read_number_filter(
    given: Fields, organisation: Organisation
) -> tuple[tuple[PhoneNumber, ...] | None, str | None]:
    calling_code = None
    if "phone_code" in given:
        calling_code = phone.read_calling_code(given["phone_code"])
    if "phone_number" not in given:
        return None, calling_code
    text = given["phone_number"]
    if calling_code is not None:
        return (phone.read(text, calling_code),), None
    return phone.read_in_any_code(text, organisation.default_phone_code), None


def _read_campaign_filter(given: Fields) -> CampaignReference | None:
    text = given.get("campaign_id")
    return scopes.read_campaign(text) if text else None


def _read_text_filter(
    text: str | None, read: Callable[[str], str | None]
) -> TextFilter | None:
    if text is None:
        return None
    if text == texts.BLANK_TEXT:
        return BLANK
    return NOT_BLANK if text == texts.NOT_BLANK_TEXT else read(text)


def _read_lead_status(fields: Fields) -> str | None:
    """
    Return the status that the leads get, or None to leave them as they are.

    An empty status leaves them, one that is not there at all was forgotten.
    """
    if fields.get("update_lead_status", "").strip(" ").lower() not in _YES:
        return None
    if "lead_status" not in fields:
        raise LeadStatusMissing
    return leads.read_status(fields["lead_status"]) if fields["lead_status"] else None


def _write_number(number: PhoneNumber) -> dict[str, str]:
    return {"phone_number": number.national, "phone_code": number.calling_code}


def _write_campaign_of(campaign: Campaign) -> dict[str, str]:
    return {
        "campaign_id": str(campaign.id),
        "campaign_uid": campaign.uid,
        "campaign_name": campaign.name,
    }
