"""
Every condition in Convoso's words: a table for each operation, in each edition.

A refusal of the content is HTTP 200; real clients take any other status for a failure
of the transport.
"""

from collections.abc import Mapping

from flask import Response

from app.domain.access import Edition
from app.domain.errors import (
    AlreadySuppressed,
    ApprovalPending,
    CallingCodeInvalid,
    CampaignUnknown,
    DateInvalid,
    EntryRepeated,
    EntryUnknown,
    IdInvalid,
    InstantInvalid,
    InstantUnsettled,
    LeadNameInvalid,
    LeadStatusInvalid,
    LeadStatusMissing,
    LimitInvalid,
    NotSuppressed,
    NumberInvalid,
    OffsetInvalid,
    PurposeInvalid,
    ReasonInvalid,
    ReleaseReasonMissing,
    ReleasesCapped,
    StoreUnavailable,
)
from app.http import current
from app.http.dialect import Failure
from app.http.envelope import (
    EVERYWHERE,
    UNSETTLED,
    WireError,
    Words,
    write_failure,
)


def _number(error: WireError) -> Words:
    return {NumberInvalid: error, CallingCodeInvalid: error}


def _page(error: WireError) -> Words:
    return {OffsetInvalid: error, LimitInvalid: error, IdInvalid: error}


# No edition of Convoso guards its deletes: the words are ours.
_GUARDS: Words = {
    ReleasesCapped: WireError(403, "Too many released within the hour", 403),
    ApprovalPending: WireError(
        403, "Recorded: a second token must approve by asking for the same", 403
    ),
}

_PARAMETER = WireError(6008, "Invalid parameter")
_CAMPAIGN: Words = {CampaignUnknown: WireError(6026, "Invalid campaign ID")}
# What dncd adds to both editions.
_AS_OF: Words = {InstantInvalid: _PARAMETER, InstantUnsettled: UNSETTLED}
_STATUS: Words = {LeadStatusInvalid: WireError(6005, "Invalid lead status")}

# The operations that Convoso's editions do not tell apart.
_NEIGHBOURS: Mapping[str, Words] = {
    "leads_insert": {
        **EVERYWHERE,
        **_number(WireError(6006, "Invalid phone number")),
        **_CAMPAIGN,
        **_STATUS,
        LeadNameInvalid: WireError(6060, "Invalid first or last name"),
        StoreUnavailable: WireError(6056, "Insert operation failed", 503),
    },
    "leads_search": {
        **EVERYWHERE,
        **_number(WireError(6006, "Invalid phone format")),
        **_CAMPAIGN,
        **_STATUS,
        **_page(_PARAMETER),
    },
    "status_search": {**EVERYWHERE, **_STATUS, **_page(_PARAMETER)},
    "campaigns_search": {**EVERYWHERE, **_CAMPAIGN, **_page(_PARAMETER)},
}

_DOCUMENTED: Mapping[str, Words] = {
    "dnc_insert": {
        **EVERYWHERE,
        **_number(WireError(6006, "Invalid phone number")),
        EntryRepeated: WireError(6007, "Duplicate entry"),
        AlreadySuppressed: WireError(6008, "Phone already in DNC"),
        CampaignUnknown: WireError(6026, "Invalid campaign ID"),
        StoreUnavailable: WireError(6056, "Insert operation failed", 503),
        ReasonInvalid: WireError(6057, "Invalid reason"),
        PurposeInvalid: WireError(6058, "Invalid purpose"),
    },
    "dnc_update": {
        **EVERYWHERE,
        **_number(WireError(6004, "Invalid phone number format")),
        AlreadySuppressed: WireError(6008, "Phone number already in DNC"),
        CampaignUnknown: WireError(6026, "Invalid campaign ID"),
        IdInvalid: WireError(6056, "DNC ID not found"),
        EntryUnknown: WireError(6056, "DNC ID not found"),
        ReasonInvalid: WireError(6057, "Invalid reason code"),
        PurposeInvalid: WireError(6058, "Invalid purpose value"),
        **_GUARDS,
        ReleaseReasonMissing: WireError(6057, "A reason is required"),
        StoreUnavailable: WireError(6059, "Update operation failed", 503),
    },
    "dnc_search": {
        **EVERYWHERE,
        **_AS_OF,
        **_number(WireError(6006, "Invalid phone format")),
        **_page(_PARAMETER),
        DateInvalid: _PARAMETER,
        CampaignUnknown: WireError(6026, "Invalid campaign ID"),
        ReasonInvalid: WireError(6057, "Invalid reason filter"),
        PurposeInvalid: WireError(6058, "Invalid purpose filter"),
    },
    "dnc_delete": {
        **EVERYWHERE,
        NumberInvalid: WireError(6000, "Invalid phone number"),
        NotSuppressed: WireError(6001, "Phone not found in DNC"),
        CampaignUnknown: WireError(6002, "Invalid campaign ID"),
        # The purpose says which list is meant, as the campaign does elsewhere.
        PurposeInvalid: WireError(6002, "Invalid campaign ID"),
        CallingCodeInvalid: WireError(6003, "Invalid phone code"),
        StoreUnavailable: WireError(6004, "Delete operation failed", 503),
        ReasonInvalid: WireError(6057, "Invalid reason"),
        **_GUARDS,
        ReleaseReasonMissing: WireError(6057, "A reason is required"),
        LeadStatusMissing: WireError(6005, "Invalid lead status"),
        LeadStatusInvalid: WireError(6005, "Invalid lead status"),
    },
    **_NEIGHBOURS,
}

