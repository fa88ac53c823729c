"""
The shape of Convoso's requests and answers: what is there, and what it looks like.

A schema says which parameters an operation needs; what their values mean is read in
``wire``. The same schemas are the OpenAPI document.
"""

from marshmallow import Schema, fields

from app.domain.errors import (
    CallingCodeInvalid,
    CampaignUnknown,
    EntryUnknown,
    NumberInvalid,
    Refused,
)
from app.domain.texts import NAME_LENGTH, PURPOSE_LENGTH, REASON_LENGTH
from app.http.forms import Parameter
from app.http.schemas import Answer, Paged, Request, number, text


def _number(missed: type[Refused] | None = None) -> Parameter:
    return Parameter(
        "The number within its phone_code. Spaces, dots, dashes, round brackets, a "
        "repeated calling code and a trunk prefix are removed.",
        missed=missed,
        maxLength=64,
        example="5551234567",
    )


def _code(missed: type[Refused] | None = None) -> Parameter:
    return Parameter(
        "The number's ITU calling code.", missed=missed, maxLength=4, example="1"
    )


def _campaign(missed: type[Refused] | None = None) -> Parameter:
    return Parameter(
        "`0` the whole organisation; `-1` every campaign of `purpose`; otherwise a "
        "campaign, by its id or its code.",
        missed=missed,
        maxLength=30,
        example="0",
    )


def _reason(description: str) -> Parameter:
    return Parameter(description, maxLength=REASON_LENGTH, example="ConsentRevoked")


def _purpose(description: str) -> Parameter:
    return Parameter(description, maxLength=PURPOSE_LENGTH, example="TELEMKT")


class DncInsert(Request):
    """A number and the list that it goes on."""

    phone_number = _number(NumberInvalid)
    phone_code = _code(CallingCodeInvalid)
    campaign_id = _campaign(CampaignUnknown)
    reason = _reason("Why the number is listed; any printable text.")
    purpose = _purpose(
        "Where campaign_id is -1, one of the organisation's purposes, and needed; "
        "elsewhere a note."
    )


class DncUpdate(Request):
    """Which entry, and what of it changes; what is left out stays."""

    id = Parameter(
        "The entry's id.", missed=EntryUnknown, pattern="^[0-9]{1,18}$", example="5083"
    )
    phone_number = _number()
    phone_code = _code()
    campaign_id = _campaign()
    reason = _reason("The new reason; empty or `-BLANK-` clears it.")
    purpose = _purpose("The new purpose; `-BLANK-` clears it.")


class DncSearch(Paged):
    """What to look for; an empty parameter counts as absent."""

    id = Parameter("The entry with this id.", pattern="^[0-9]{0,18}$", example="5083")
    campaign_id = _campaign()
    phone_number = _number()
    phone_code = _code()
    insert_date = Parameter(
        "Entries of this day (`YYYY-MM-DD`) or second (`YYYY-MM-DD hh:mm:ss`), in the "
        "organisation's time zone.",
        maxLength=19,
        example="2026-03-31",
    )
    reason = _reason("Exactly this reason; `-BLANK-` none, `-NOTBLANK-` any.")
    purpose = _purpose("Exactly this purpose; `-BLANK-` none, `-NOTBLANK-` any.")
    as_of = Parameter(
        "dncd's own: the list as it was at this instant, ISO 8601 with a zone.",
        maxLength=40,
        example="2026-03-31T09:30:00Z",
    )


class DncDelete(Request):
    """Which number leaves which list, and what becomes of its leads."""

    phone_number = _number(NumberInvalid)
    phone_code = _code(CallingCodeInvalid)
    campaign_id = _campaign(CampaignUnknown)
    purpose = _purpose("Which purpose's list, where campaign_id is -1.")
    reason = _reason("Why the number may be called again; history keeps it.")
    update_lead_status = Parameter(
        "Whether the leads with this number get lead_status: `true`, `1`, `yes` or "
        "`on`.",
        example="true",
    )
    lead_status = Parameter(
        "The leads' new status; empty leaves them as they are.",
        maxLength=30,
        example="ACTIVE",
    )


