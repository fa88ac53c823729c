"""
The scrub of a list: what is asked of each item, and the lines that answer it.

Written by hand where it is hot: there may be fifty thousand.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from json.encoder import encode_basestring_ascii
from typing import NamedTuple
from xml.sax.saxutils import escape

from app.dialects.dncscrub.wire import LINE_END, read_list
from app.domain import phone, scopes
from app.domain.causes import Cause
from app.domain.errors import NumberInvalid, ParameterInvalid
from app.domain.regions import country_reader
from app.domain.scopes import CampaignReference
from app.http.forms import Fields
from app.services.checks import Hits

_FILLED = ("Phone", "ResultCode", "Reserved", "Reason", "RegionAbbrev", "Country")
COLUMNS = (
    *_FILLED,
    *("Locale", "CarrierInfo", "NewReassignedAreaCode", "TZCode", "CallingWindow"),
    *("UTCOffset", "DoNotCallToday", "CallingTimeRestrictions"),
)
MORE_COLUMNS = (*COLUMNS, "EBRType", "IsWirelessOrVoIP", "LineType")

VERSIONS = ("1", "2", "3", "4", "5")
_VERSIONS_WITH_MORE = {"4", "5"}

_SEPARATES_ID = "|"
_NO_REASON = ";;;"
# VICIdial's inbound filter looks for these words.
_NOT_VALID = f"{_NO_REASON}not a valid number"
# So that a line fits where VICIdial keeps it.
_REASON_LENGTH = 200
# What would end a part, a column or a line, and what VICIdial hands to its database.
_BARRED = str.maketrans(dict.fromkeys(";,'\"\\`\r\n", " "))
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NANP_SHAPE = re.compile(r"1?[0-9]{10}")
_NO_DIGIT = re.compile(r"[^0-9]")


class Output(StrEnum):
    """How the answer is written."""

    CSV = "csv"
    JSON = "json"
    XML = "xml"


CONTENT_TYPES = {
    Output.CSV: "text/csv; charset=utf-8",
    Output.JSON: "application/json",
    Output.XML: "application/xml; charset=utf-8",
}


class Code(StrEnum):
    """What is found of a number; the codes of registry lists are never said."""

    CLEAN = "C"
    LISTED = "P"
    INVALID = "I"
    MALFORMED = "M"


class Row(NamedTuple):
    """What is known of an item; the columns that follow are empty."""

    phone: str
    code: Code
    reserved: str
    reason: str
    region: str
    country: str


@dataclass(frozen=True, slots=True)
class Scrub:
    """The items to answer, and how; *keys* has None where one is no number."""

    output: Output
    columns: Sequence[str]
    campaign: CampaignReference | None
    calling_code: str
    items: Sequence[str]
    keys: Sequence[int | None]


def read_scrub(fields: Fields, calling_code: str, most: int) -> Scrub:
    """Return what a scrub asks; raises ParameterInvalid, CampaignUnknown and others."""
    version = fields.get("version") or VERSIONS[0]
    if version not in VERSIONS:
        raise ParameterInvalid(f"version is none of {', '.join(VERSIONS)}")
    try:
        output = Output(fields.get("output") or Output.CSV)
    except ValueError:
        wanted = ", ".join(Output)
        raise ParameterInvalid(f"output is none of {wanted}") from None
    items = read_list(fields, most)
    return Scrub(
        output=output,
        columns=MORE_COLUMNS if version in _VERSIONS_WITH_MORE else COLUMNS,
        campaign=_read_campaign(fields),
        calling_code=calling_code,
        items=items,
        keys=_read_keys(items, calling_code),
    )


def write_results(scrub: Scrub, hits: Hits) -> bytes:
    """Return the answer to every item, in their order."""
    rows = _answer_items(scrub, hits)
    match scrub.output:
        case Output.CSV:
            text = _write_csv(rows, scrub.columns)
        case Output.JSON:
            text = _write_json(rows, scrub.columns)
        case Output.XML:
            text = _write_xml(rows, scrub.columns)
    return text.encode(errors="replace")


def _read_campaign(fields: Fields) -> CampaignReference | None:
    project, campaign = fields.get("projId"), fields.get("campaignId")
    if project and campaign and project != campaign:
        # A list that only one of them has would be passed over.
        raise ParameterInvalid("projId and campaignId name two campaigns")
    return scopes.read_called_campaign(campaign or project or "")


def _read_keys(items: Iterable[str], calling_code: str) -> list[int | None]:
    read = phone.bulk_reader(calling_code)
    keys: list[int | None] = []
    for item in items:
        try:
            keys.append(read(item.partition(_SEPARATES_ID)[0]))
        except NumberInvalid:
            keys.append(None)
    return keys


def _answer_items(scrub: Scrub, hits: Hits) -> Iterator[Row]:
    country_of = country_reader(scrub.calling_code)
    for item, key in zip(scrub.items, scrub.keys, strict=True):
        text, _, reserved = item.partition(_SEPARATES_ID)
        if key is None:
            code = _judge(text, scrub.calling_code)
            yield Row(text, code, reserved, _NOT_VALID, "", "")
        elif (hit := hits.get(key)) is not None:
            reason = _write_reason(hit.reason)
            yield Row(text, Code.LISTED, reserved, reason, "", country_of(key))
        else:
            yield Row(text, Code.CLEAN, reserved, _NO_REASON, "", country_of(key))


def _write_reason(reason: str | None) -> str:
    """Return the four parts; there is none for internal lists, so the last is it."""
    return _NO_REASON + (reason or "")[:_REASON_LENGTH].translate(_BARRED)


def _judge(text: str, calling_code: str) -> Code:
    """Return whether *text*, which is no number, at least has the shape of one."""
    if phone.explain(text) != Cause.NUMBER_IMPOSSIBLE:
        return Code.MALFORMED
    if calling_code == phone.NANP_CALLING_CODE and not _NANP_SHAPE.fullmatch(
        _NO_DIGIT.sub("", text)
    ):
        return Code.MALFORMED
    return Code.INVALID


def _write_csv(rows: Iterable[Row], columns: Sequence[str]) -> str:
    file = StringIO()
    empty = [""] * (len(columns) - len(_FILLED))
    writer = csv.writer(file, lineterminator=LINE_END)
    writer.writerows([*row, *empty] for row in rows)
    return file.getvalue()


def _write_json(rows: Iterable[Row], columns: Sequence[str]) -> str:
    members = [f'"{name}":%s' for name in _FILLED]
    members += [f'"{name}":""' for name in columns[len(_FILLED) :]]
    template, quote = "{" + ",".join(members) + "}", encode_basestring_ascii
    return "[" + ",".join(template % tuple(map(quote, row)) for row in rows) + "]"


def _write_xml(rows: Iterable[Row], columns: Sequence[str]) -> str:
    members = [f"<{name}>%s</{name}>" for name in _FILLED]
    members += [f"<{name}/>" for name in columns[len(_FILLED) :]]
    template = "<Result>" + "".join(members) + "</Result>"
    results = (template % tuple(map(_escape, row)) for row in rows)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Results>{"".join(results)}</Results>'
    )


def _escape(text: str) -> str:
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text))
