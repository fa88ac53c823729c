"""Free text that is stored with a number: reasons, purposes, names; their filters."""

from dataclasses import dataclass

from app.domain.errors import (
    EvidenceInvalid,
    LeadNameInvalid,
    PurposeInvalid,
    ReasonInvalid,
    Refused,
)

REASON_LENGTH = 255
PURPOSE_LENGTH = 64
NAME_LENGTH = 100
EVIDENCE_LENGTH = 255

# What a lenient decoder leaves where the bytes were not UTF-8.
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Blank:
    """A filter: *present* asks for any text, otherwise for none at all."""

    present: bool


BLANK = Blank(present=False)
NOT_BLANK = Blank(present=True)

TextFilter = str | Blank

# How these filters are written (Convoso); so no reason or purpose is called that.
BLANK_TEXT = "-BLANK-"
NOT_BLANK_TEXT = "-NOTBLANK-"


def read_reason(text: str) -> str | None:
    """Return a reason, or None if *text* says there is none; raises ReasonInvalid."""
    return _read_stored(text, REASON_LENGTH, ReasonInvalid)


def read_purpose(text: str) -> str | None:
    """Return a purpose as noted, or None if there is none; raises PurposeInvalid."""
    return _read_stored(text, PURPOSE_LENGTH, PurposeInvalid)


def read_sought(text: str) -> str | None:
    """Return what is looked for in reasons, None if that is empty; as read_reason."""
    return _read(text, REASON_LENGTH, ReasonInvalid)


def read_evidence(text: str) -> str | None:
    """Return some evidence, or None if *text* is empty; raises EvidenceInvalid."""
    return _read(text, EVIDENCE_LENGTH, EvidenceInvalid)


def read_name(text: str) -> str:
    """Return a lead's first or last name, possibly empty; raises LeadNameInvalid."""
    return _read(text, NAME_LENGTH, LeadNameInvalid) or ""


def _read_stored(text: str, longest: int, refusal: type[Refused]) -> str | None:
    if text == NOT_BLANK_TEXT:
        raise refusal
    return None if text == BLANK_TEXT else _read(text, longest, refusal)


def _read(text: str, longest: int, refusal: type[Refused]) -> str | None:
    if len(text) > longest or not text.isprintable() or _REPLACEMENT in text:
        raise refusal
    return text or None
