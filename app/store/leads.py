"""The ``lead`` and ``lead_status`` tables."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from app.domain import phone
from app.domain.entries import Page
from app.domain.leads import Lead, LeadDraft, LeadFilter, LeadStatus
from app.domain.phone import PhoneNumber
from app.domain.scopes import Campaign, Scope
from app.store import campaigns
from app.store.paging import PAGE_BY_ID
from app.store.transactions import Tx

INSERT = """
    INSERT INTO lead (
        organisation_id, e164, calling_code, campaign_id, status, first_name,
        last_name, operation_id
    )
    VALUES (
        %(organisation_id)s, %(e164)s, %(calling_code)s, %(campaign_id)s, %(status)s,
        %(first_name)s, %(last_name)s, %(operation_id)s
    )
    RETURNING id
"""

# COPY is not to be had under row-level security.
INSERT_MANY = """
    INSERT INTO lead (
        organisation_id, e164, calling_code, campaign_id, status, first_name,
        last_name, operation_id
    )
    SELECT %(organisation_id)s, draft.*, %(operation_id)s
    FROM unnest(
        %(e164)s::bigint[], %(calling_code)s::int[], %(campaign_id)s::bigint[],
        %(status)s::text[], %(first_name)s::text[], %(last_name)s::text[]
    ) AS draft
"""

# Whose opt-out ends on a purpose list, leads of every campaign with that purpose.
SET_STATUS = """
    UPDATE lead
    SET status = %(status)s, modified_at = now(), operation_id = %(operation_id)s
    WHERE organisation_id = %(organisation_id)s AND e164 = %(e164)s
      AND (
          %(campaign_id)s::bigint = 0
          OR campaign_id = %(campaign_id)s
          OR %(campaign_id)s = -1 AND campaign_id IN (
              SELECT id FROM campaign
              WHERE organisation_id = %(organisation_id)s AND purpose = %(purpose)s
          )
      )
    RETURNING id
"""

SEARCH = f"""
    WITH found AS (
        SELECT lead.*, campaign.uid AS campaign_uid, campaign.name AS campaign_name,
               campaign.type AS campaign_type
        FROM lead
        JOIN campaign ON campaign.organisation_id = lead.organisation_id
                     AND campaign.id = lead.campaign_id
        WHERE lead.organisation_id = %(organisation_id)s
          AND (%(id)s::bigint IS NULL OR lead.id = %(id)s)
          AND (%(e164s)s::bigint[] IS NULL OR lead.e164 = ANY(%(e164s)s))
          AND (%(calling_code)s::int IS NULL OR lead.calling_code = %(calling_code)s)
          AND (%(campaign_code)s::text IS NULL
               OR lead.campaign_id = ({campaigns.MEANT}))
          AND (%(status)s::text IS NULL OR lead.status = %(status)s)
    )
    {PAGE_BY_ID}
"""

FIND_STATUS = """
    SELECT code, name FROM lead_status
    WHERE organisation_id = %(organisation_id)s AND code = %(code)s
"""

SEARCH_STATUSES = f"""
    WITH found AS (
        SELECT code AS id, name FROM lead_status
        WHERE organisation_id = %(organisation_id)s
          AND (%(code)s::text IS NULL OR code = %(code)s)
    )
    {PAGE_BY_ID}
"""

DEFINE_STATUS = """
    INSERT INTO lead_status (organisation_id, code, name)
    VALUES (%(organisation_id)s, %(code)s, %(name)s)
    ON CONFLICT (organisation_id, code) DO UPDATE SET name = excluded.name
"""


def insert(tx: Tx, operation_id: int, draft: LeadDraft, campaign: Campaign) -> int:
    """Store a lead of *campaign* and return its id."""
    rows = tx.fetch(
        INSERT,
        {
            "organisation_id": tx.organisation_id,
            "e164": draft.number.e164,
            "calling_code": int(draft.number.calling_code),
            "campaign_id": campaign.id,
            "status": draft.status,
            "first_name": draft.first_name,
            "last_name": draft.last_name,
            "operation_id": operation_id,
        },
    )
    lead_id: int = rows[0]["id"]
    return lead_id


def insert_many(
    tx: Tx, operation_id: int, drafts: Sequence[tuple[LeadDraft, Campaign]]
) -> None:
    """Store many leads, each of its campaign."""
    tx.fetch(
        INSERT_MANY,
        {
            "organisation_id": tx.organisation_id,
            "operation_id": operation_id,
            "e164": [draft.number.e164 for draft, _ in drafts],
            "calling_code": [int(draft.number.calling_code) for draft, _ in drafts],
            "campaign_id": [campaign.id for _, campaign in drafts],
            "status": [draft.status for draft, _ in drafts],
            "first_name": [draft.first_name for draft, _ in drafts],
            "last_name": [draft.last_name for draft, _ in drafts],
        },
    )


def set_status(
    tx: Tx, operation_id: int, number: PhoneNumber, scope: Scope, status: str
) -> int:
    """Give the leads with *number* that *scope* concerns a status; return how many."""
    rows = tx.fetch(
        SET_STATUS,
        {
            "organisation_id": tx.organisation_id,
            "e164": number.e164,
            "campaign_id": scope.campaign_id,
            "purpose": scope.purpose,
            "status": status,
            "operation_id": operation_id,
        },
    )
    return len(rows)


def search(tx: Tx, wanted: LeadFilter, page: Page) -> tuple[list[Lead], int]:
    """Return the leads of *page*, oldest id first, and how many match in all."""
    numbers = wanted.numbers
    campaign = wanted.campaign
    rows = tx.fetch(
        SEARCH,
        {
            "organisation_id": tx.organisation_id,
            "id": wanted.id,
            "e164s": None if numbers is None else [n.e164 for n in numbers],
            "calling_code": wanted.calling_code and int(wanted.calling_code),
            "campaign_number": campaign and campaign.number,
            "campaign_code": campaign and campaign.code,
            "status": wanted.status,
            "offset": page.offset,
            "limit": page.limit,
        },
    )
    return [_lead(row) for row in rows if row["id"] is not None], rows[0]["total"]


def has_status(tx: Tx, code: str) -> bool:
    """Whether the organisation has that status."""
    parameters = {"organisation_id": tx.organisation_id, "code": code}
    return bool(tx.fetch(FIND_STATUS, parameters))


def search_statuses(
    tx: Tx, code: str | None, page: Page
) -> tuple[list[LeadStatus], int]:
    """Return a page of the organisation's statuses, by code, and how many match."""
    rows = tx.fetch(
        SEARCH_STATUSES,
        {
            "organisation_id": tx.organisation_id,
            "code": code,
            "offset": page.offset,
            "limit": page.limit,
        },
    )
    found = [LeadStatus(row["id"], row["name"]) for row in rows if row["id"]]
    return found, rows[0]["total"]


def define_status(tx: Tx, status: LeadStatus) -> None:
    """Add a status, or give the one of that code another name."""
    tx.fetch(
        DEFINE_STATUS,
        {
            "organisation_id": tx.organisation_id,
            "code": status.code,
            "name": status.name,
        },
    )


def _lead(row: DictRow) -> Lead:
    return Lead(
        id=row["id"],
        number=phone.from_e164(row["e164"], row["calling_code"]),
        campaign=campaigns.campaign_of(row),
        status=row["status"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        created_at=row["created_at"],
        modified_at=row["modified_at"],
    )
