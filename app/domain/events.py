"""What can have happened: the kinds of operation, ``subject:past_participle``."""

from enum import StrEnum


class OperationKind(StrEnum):
    """One kind for each way in which an organisation's data changes."""

    ENTRY_SUPPRESSED = "entry:suppressed"
    ENTRY_REVISED = "entry:revised"
    ENTRY_RELEASED = "entry:released"
    ENTRY_ERASED = "entry:erased"
    RETENTION_SET = "retention:set"
    RETENTION_APPLIED = "retention:applied"
    ENTRY_RESTORED = "entry:restored"
    RELEASE_REQUESTED = "release:requested"
    RELEASE_CAPPED = "release:capped"
    GUARDS_SET = "guards:set"
    CHECK_BYPASSED = "check:bypassed"
    CHECKING_SWITCHED = "checking:switched"
    EVIDENCE_SWITCHED = "evidence:switched"
    ENTRIES_IMPORTED = "entries:imported"
    LEAD_INSERTED = "lead:inserted"
    LEADS_IMPORTED = "leads:imported"
    LEAD_STATUS_DEFINED = "lead_status:defined"
    CAMPAIGN_ADDED = "campaign:added"
    PURPOSE_ADDED = "purpose:added"
    ORGANISATION_ADDED = "organisation:added"
    TOKEN_ISSUED = "token:issued"  # noqa: S105  a kind of event, not a secret
    TOKEN_REVOKED = "token:revoked"  # noqa: S105
    RECOVERY_CONFIRMED = "recovery:confirmed"