class LeadsInsert(Request):
    """A person to call for a campaign."""

    phone_number = _number(NumberInvalid)
    phone_code = _code(CallingCodeInvalid)
    campaign_id = Parameter(
        "The lead's campaign, by its id or its code.",
        missed=CampaignUnknown,
        maxLength=30,
        example="101",
    )
    status = Parameter("The lead's status; `NEW` by default.", example="NEW")
    first_name = Parameter("", maxLength=NAME_LENGTH, example="Ada")
    last_name = Parameter("", maxLength=NAME_LENGTH, example="Lovelace")


class LeadsSearch(Paged):
    """What to look for; an empty parameter counts as absent."""

    id = Parameter("The lead with this id.", pattern="^[0-9]{0,18}$", example="17")
    phone_number = _number()
    phone_code = _code()
    campaign_id = Parameter("Leads of this campaign.", maxLength=30, example="101")
    status = Parameter("Leads with this status.", maxLength=30, example="NEW")


class StatusSearch(Paged):
    """Which lead statuses are wanted."""

    status = Parameter("The status with this code.", maxLength=30, example="NEW")


class CampaignsSearch(Paged):
    """Which campaigns are wanted."""

    id = Parameter("The campaign with this id.", pattern="^[0-9]{0,18}$", example="101")


class IdAnswer(Answer):
    """The id of what was stored or changed, or of the entry that was in the way."""

    id = fields.Integer(
        metadata={
            "description": "The entry's id; with a refusal because the number is "
            "listed already, the id of the entry that is stored.",
            "format": "int64",
            "example": 5083,
        }
    )


class Entry(Schema):
    """An entry of the list; every value is a string."""

    id = text("The entry's id.", "5083")
    phone_number = text("The number without its calling code.", "5551234567")
    phone_code = text("Its calling code.", "1")
    campaign_id = text("The list: 0, -1 or a campaign.", "0")
    campaign_uid = text("The campaign's code.", "0")
    campaign_name = text("The campaign's name.", "Global DNC")
    campaign_type = text("The campaign's type.", "")
    purpose = text("The purpose, or empty.", "")
    reason = text("The reason, or empty.", "ConsentRevoked")
    insert_date = text("The day of the opt-out.", "2026-03-31")


class Lead(Schema):
    """A person to call; every value is a string."""

    id = text("The lead's id.", "17")
    phone_number = text("The number without its calling code.", "5551234567")
    phone_code = text("Its calling code.", "1")
    campaign_id = text("The campaign's id.", "101")
    campaign_uid = text("The campaign's code.", "SPRING")
    campaign_name = text("The campaign's name.", "Spring sale")
    status = text("The lead's status.", "NEW")
    first_name = text("", "Ada")
    last_name = text("", "Lovelace")
    created_at = text("In the organisation's time zone.", "2026-03-31 10:30:00")
    modified_at = text("In the organisation's time zone.", "2026-03-31 10:30:00")


class Status(Schema):
    """A status that leads can have."""

    status = text("The status's code.", "NEW")
    name = text("What people call it.", "New")


class Campaign(Schema):
    """A calling effort; every value is a string."""

    id = text("The campaign's id.", "101")
    uid = text("Its code.", "SPRING")
    name = text("Its name.", "Spring sale")
    type = text("Its type.", "")
    purpose = text("What its calls are for, or empty.", "TELEMKT")
    active = text("`true` or `false`.", "true")


def _page_of(item: type[Schema], name: str) -> type[Schema]:
    """Return the answer that holds a page of *item*."""
    data = Schema.from_dict(
        {
            "offset": fields.Integer(required=True, metadata={"example": 0}),
            "limit": fields.Integer(required=True, metadata={"example": 100}),
            "total": number("The exact number of all matches.", 1, format="int64"),
            "entries": fields.List(fields.Nested(item), required=True),
        },
        name=f"{name}Data",
    )
    return Answer.from_dict(
        {
            "data": fields.Nested(
                data, metadata={"description": "Only where success is true."}
            )
        },
        name=f"{name}Answer",
    )


DncSearchAnswer = _page_of(Entry, "DncSearch")
LeadsSearchAnswer = _page_of(Lead, "LeadsSearch")
StatusSearchAnswer = _page_of(Status, "StatusSearch")
CampaignsSearchAnswer = _page_of(Campaign, "CampaignsSearch")