_LIVE_COUNTRY = WireError(6026, "Missing or invalid Country Code")
_LIVE_PURPOSE = WireError(6057, "Invalid Purpose Provided")
_LIVE_REASON = WireError(6058, "Invalid Reason Provided")
_LIVE_NO_REASON = WireError(6058, "Missing Reason")
_LIVE_ID = WireError(6056, "Missing or invalid value for ID")
_LIVE_EXISTS = WireError(6008, "The phone number already exists.")

_LIVE: Mapping[str, Words] = {
    "dnc_insert": {
        **EVERYWHERE,
        CampaignUnknown: WireError(6006, "Invalid Campaign ID"),
        NumberInvalid: WireError(6007, "Invalid Phone Number"),
        EntryRepeated: _LIVE_EXISTS,
        AlreadySuppressed: _LIVE_EXISTS,
        CallingCodeInvalid: _LIVE_COUNTRY,
        PurposeInvalid: _LIVE_PURPOSE,
        ReasonInvalid: _LIVE_REASON,
    },
    "dnc_update": {
        **EVERYWHERE,
        CampaignUnknown: WireError(6004, "Unknown Campaign ID"),
        NumberInvalid: WireError(6008, "The phone number is invalid"),
        CallingCodeInvalid: _LIVE_COUNTRY,
        IdInvalid: _LIVE_ID,
        EntryUnknown: _LIVE_ID,
        PurposeInvalid: _LIVE_PURPOSE,
        ReasonInvalid: _LIVE_REASON,
        **_GUARDS,
        ReleaseReasonMissing: _LIVE_NO_REASON,
        AlreadySuppressed: WireError(
            6059,
            "This combination of Phone number, Campaign ID, and Phone Code "
            "already exists.",
        ),
    },
    "dnc_search": {
        **EVERYWHERE,
        **_AS_OF,
        CampaignUnknown: WireError(6006, "Invalid Campaign ID"),
        OffsetInvalid: WireError(7231, "Invalid offset value"),
        LimitInvalid: WireError(7258, "Invalid limit value"),
        NumberInvalid: WireError(6008, "The phone number is invalid"),
        CallingCodeInvalid: _LIVE_COUNTRY,
        IdInvalid: _LIVE_ID,
        # The live servers have no words for a date of their own.
        DateInvalid: _PARAMETER,
        PurposeInvalid: _LIVE_PURPOSE,
        ReasonInvalid: _LIVE_REASON,
    },
    "dnc_delete": {
        **EVERYWHERE,
        CallingCodeInvalid: WireError(6000, "Missing Phone Code"),
        CampaignUnknown: WireError(6001, "Missing Campaign ID"),
        PurposeInvalid: WireError(6001, "Missing Campaign ID"),
        NumberInvalid: WireError(6002, "Missing Phone Number"),
        NotSuppressed: WireError(6003, "Phone Number Not Found"),
        ReasonInvalid: _LIVE_REASON,
        **_GUARDS,
        ReleaseReasonMissing: _LIVE_NO_REASON,
        LeadStatusInvalid: WireError(6004, "Invalid Lead status"),
        LeadStatusMissing: WireError(6005, "Missing Lead status"),
    },
    **_NEIGHBOURS,
}

WIRE_ERRORS: Mapping[str, Mapping[str, Words]] = {
    Edition.DOCUMENTED: _DOCUMENTED,
    Edition.LIVE: _LIVE,
}


def words_of(edition: str, operation: str) -> Words:
    """Return what *operation* says in *edition*; of an unknown one, the common part."""
    return WIRE_ERRORS[edition].get(operation, EVERYWHERE)


def write_error(failure: Failure, operation: str) -> Response:
    """Return the answer to a request that *operation* could not carry out."""
    return write_failure(words_of(current.edition("convoso"), operation), failure)
