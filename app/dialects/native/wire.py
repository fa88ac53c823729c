"""
The native dialect's requests into our words, and verdicts into JSON.

Written by hand where it is hot: one check, and each of fifty thousand numbers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any

from flask import Response

from app.dialects.native import schemas
from app.domain import instants, phone, scopes, texts
from app.domain.access import Caller
from app.domain.causes import Cause
from app.domain.errors import (
    CallingCodeInvalid,
    NumberInvalid,
    RequestMalformed,
    TooManyNumbers,
)
from app.domain.phone import PhoneNumber
from app.domain.rules import Match, Question, Snapshot, Verdict
from app.domain.scopes import CampaignReference
from app.http import limits
from app.http.documentation import AUTH_TOKEN
from app.http.envelope import write_json
from app.http.forms import Fields, require_known, unambiguous
from app.services import Services
from app.services.checks import Hits
from app.services.erasures import Erased

# So many numbers of a batch are read at once, if all of them are plain.
_PIECE = 500

# The parameter that asks about an instant rather than about now.
AS_OF = "as_of"

# The secret too, where somebody shows it twice.
_ASKED_OF_BATCH = {*schemas.BATCH_MEMBERS, AUTH_TOKEN}

_VERDICT = (
    '"callable":%s,"phone_code":"%s","phone_number":"%s","checked_at":"%s",'
    '"matches":[%s]'
)

_MATCH = (
    '{"id":"%d","rule":"%s","campaign_id":"%d","campaign_name":%s,"purpose":%s,'
    '"reason":%s,"since":"%s"}'
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Many numbers to ask about; *keys* has None where a number is invalid."""

    campaign: CampaignReference | None
    as_of: datetime | None
    keys: Sequence[int | None]
    causes: Mapping[int, Cause]


def answer_check(services: Services, caller: Caller, fields: Fields) -> bytes:
    """Return the answer to a check; raises what reading and checking raise."""
    question = read_question(fields)
    return write_verdict(question, services.checks.check(caller, question))


def answer_check_as_of(services: Services, caller: Caller, fields: Fields) -> bytes:
    """Return the answer to a check of an instant, or of now where none is named."""
    as_of = read_as_of(fields.get(AS_OF))
    if as_of is None:
        return answer_check(services, caller, fields)
    question = read_question(fields)
    verdict = services.checks.check_as_of(caller, question, as_of)
    told = f'"{AS_OF}":"{as_of.isoformat()}",{_write_members(question, verdict)}'
    return _succeed(told)


def read_as_of(text: str | None) -> datetime | None:
    """Return the instant that is asked about, None for now; raises InstantInvalid."""
    return instants.read_instant(text) if text else None


def read_question(fields: Fields) -> Question:
    """Return what a check asks; raises what is wrong with its parameters."""
    return Question(
        number=_read_number(fields),
        campaign=scopes.read_called_campaign(fields.get("campaign_id", "")),
    )


def read_erase(fields: Fields) -> tuple[PhoneNumber, str | None]:
    """Return whom to forget, and why; raises what is wrong with the parameters."""
    return _read_number(fields), texts.read_reason(fields.get("reason", ""))


def write_erased(erased: Erased) -> Response:
    """Return the answer that tells what was forgotten, and nothing of whom."""
    data = {
        "entries": erased.entries,
        "versions": erased.versions,
        "leads": erased.leads,
        "operation_id": str(erased.operation_id),
    }
    return write_json({"success": True, "data": data})


def write_verdict(question: Question, verdict: Verdict) -> bytes:
    """Return the JSON of a verdict."""
    told = _write_members(question, verdict)
    return _succeed(told if verdict.checked else told + ',"checking":"off"')


