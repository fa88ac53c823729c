"""How long a list is and when it last changed, without reading it."""

from typing import LiteralString

from app.domain.entries import EntryFilter, ListSize
from app.domain.scopes import CampaignReference
from app.store import tallies
from app.store.arrays import write_numbers
from app.store.transactions import Open

# An import may bring old opt-outs: what counts is when they came to be listed here.
# The newest id of each facet has the newest of those that were never revised.
CHANGED: LiteralString = """
    SELECT greatest(
        (
            SELECT max(newest.valid_from)
            FROM unnest(
                %(facets)s::text::bigint[], %(lasts)s::text::bigint[]
            ) AS tally (facet, last_id)
            CROSS JOIN LATERAL (
                SELECT entry.valid_from FROM dnc_entry AS entry
                WHERE entry.organisation_id = %(organisation_id)s
                  AND entry.facet = tally.facet AND entry.id <= tally.last_id
                ORDER BY entry.id DESC
                LIMIT 1
            ) AS newest
        ),
        (
            SELECT max(valid_from) FROM dnc_entry
            WHERE organisation_id = %(organisation_id)s
              AND campaign_id = %(campaign_id)s AND revised
        ),
        (
            SELECT max(valid_until) FROM dnc_entry_past
            WHERE organisation_id = %(organisation_id)s
              AND campaign_id = %(campaign_id)s
        )
    ) AS changed_at
"""


def measure(tx: Open, reference: CampaignReference, campaign_id: int) -> ListSize:
    """
    Return the size of the list that *reference* means, whose id is *campaign_id*.

    *tx* must read everything from one snapshot.
    """
    found = tallies.find(tx, EntryFilter(campaign=reference))
    rows = tx.fetch(
        CHANGED,
        {
            "organisation_id": tx.organisation_id,
            "campaign_id": campaign_id,
            "facets": write_numbers(tally.facet for tally in found),
            "lasts": write_numbers(tally.last_id for tally in found),
        },
    )
    return ListSize(sum(tally.count for tally in found), rows[0]["changed_at"])
