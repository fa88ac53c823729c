"""The ``campaign`` and ``purpose`` tables."""

from typing import LiteralString

from psycopg import errors
from psycopg.rows import DictRow

from app.domain.entries import Page
from app.domain.errors import CampaignExists, CampaignUnknown, PurposeInvalid
from app.domain.scopes import Campaign, CampaignReference, known_purpose
from app.store.paging import PAGE_BY_ID
from app.store.transactions import Tx

# Which campaign a client means: its id goes before its code. Other statements embed it.
MEANT: LiteralString = """
    SELECT meant.id FROM campaign AS meant
    WHERE meant.organisation_id = %(organisation_id)s
      AND (meant.id = %(campaign_number)s::bigint OR meant.uid = %(campaign_code)s)
    ORDER BY (meant.id = %(campaign_number)s::bigint) DESC NULLS LAST
    LIMIT 1
"""

FIND = f"""
    SELECT id, uid, name, type, purpose, active FROM campaign
    WHERE organisation_id = %(organisation_id)s AND id = ({MEANT})
"""

SEARCH = f"""
    WITH found AS (
        SELECT id, uid, name, type, purpose, active FROM campaign
        WHERE organisation_id = %(organisation_id)s AND id > 0
          AND (%(id)s::bigint IS NULL OR id = %(id)s)
    )
    {PAGE_BY_ID}
"""

EVERY_LIST = """
    SELECT id, uid FROM campaign WHERE organisation_id = %(organisation_id)s
"""

OWN_PURPOSES = """
    SELECT code FROM purpose WHERE organisation_id = %(organisation_id)s
"""

LOCK = """
    SELECT id FROM organisation WHERE id = %(organisation_id)s FOR UPDATE
"""

CONFUSABLE = """
    SELECT id FROM campaign
    WHERE organisation_id = %(organisation_id)s
      AND (uid = %(uid)s OR id = %(id)s OR id::text = %(uid)s OR uid = %(id)s::text)
"""

ADD = """
    INSERT INTO campaign (organisation_id, id, uid, name, type, purpose, active)
    SELECT %(organisation_id)s,
           coalesce(%(id)s, greatest(100, (
               SELECT max(id) FROM campaign
               WHERE organisation_id = %(organisation_id)s
           )) + 1),
           %(uid)s, %(name)s, %(type)s, %(purpose)s, %(active)s
    RETURNING id
"""

KNOWS_PURPOSE = """
    SELECT code FROM purpose
    WHERE organisation_id = %(organisation_id)s AND code = %(code)s
"""

ADD_PURPOSE = """
    INSERT INTO purpose (organisation_id, code)
    VALUES (%(organisation_id)s, %(code)s)
    ON CONFLICT DO NOTHING
    RETURNING code
"""


def reference_parameters(reference: CampaignReference) -> dict[str, object]:
    """Return what MEANT wants to know of *reference*."""
    return {"campaign_number": reference.number, "campaign_code": reference.code}


def find(tx: Tx, reference: CampaignReference) -> Campaign | None:
    """Return the campaign that *reference* means, or None."""
    parameters = reference_parameters(reference)
    rows = tx.fetch(FIND, {"organisation_id": tx.organisation_id, **parameters})
    return _campaign(rows[0]) if rows else None


def require(tx: Tx, reference: CampaignReference) -> Campaign:
    """Return the campaign that *reference* means; raises CampaignUnknown."""
    campaign = find(tx, reference)
    if campaign is None:
        raise CampaignUnknown
    return campaign


def require_one_list(tx: Tx, reference: CampaignReference) -> int:
    """
    Return the id of the list that *reference* means; raises CampaignUnknown.

    So it does for the purpose lists: they are as many as there are purposes.
    """
    if reference.is_purpose_list:
        raise CampaignUnknown
    return require(tx, reference).id


def search(tx: Tx, campaign_id: int | None, page: Page) -> tuple[list[Campaign], int]:
    """Return a page of the organisation's campaigns, and how many there are in all."""
    rows = tx.fetch(
        SEARCH,
        {
            "organisation_id": tx.organisation_id,
            "id": campaign_id,
            "offset": page.offset,
            "limit": page.limit,
        },
    )
    return [_campaign(row) for row in rows if row["id"] is not None], rows[0]["total"]


def every_list(tx: Tx) -> dict[int, str]:
    """Return the code of every campaign by its id, the built-in lists among them."""
    rows = tx.fetch(EVERY_LIST, {"organisation_id": tx.organisation_id})
    return {row["id"]: row["uid"] for row in rows}


def own_purposes(tx: Tx) -> frozenset[str]:
    """Return the purposes that the organisation has besides the known ones."""
    rows = tx.fetch(OWN_PURPOSES, {"organisation_id": tx.organisation_id})
    return frozenset(row["code"] for row in rows)


def add(tx: Tx, campaign_id: int | None, campaign: Campaign) -> int:
    """
    Store *campaign* under *campaign_id* or the next free id, and return that id.

    Raises CampaignExists where its id or code could be taken for another's.
    """
    parameters = {
        "organisation_id": tx.organisation_id,
        "id": campaign_id,
        "uid": campaign.uid,
        "name": campaign.name,
        "type": campaign.type,
        "purpose": campaign.purpose,
        "active": campaign.active,
    }
    tx.fetch(LOCK, parameters)
    try:
        added: int = tx.fetch(ADD, parameters)[0]["id"]
    except errors.UniqueViolation as error:
        message = f"there is a campaign with the id or code {campaign.uid!r} already"
        raise CampaignExists(message) from error
    parameters["id"] = added
    if len(tx.fetch(CONFUSABLE, parameters)) > 1:
        message = f"{campaign.uid!r} or {added} would name two campaigns"
        raise CampaignExists(message)
    return added


def require_purpose(tx: Tx, code: str) -> str:
    """Return the purpose as the organisation knows it; raises PurposeInvalid."""
    parameters = {"organisation_id": tx.organisation_id, "code": code}
    if known := known_purpose(code):
        return known
    if not tx.fetch(KNOWS_PURPOSE, parameters):
        raise PurposeInvalid
    return code


def add_purpose(tx: Tx, code: str) -> bool:
    """Let the organisation have lists for *code*; False if it could already."""
    parameters = {"organisation_id": tx.organisation_id, "code": code}
    return bool(tx.fetch(ADD_PURPOSE, parameters))


def campaign_of(row: DictRow) -> Campaign:
    """Return the campaign in a row that was joined with it."""
    return Campaign(
        id=row["campaign_id"],
        uid=row["campaign_uid"],
        name=row["campaign_name"],
        type=row["campaign_type"],
    )


def _campaign(row: DictRow) -> Campaign:
    return Campaign(
        id=row["id"],
        uid=row["uid"],
        name=row["name"],
        type=row["type"],
        purpose=row["purpose"],
        active=row["active"],
    )
