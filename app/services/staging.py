"""
Rows of a file as the store stages them, many at a time.

Whatever needs a decision is decided once for each distinct value and remembered: ten
million rows cost ten million look-ups in a dictionary, and lines of ten plain digits
not even that.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from zoneinfo import ZoneInfo

from app.domain import phone, scopes, texts
from app.domain.causes import Cause
from app.domain.errors import (
    CallingCodeInvalid,
    CampaignUnknown,
    EvidenceInvalid,
    NumberInvalid,
    PurposeInvalid,
    ReasonInvalid,
)
from app.domain.phone import PhoneNumber
from app.files import spellings
from app.files.blocks import Block
from app.files.evidence import read_evidence
from app.files.lists import NumberList
from app.files.rejects import Reject, RejectsFile
from app.files.tables import Column, Rows, Table
from app.services.directory import Directory, Rejected

FIRST_REJECTS = 20

# What no reason or purpose that is taken exceeds.
REMEMBERED_LENGTH = 1000
REMEMBERED = 20_000

_NULL = "\\N"
_INTERNATIONAL = ("+", "00")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for a row that does not say."""

    calling_code: str
    campaign_id: int
    purpose: str | None
    reason: str | None
    time_zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Meaning:
    """What all columns but number and date say: the same for a great many rows."""

    calling_code: str | None
    nanp: bool
    staged: str
    cause: Cause | None = None


