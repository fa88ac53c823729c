"""The workspace API's requests into our words, and our answers into its own."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC

from flask import Response

from app.domain import entries, phone, texts
from app.domain.access import Organisation
from app.domain.entries import Draft, Entry, EntryText, Page
from app.domain.errors import (
    EvidenceInvalid,
    IdInvalid,
    LimitInvalid,
    NumberInvalid,
    OffsetInvalid,
    ParameterInvalid,
    ReasonInvalid,
    Refused,
    RequestMalformed,
)
from app.domain.scopes import ORGANISATION
from app.http.envelope import write_json
from app.http.forms import Fields, unambiguous

BATCH = "batchId"
REQUEST = "requestUUID"
REASON = "reason"

LARGEST_OFFSET = 100_000
LARGEST_LIMIT = 1000
DEFAULT_LIMIT = 10

_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
_ID = re.compile(r"[0-9A-Fa-f]{24}")
_LARGEST_ID = 2**63 - 1

Members = Mapping[str, object]


def read_draft(body: bytes, organisation: Organisation) -> Draft:
    """Return the entry that an add asks for, on the organisation's own list."""
    members = _read_members(body)
    number = _read_text(members, "phoneNumber", NumberInvalid)
    evidence = {
        name: kept
        for name in (BATCH, REQUEST)
        if (kept := texts.read_evidence(_read_text(members, name, EvidenceInvalid)))
    }
    draft = Draft(
        number=phone.read_with_code(number, organisation.default_phone_code),
        campaign=ORGANISATION,
        reason=texts.read_reason(_read_text(members, "type", ReasonInvalid)),
        evidence=evidence or None,
    )
    if organisation.evidence_required:
        entries.require_evidence(draft, (BATCH, REQUEST))
    return draft


def read_page(fields: Fields) -> tuple[int, Page]:
    """Return which page is wanted, counted from 1, and which part of the list it is."""
    limit = _read_number(fields.get("limit") or str(DEFAULT_LIMIT), LimitInvalid)
    page = _read_number(fields.get("page") or "1", OffsetInvalid)
    offset = (page - 1) * limit
    if limit > LARGEST_LIMIT:
        raise LimitInvalid
    if offset > LARGEST_OFFSET:
        raise OffsetInvalid
    return page, Page(offset, limit)


def read_search(fields: Fields, organisation: Organisation) -> EntryText | None:
    """Return what is looked for, or None for everything."""
    try:
        text = texts.read_sought(fields.get("search", "").strip(" "))
    except ReasonInvalid as refused:
        raise ParameterInvalid from refused
    if text is None:
        return None
    return entries.read_entry_text(text, REQUEST, organisation.default_phone_code)


def read_id(text: str) -> int:
    """Return the id of the entry that a record's id stands for; raises IdInvalid."""
    if not _ID.fullmatch(text):
        raise IdInvalid
    # No entry has a larger id than the largest.
    return min(int(text, 16), _LARGEST_ID)


def read_switch(body: bytes) -> tuple[bool, str | None]:
    """Return whether the pre-dial check is to be on, and why."""
    members = _read_members(body)
    enable = members.get("enable")
    if not isinstance(enable, bool):
        raise ParameterInvalid
    return enable, texts.read_reason(_read_text(members, REASON, ReasonInvalid))


def read_release_reason(fields: Fields) -> str | None:
    """Return why a record is deleted; raises ReasonInvalid."""
    return texts.read_reason(fields.get(REASON, ""))


def write_done(message: str) -> Response:
    """Answer that it is done."""
    return write_json(_envelope(message))


def write_list(
    page: int, limit: int, total: int, records: Iterable[Mapping[str, str]]
) -> Response:
    """Answer a page of the list, and how much there is in all."""
    data = {
        "dncList": list(records),
        "pagination": {
            "total": total,
            "page": page,
            "limit": limit,
            "totalPages": -(-total // limit),
        },
    }
    return write_json({**_envelope("DNC list fetched successfully"), "data": data})


def write_record(entry: Entry, organisation: Organisation) -> dict[str, str]:
    """Return an entry as the list shows it; of calls nothing is kept here."""
    evidence = entry.evidence or {}
    created = entry.inserted_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return {
        "_id": _write_id(entry.id),
        "phoneNumber": "" if entry.number.is_erased else str(entry.number.e164),
        "type": entry.reason or "",
        "orgId": _write_id(organisation.id),
        BATCH: evidence.get(BATCH, ""),
        REQUEST: evidence.get(REQUEST, ""),
        "callRecording": "",
        "transcription": "",
        "createdAt": created.replace("+00:00", "Z"),
    }


def _envelope(message: str) -> dict[str, object]:
    return {"message": message, "status": True, "code": 200, "errorMessage": ""}


def _write_id(number: int) -> str:
    return f"{number:024x}"


def _read_members(body: bytes) -> Members:
    try:
        members = json.loads(body.decode(), object_pairs_hook=unambiguous)
    except (ValueError, RecursionError) as error:
        raise RequestMalformed from error
    if not isinstance(members, dict):
        raise RequestMalformed
    return members


def _read_text(members: Members, name: str, refusal: type[Refused]) -> str:
    """Return a member's text, empty if it is absent or null."""
    match members.get(name):
        case None:
            return ""
        case str() as text:
            return text
        case _:
            raise refusal


def _read_number(text: str, refusal: type[Refused]) -> int:
    if not _WHOLE_NUMBER.fullmatch(text) or int(text) == 0:
        raise refusal
    return int(text)
