"""Why a number, or a row of somebody's file, cannot be taken."""

from enum import StrEnum


class Cause(StrEnum):
    """Why a row was not taken, in words."""

    NUMBER_MISSING = "no phone number"
    AREA_CODE = "an area code as a whole (XXXXXXX), not a phone number"
    SCIENTIFIC = "a spreadsheet's scientific notation: digits are lost"
    DECIMAL = "a spreadsheet's decimal number, not a phone number"
    ERASED = "an erased number: suppress it by hand here, if you know it"
    NUMBER_LONG = "longer than 64 characters"
    NUMBER_CHARACTERS = "characters that are no part of a phone number"
    NUMBER_NOT_TEXT = "neither text nor a whole number"
    NUL = "a NUL byte"
    NUMBER_IMPOSSIBLE = "not a possible phone number of its calling code"
    NUMBER_PLUS = "with + a number that nobody has, without it one of here: say which"
    CALLING_CODE = "unknown calling code"
    CAMPAIGN = "unknown campaign"
    PURPOSE_UNKNOWN = "unknown purpose"
    PURPOSE_MISSING = "no purpose, which campaign -1 needs"
    PURPOSE_TEXT = "purpose is not printable text of at most 64 characters"
    PURPOSE_FILTER = "purpose is -NOTBLANK-, which is a filter"
    REASON_LONG = "reason is longer than 255 characters"
    REASON_TEXT = "reason is not printable text"
    REASON_FILTER = "reason is -NOTBLANK-, which is a filter"
    DATE = "inserted_at is not a date and time"
    FUTURE = "inserted_at is in the future"
    EVIDENCE = "evidence is not a JSON object of short texts"