class Staging:
    """Turns rows into what COPY takes, and counts what it cannot take."""

    def __init__(
        self,
        directory: Directory,
        defaults: Defaults,
        now: datetime,
        rejects: RejectsFile | None,
    ) -> None:
        """Judge rows by what the organisation has at the instant *now*."""
        self._directory = directory
        self._defaults = defaults
        self._now = now
        self.rejects = rejects
        self._meanings: dict[tuple[str, ...], Meaning] = {}
        self._instants: dict[str, str] = {}
        self._numbers_are_national = False
        self.read = 0
        self.causes: Counter[Cause] = Counter()
        self.first_rejects: list[Reject] = []

    def numbers_of(self, file: NumberList) -> Callable[[Block], str | bytes]:
        """Return a function that stages lines of *file*, each with its calling code."""
        default = file.calling_code or self._defaults.calling_code
        read_number = phone.bulk_reader(default)

        def stage(block: Block) -> str | bytes:
            if default == phone.NANP_CALLING_CODE:
                plain = spellings.plain_nanp(block.data)
                if plain is not None:
                    self.read += block.data.count(b"\n")
                    return plain
            staged: list[str] = []
            lines = block.text().split("\n")
            for line, text in enumerate(lines, block.line):
                if not text:
                    continue
                self.read += 1
                if text.startswith(_INTERNATIONAL):
                    self._read_carefully(line, text, default, staged)
                    continue
                try:
                    staged.append(f"{read_number(text)}\t{default}\n")
                except NumberInvalid:
                    self._read_carefully(line, text, default, staged)
            return "".join(staged)

        return stage

    def rows_of(self, table: Table) -> Callable[[Rows], str]:
        """Return a function that stages rows of *table*."""
        columns = dict(table.columns())
        # What dncd wrote is a national number, whatever else it could be taken for.
        self._numbers_are_national = tuple(table.header) == tuple(Column)
        number_at = columns.pop(Column.PHONE_NUMBER)
        instant_at = columns.pop(Column.INSERTED_AT, None)
        evidence_at = columns.pop(Column.EVIDENCE, None)
        pick = _picker(tuple(columns.values()))
        is_plain = phone.PLAIN_NANP.fullmatch
        known = self._meanings

        def stage(rows: Rows) -> str:
            staged = []
            for line, row in zip(rows.lines, rows.rows, strict=True):
                text, key = row[number_at], pick(row)
                meaning = known.get(key) or self._learn(columns, key)
                try:
                    if meaning.nanp and is_plain(text):
                        number = f"1{text[-spellings.NATIONAL_LENGTH :]}\t1"
                    else:
                        number = self._number(
                            text, meaning.calling_code, self._defaults.calling_code
                        )
                    if meaning.cause is not None:
                        raise Rejected(meaning.cause)  # noqa: TRY301
                    instant = (
                        _NULL if instant_at is None else self._instant(row[instant_at])
                    )
                    evidence = (
                        _NULL
                        if evidence_at is None
                        else self._evidence(row[evidence_at])
                    )
                except Rejected as rejected:
                    if any(row):
                        self._reject(line, rejected.cause, row)
                    else:
                        self.read -= 1
                    continue
                staged.append(
                    f"{number}{meaning.staged}{instant}\t{evidence}\t{line}\n"
                )
            self.read += len(rows.rows)
            return "".join(staged)

        return stage

    def _read_carefully(
        self, line: int, text: str, default: str, staged: list[str]
    ) -> None:
        """Read what a spreadsheet made of a number, or reject it."""
        try:
            number = self._number(text.strip(",;|\t "), None, default)
            staged.append(f"{number}\n")
        except Rejected as rejected:
            if text.strip():
                self._reject(line, rejected.cause, (text,))
            else:
                self.read -= 1

    def _number(self, text: str, calling_code: str | None, default: str) -> str:
        """
        Return key and calling code of what *text* spells; raises Rejected.

        Where no *calling_code* is said the number may begin with one.
        """
        spelling = spellings.without_habits(text)
        if calling_code is not None and self._numbers_are_national:
            with suppress(NumberInvalid):
                return _staged(phone.read(f"+{calling_code}{spelling}", calling_code))
        try:
            if calling_code is None and spelling.startswith(_INTERNATIONAL):
                (number,) = phone.read_in_any_code(spelling, default)
                if phone.may_have_gained_plus(number, default):
                    raise Rejected(Cause.NUMBER_PLUS)
            else:
                number = phone.read(spelling, calling_code or default)
        except NumberInvalid:
            raise Rejected(phone.explain(spelling)) from None
        return _staged(number)

    def _learn(self, columns: Mapping[Column, int], key: tuple[str, ...]) -> Meaning:
        if len(self._meanings) >= REMEMBERED:
            self._meanings.clear()
        said = dict(zip(columns, key, strict=False))
        try:
            meaning = self._meaning(said)
        except Rejected as rejected:
            meaning = Meaning(None, nanp=False, staged="", cause=rejected.cause)
        if sum(map(len, key)) <= REMEMBERED_LENGTH:
            self._meanings[key] = meaning
        return meaning

    def _meaning(self, said: Mapping[Column, str]) -> Meaning:
        code = said.get(Column.PHONE_CODE, "").strip()
        try:
            calling_code = phone.read_calling_code(code) if code else None
            reason = texts.read_reason(said.get(Column.REASON, ""))
            purpose = texts.read_purpose(said.get(Column.PURPOSE, ""))
        except CallingCodeInvalid:
            raise Rejected(Cause.CALLING_CODE) from None
        except ReasonInvalid:
            raise Rejected(_explain_reason(said[Column.REASON])) from None
        except PurposeInvalid:
            filters = said[Column.PURPOSE] == texts.NOT_BLANK_TEXT
            cause = Cause.PURPOSE_FILTER if filters else Cause.PURPOSE_TEXT
            raise Rejected(cause) from None
        campaign_id = self._campaign(said)
        purpose = self._directory.require_purpose(
            campaign_id, purpose or self._defaults.purpose
        )
        fields = (
            campaign_id,
            _escaped(purpose),
            _escaped(reason or self._defaults.reason),
        )
        return Meaning(
            calling_code,
            nanp=(calling_code or self._defaults.calling_code) == "1",
            staged="\t{}\t{}\t{}\t".format(*fields),
        )

    def _campaign(self, said: Mapping[Column, str]) -> int:
        """Return the list: by its code, which travels, before its id, which may not."""
        code = said.get(Column.CAMPAIGN_UID, "").strip()
        number = said.get(Column.CAMPAIGN_ID, "").strip()
        try:
            if code:
                found = self._directory.codes.get(code)
            elif number:
                found = self._directory.find_list(scopes.read_campaign(number))
            else:
                found = self._defaults.campaign_id
        except CampaignUnknown:
            found = None
        if found is None:
            raise Rejected(Cause.CAMPAIGN)
        return found

    def _instant(self, text: str) -> str:
        if not text:
            return _NULL
        if text not in self._instants:
            if len(self._instants) >= REMEMBERED:
                self._instants.clear()
            self._instants[text] = self._read_instant(text)
        return self._instants[text]

    def _read_instant(self, text: str) -> str:
        """Return the instant as PostgreSQL reads it; raises Rejected."""
        if not _DAY.match(text):
            raise Rejected(Cause.DATE)
        try:
            instant = datetime.fromisoformat(text)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=self._defaults.time_zone)
            instant = instant.astimezone(UTC)
        except (ValueError, OverflowError):
            raise Rejected(Cause.DATE) from None
        if instant > self._now:
            raise Rejected(Cause.FUTURE)
        return instant.isoformat()

    def _evidence(self, text: str) -> str:
        try:
            return _escaped(read_evidence(text))
        except EvidenceInvalid:
            raise Rejected(Cause.EVIDENCE) from None

    def _reject(self, line: int, cause: Cause, row: "list[str] | tuple[str]") -> None:
        reject = Reject(line, cause, row)
        self.causes[cause] += 1
        if len(self.first_rejects) < FIRST_REJECTS:
            self.first_rejects.append(reject)
        if self.rejects is not None:
            self.rejects.write(reject)


def _picker(places: tuple[int, ...]) -> Callable[[list[str]], tuple[str, ...]]:
    if not places:
        return lambda _: ()
    # Of one place alone itemgetter makes no tuple.
    return itemgetter(*places, places[0])


def _explain_reason(text: str) -> Cause:
    if text == texts.NOT_BLANK_TEXT:
        return Cause.REASON_FILTER
    long = len(text) > texts.REASON_LENGTH
    return Cause.REASON_LONG if long else Cause.REASON_TEXT


def _staged(number: PhoneNumber) -> str:
    return f"{number.e164}\t{number.calling_code}"


def _escaped(text: str | None) -> str:
    """Return *text*, which is printable, as COPY reads it."""
    return _NULL if text is None else text.replace("\\", "\\\\")