def read_batch(body: bytes) -> Batch:
    """Return what a batch asks; raises RequestMalformed, TooManyNumbers and others."""
    try:
        members = json.loads(body.decode(), object_pairs_hook=unambiguous)
    except (ValueError, RecursionError) as error:
        raise RequestMalformed from error
    if not isinstance(members, dict) or not isinstance(members.get("numbers"), list):
        raise RequestMalformed
    require_known(members, _ASKED_OF_BATCH)
    numbers: list[object] = members["numbers"]
    if len(numbers) > limits.BATCH_NUMBERS:
        raise TooManyNumbers
    code = phone.read_calling_code(_read_text(members.get("phone_code")))
    campaign = scopes.read_called_campaign(_read_text(members.get("campaign_id")))
    as_of = read_as_of(_read_text(members.get(AS_OF)))
    return Batch(campaign, as_of, *_read_numbers(numbers, code))


def write_batch(batch: Batch, snapshot: Snapshot, hits: Hits) -> bytes:
    """Return the JSON of a batch: counts, what is listed, what is no number."""
    listed = [
        f'{{"index":{index},"rule":"{hit.rule!s}","entry_id":"{hit.entry_id}",'
        f'"since":"{hit.since.isoformat()}"}}'
        for index, key in enumerate(batch.keys)
        if key is not None and (hit := hits.get(key)) is not None
    ]
    counted = len(batch.keys)
    data = {
        "checked_at": snapshot.taken_at.isoformat(),
        "snapshot": snapshot.name,
        "counts": {
            "numbers": counted,
            "callable": counted - len(listed) - len(batch.causes),
            "listed": len(listed),
            "invalid": len(batch.causes),
        },
        "invalid": [
            {"index": index, "cause": cause} for index, cause in batch.causes.items()
        ],
    }
    if batch.as_of is not None:
        data[AS_OF] = batch.as_of.isoformat()
    elif not snapshot.checking_enabled:
        data["checking"] = "off"
    head = _dump({"success": True, "data": data}).removesuffix(b"}}")
    return b'%b,"listed":[%b]}}' % (head, ",".join(listed).encode())


def _read_numbers(
    numbers: Sequence[object], calling_code: str
) -> tuple[list[int | None], dict[int, Cause]]:
    read = phone.bulk_reader(calling_code)
    keys: list[int | None] = []
    causes: dict[int, Cause] = {}
    for start in range(0, len(numbers), _PIECE):
        piece: Sequence[Any] = numbers[start : start + _PIECE]
        with suppress(TypeError):
            if (plain := phone.read_all_plain(piece, calling_code)) is not None:
                keys += plain
                continue
        for index, number in enumerate(piece, start):
            key, cause = _look_at(number, read)
            keys.append(key)
            if cause is not None:
                causes[index] = cause
    return keys, causes


def _look_at(
    number: object, read: Callable[[str], int]
) -> tuple[int | None, Cause | None]:
    """Return the key of a number, or why it is none."""
    text = str(number) if type(number) is int else number
    if not isinstance(text, str):
        return None, Cause.NUMBER_NOT_TEXT
    try:
        return read(text), None
    except NumberInvalid:
        return None, phone.explain(text)


def _read_number(fields: Fields) -> PhoneNumber:
    number, code = fields.get("phone_number"), fields.get("phone_code")
    if not number:
        raise NumberInvalid
    if not code:
        raise CallingCodeInvalid
    return phone.read(number, phone.read_calling_code(code))


def _read_text(value: object) -> str:
    """Return a member's text, empty if it is not there; raises RequestMalformed."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            raise RequestMalformed
        case int():
            return str(value)
        case _:
            raise RequestMalformed


def _write_members(question: Question, verdict: Verdict) -> str:
    number = question.number
    return _VERDICT % (
        "true" if verdict.callable else "false",
        number.calling_code,
        number.national,
        verdict.checked_at.isoformat(),
        ",".join(map(_write_match, verdict.matches)) if verdict.matches else "",
    )


def _write_match(match: Match) -> str:
    entry = match.entry
    return _MATCH % (
        entry.id,
        match.rule,
        entry.campaign_id,
        encode_basestring(entry.campaign_name),
        encode_basestring(entry.purpose or ""),
        encode_basestring(entry.reason or ""),
        entry.since.isoformat(),
    )


def _succeed(members: str) -> bytes:
    """Return the answer whose data has *members*, as written above."""
    return b'{"success":true,"data":{%b}}' % members.encode()


def _dump(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
