"""VICIdial's requests into our words, and our answers into VICIdial's lines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Response

from app.domain import phone, scopes
from app.domain.access import Organisation
from app.domain.entries import Draft
from app.domain.errors import CampaignUnknown, NumberInvalid, ParameterMissing
from app.domain.phone import PhoneNumber
from app.domain.rules import Question, Rule, Verdict
from app.domain.scopes import CampaignReference
from app.http.forms import Fields

CONTENT_TYPE = "text/html; charset=utf-8"
# The version of the API that is spoken, which clients look at.
API_VERSION = "2.14-202"
API_BUILD = "250720-1841"

PASSWORD = "pass"  # noqa: S105  the name of a parameter

OWN_LIST = "SYSTEM_INTERNAL"
SHORTEST_LIST, LONGEST_LIST = 2, 30
SHORTEST_NUMBER, LONGEST_NUMBER, LONGEST_CHECKED = 6, 20, 16
SHORTEST_SOURCE = 2
# What the vendor documents; more of it is not stored.
LONGEST_SOURCE = 20

VERSION = "version"
LISTED, NOT_LISTED = "1", "0"

DONE = {
    "add_dnc_phone": "DNC NUMBER HAS BEEN ADDED - {user}|{phone_number}|{campaign_id}",
    "delete_dnc_phone": (
        "DNC NUMBER HAS BEEN DELETED - {user}|{phone_number}|{campaign_id}"
    ),
    "add_fpg_phone": (
        "FILTER PHONE GROUP NUMBER HAS BEEN ADDED - {user}|{phone_number}|{group}"
    ),
    "delete_fpg_phone": (
        "FILTER PHONE GROUP NUMBER HAS BEEN DELETED - {user}|{phone_number}|{group}"
    ),
}

_NOT_ASKED = {"", "N"}
_OTHER_THAN_NAME = re.compile(r"[^-_0-9A-Za-z]")
_OTHER_THAN_WORD = re.compile(r"[^0-9A-Za-z]")
_OTHER_THAN_NUMBERS = re.compile(r"[^0-9,]")
_OTHER_THAN_DIGITS = re.compile(r"[^0-9]")


@dataclass(frozen=True, slots=True)
class Call:
    """
    A request, its fields cleaned as VICIdial cleans them; they are echoed so.

    *phone_text* is as it came: whether it is a number is not told by its digits alone.
    """

    function: str
    user: str
    password: str = field(repr=False)
    source: str
    phone_text: str
    campaign_id: str
    group: str
    phone_code: str
    dnc_check: str
    campaign_dnc_check: str

    @property
    def phone_number(self) -> str:
        """The numbers as they are echoed: their digits, with commas between them."""
        return _OTHER_THAN_NUMBERS.sub("", self.phone_text)

    def fill(self, text: str) -> str:
        """Return *text* with what was sent in place of its `{names}`."""
        return text.format(
            function=self.function,
            user=self.user,
            source=self.source,
            phone_number=self.phone_number,
            campaign_id=self.campaign_id,
            group=self.group,
        )


def read_call(fields: Fields, *, number: tuple[str, ...] = ("phone_number",)) -> Call:
    """Return what a request asks; *number* are the names that its number may have."""
    return Call(
        function=_clean_name(fields, "function"),
        user=_clean_name(fields, "user"),
        password=_clean_name(fields, PASSWORD),
        source=_OTHER_THAN_WORD.sub("", fields.get("source", "")),
        phone_text=next(filter(None, map(fields.get, number)), ""),
        campaign_id=_clean_name(fields, "campaign_id"),
        group=_clean_name(fields, "group"),
        phone_code=_clean_name(fields, "phone_code"),
        dnc_check=_clean_name(fields, "dnc_check").upper(),
        campaign_dnc_check=_clean_name(fields, "campaign_dnc_check").upper(),
    )


def read_numbers(call: Call, organisation: Organisation) -> list[PhoneNumber]:
    """Return every number of a comma list; raises NumberInvalid if one is none."""
    first, *others = call.phone_text.split(",")
    # Of the others a space before the number is more likely one after the comma.
    return [
        _read_number(first, organisation, LONGEST_NUMBER),
        *(
            _read_number(text.lstrip(" "), organisation, LONGEST_NUMBER)
            for text in others
        ),
    ]


def read_list(call: Call) -> CampaignReference:
    """
    Return the list that `campaign_id` names; raises ParameterMissing, CampaignUnknown.

    The list of a purpose has no name here.
    """
    name = call.campaign_id
    _require_length(name)
    if name.upper() == OWN_LIST:
        return scopes.ORGANISATION
    reference = scopes.read_campaign(name)
    if reference.is_purpose_list:
        raise CampaignUnknown
    return reference


def read_group(call: Call) -> CampaignReference:
    """Return what `group` names; raises ParameterMissing, CampaignUnknown."""
    _require_length(call.group)
    return scopes.read_campaign(call.group)


def read_drafts(
    call: Call, numbers: Iterable[PhoneNumber], on: CampaignReference
) -> list[Draft]:
    """Return the entries that an addition asks for; their reason names its source."""
    reason = f"VICIdial: {call.source[:LONGEST_SOURCE]}"
    return [Draft(number=number, campaign=on, reason=reason) for number in numbers]


def read_question(call: Call, organisation: Organisation) -> Question:
    """Return what a check asks; raises what is wrong with its parameters."""
    if call.phone_code:
        code = phone.read_calling_code(call.phone_code)
        _require_digits(call.phone_text, LONGEST_CHECKED)
        number = phone.read(call.phone_text, code)
    else:
        number = _read_number(call.phone_text, organisation, LONGEST_CHECKED)
    campaign = None
    if call.campaign_dnc_check not in _NOT_ASKED:
        campaign = _called_for(read_list(call))
    return Question(number, campaign)


def read_filter(
    call: Call, organisation: Organisation
) -> tuple[Question, CampaignReference | None]:
    """Return what an inbound filter asks, and the group that it names besides."""
    number = _read_number(call.phone_text, organisation, LONGEST_NUMBER)
    campaign = _called_for(read_list(call)) if call.campaign_id else None
    return Question(number, campaign), read_group(call) if call.group else None


def write_version(now: datetime) -> Response:
    """Answer which API this is, and what time it is; in UTC, for nobody is known."""
    return write_line(
        f"VERSION: {API_VERSION}|BUILD: {API_BUILD}"
        f"|DATE: {now.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        f"|EPOCH: {int(now.timestamp())}|DST: 0|TZ: 0|TZNOW: 0|"
    )


def write_done(call: Call) -> Response:
    """Answer that a function which changes a list was carried out."""
    return write_line(call.fill(f"SUCCESS: {{function}} {DONE[call.function]}"))


def write_verdict(call: Call, organisation: Organisation, verdict: Verdict) -> Response:
    """
    Answer which of the lists that were asked about has the number, or that none has.

    A purpose's list counts as that of the campaigns which it blocks. Where the
    organisation has switched its checking off, none has.
    """
    found = _found_on(call, verdict)
    if found is not None:
        return write_line(call.fill(f"ERROR: {{function}} PHONE NUMBER IN {found}"))
    code = call.phone_code or organisation.default_phone_code
    hours = _offset(organisation, verdict.checked_at)
    return write_line(f"AREACODE: 1|{hours:g}#PHONE: {call.phone_number}|{code}||||")


def write_filter(*, listed: bool) -> Response:
    """Answer an inbound filter with its one character."""
    return write_text(LISTED if listed else NOT_LISTED)


def write_line(line: str, status: int = 200) -> Response:
    """Answer one line, or several, with its end."""
    return write_text(f"{line}\n", status)


def write_text(text: str, status: int = 200) -> Response:
    """Answer *text* as VICIdial's pages do."""
    response = Response(text, status=status, content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-cache, must-revalidate"
    return response


def _found_on(call: Call, verdict: Verdict) -> str | None:
    rules = {match.rule for match in verdict.matches} if verdict.checked else set()
    for_own_list = call.campaign_id.upper() == OWN_LIST
    of_campaign = call.campaign_dnc_check not in _NOT_ASKED
    of_all = call.dnc_check not in _NOT_ASKED or (of_campaign and for_own_list)
    if of_all and Rule.ORGANISATION in rules:
        return "DNC - {phone_number}|{user}"
    if of_campaign and not for_own_list and rules - {Rule.ORGANISATION}:
        return "CAMPAIGN DNC - {phone_number}|{campaign_id}|{user}"
    return None


def _offset(organisation: Organisation, at: datetime) -> float:
    """Return how far the organisation is from UTC: who knows where the number is?"""
    offset = at.astimezone(ZoneInfo(organisation.time_zone)).utcoffset()
    return offset.total_seconds() / 3600 if offset else 0.0


def _clean_name(fields: Fields, name: str) -> str:
    return _OTHER_THAN_NAME.sub("", fields.get(name, ""))


def _read_number(text: str, organisation: Organisation, longest: int) -> PhoneNumber:
    _require_digits(text, longest)
    number = phone.read_with_default(text, organisation.default_phone_code)
    phone.refuse_lost_plus(text, number)
    return number


def _require_digits(text: str, longest: int) -> None:
    if not SHORTEST_NUMBER <= len(_OTHER_THAN_DIGITS.sub("", text)) <= longest:
        raise NumberInvalid


def _require_length(name: str) -> None:
    if not SHORTEST_LIST <= len(name) <= LONGEST_LIST:
        raise ParameterMissing


def _called_for(reference: CampaignReference) -> CampaignReference | None:
    return None if reference.number == scopes.ORGANISATION_LIST else reference
