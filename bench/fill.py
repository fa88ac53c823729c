"""A million entries, or ten: one statement, on the schema as it was migrated."""

from app.domain.access import Caller
from app.domain.scopes import Campaign, KnownPurpose
from app.services import Services
from bench import numbers
from bench.postgres import Programs

CAMPAIGNS = 10
FIRST_CAMPAIGN = 101
FIRST_DAY = "2024-01-01"
DAYS = 700
REASONS = (
    "ConsentRevoked",
    "Customer asked not to be called",
    "Litigator",
    "Complaint",
    "Wrong number",
    "Agent",
)

# An index that is built afterwards is as good, and ten times as quickly there.
FILL = """
SELECT set_config('dncd.organisation', '{organisation}', false);
SELECT format('DROP INDEX %I', indexname) AS drop_them,
       indexdef AS make_them
INTO TEMPORARY later FROM pg_indexes
WHERE schemaname = 'public' AND tablename = 'dnc_entry' AND NOT EXISTS (
    SELECT FROM pg_constraint WHERE conname = indexname
);
SELECT drop_them FROM later \\gexec
INSERT INTO operation (
    organisation_id, actor, dialect, request_id, kind, touched
) VALUES ({organisation}, 'bench', 'cli', '', 'import', {entries})
RETURNING id AS operation \\gset
SELECT set_config('dncd.operation', :'operation', false);
INSERT INTO dnc_entry (
    organisation_id, e164, calling_code, campaign_id, purpose, reason,
    inserted_at, valid_from, operation_id
)
SELECT {organisation},
       CASE WHEN i / 10 % 10 = 9 THEN {british} ELSE {e164} END,
       CASE WHEN i / 10 % 10 = 9 THEN 44 ELSE 1 END,
       CASE WHEN i % 10 < 6 THEN 0
            WHEN i % 10 < 9 THEN {first_campaign} + i / 100 % {campaigns}
            ELSE -1 END,
       CASE WHEN i % 10 = 9 OR i / 1000 % 10 = 0
            THEN ('{{{purposes}}}'::text[])[1 + i / 100 % {purpose_count}] END,
       ('{{{reasons},NULL,NULL,NULL}}'::text[])[1 + i / 10 % {reason_count}],
       inserted_at, inserted_at, :operation
FROM (
    SELECT i, timestamptz '{first_day}Z' + i * (interval '{days} days' / {entries})
              AS inserted_at
    FROM generate_series(1, {entries}) AS series (i)
) AS source;
SELECT make_them FROM later \\gexec
VACUUM (FREEZE, ANALYZE) dnc_entry;
ANALYZE;
CHECKPOINT;
"""


def add_campaigns(services: Services, caller: Caller) -> None:
    """Add the campaigns that entries are filed under, each with a purpose."""
    purposes = list(KnownPurpose)
    for n in range(CAMPAIGNS):
        campaign = Campaign(0, f"BENCH{n}", f"Campaign {n}", "outbound", purposes[n])
        services.campaigns.add(caller, FIRST_CAMPAIGN + n, campaign)


def fill(programs: Programs, organisation: int, entries: int) -> None:
    """Put *entries* numbers on the lists of *organisation*."""
    programs.psql(
        FILL.format(
            organisation=organisation,
            entries=entries,
            e164=numbers.SQL_E164,
            british=numbers.SQL_BRITISH,
            first_campaign=FIRST_CAMPAIGN,
            campaigns=CAMPAIGNS,
            purposes=",".join(KnownPurpose),
            purpose_count=len(KnownPurpose),
            reasons=",".join(f'"{reason}"' for reason in REASONS),
            reason_count=len(REASONS) + 3,
            first_day=FIRST_DAY,
            days=DAYS,
        )
    )
