"""What is wanted of a file that is sent or asked for, and what became of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Response

from app.dialects.native.errors import ROWS_REJECTED
from app.dialects.native.wire import AS_OF, read_as_of
from app.domain import phone, scopes, texts
from app.domain.access import Organisation
from app.domain.errors import ParameterInvalid
from app.domain.scopes import CampaignReference
from app.files.lead_lists import Columns
from app.http.envelope import write_body
from app.services.imports import (
    ImportOptions,
    ImportReport,
    Outcome,
)
from app.services.scrubs import Counts, Status

NAME_LENGTH = 255
UPLOADED = "upload"


@dataclass(frozen=True, slots=True)
class Scrub:
    """What is wanted of a list of leads."""

    columns: Columns
    campaign: CampaignReference | None
    only: Status | None


ONLY: Mapping[str, Status | None] = {
    "all": None,
    Status.CALLABLE: Status.CALLABLE,
    Status.LISTED: Status.LISTED,
    Status.INVALID: Status.INVALID,
}


FLAGS: Mapping[str, bool] = {"true": True, "1": True, "false": False, "0": False}


def read_scrub(query: Mapping[str, str], organisation: Organisation) -> Scrub:
    """Return what a scrub's query asks for; raises ParameterInvalid and others."""
    only = query.get("only", "all")
    if only not in ONLY:
        raise ParameterInvalid(f"only is none of {', '.join(ONLY)}")
    return Scrub(
        columns=Columns(
            phone_number=query.get("phone_column") or None,
            phone_code=query.get("phone_code_column") or None,
            default_phone_code=query.get("phone_code")
            or organisation.default_phone_code,
        ),
        campaign=scopes.read_called_campaign(query.get("campaign_id", "")),
        only=ONLY[only],
    )


def mark_switch(counts: Counts, answer: Response) -> Response:
    """Return *answer*, which says so where checking is switched off."""
    if not counts.checked:
        answer.headers["X-DNC-Checking"] = "off"
    return answer


def read_import(query: Mapping[str, str]) -> ImportOptions:
    """Return what an import's query asks for; raises ParameterInvalid and others."""
    campaign, code = query.get("campaign_id"), query.get("phone_code")
    return ImportOptions(
        campaign=scopes.read_campaign(campaign) if campaign else scopes.ORGANISATION,
        purpose=texts.read_purpose(query.get("purpose", "")),
        reason=texts.read_reason(query.get("reason", "")),
        calling_code=phone.read_calling_code(code) if code else None,
        skip_invalid=_read_flag(query, "skip_invalid"),
        dry_run=_read_flag(query, "dry_run"),
    )


def read_file_name(query: Mapping[str, str]) -> str:
    """Return what history shall call an imported file; raises ParameterInvalid."""
    name = query.get("file_name") or UPLOADED
    if len(name) > NAME_LENGTH or not name.isprintable():
        raise ParameterInvalid(f"file_name is no text of up to {NAME_LENGTH}")
    return name


def write_report(report: ImportReport) -> Response:
    """Return the answer to an import: refused if so much as a row stopped it."""
    data = report.as_summary()
    if report.operation_id is not None:
        data["operation_id"] = str(report.operation_id)
    data["rejects"] = [
        {"line": reject.line, "cause": reject.cause} for reject in report.first_rejects
    ]
    body: dict[str, object] = {"success": True}
    status = 200
    if report.outcome is Outcome.REFUSED:
        body, status = write_body(ROWS_REJECTED), ROWS_REJECTED.status
    text = json.dumps(body | {"data": data}, ensure_ascii=False)
    return Response(text, status=status, content_type="application/json")


def read_export(
    query: Mapping[str, str],
) -> tuple[CampaignReference | None, datetime | None]:
    """
    Return which list is wanted, None for all, and as of when, None for now.

    Raises CampaignUnknown, InstantInvalid.
    """
    campaign = query.get("campaign_id")
    as_of = read_as_of(query.get(AS_OF))
    return scopes.read_campaign(campaign) if campaign else None, as_of


def _read_flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name) or "false"
    if text not in FLAGS:
        raise ParameterInvalid(f"{name} is neither true nor false")
    return FLAGS[text]
