"""
The numbering plans of the world (ITU), as kept by ``phonenumberslite``.

Nothing else asks that library whether a number is possible, or assigned.
"""

from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, ValidationResult

_E164_LENGTH = 15
_UNKNOWN_TO_ALL = "001"


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a numbering plan tells which numbers may be its own."""

    lengths: frozenset[int]
    trunk_prefix: str


@cache
def every() -> dict[str, Plan]:
    """Return the numbering plans, by calling code."""
    plans = {}
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        if regions[0] == _UNKNOWN_TO_ALL:
            metadata = PhoneMetadata.metadata_for_nongeo_region(code, None)
        else:
            metadata = PhoneMetadata.metadata_for_region(regions[0], None)
        if metadata is not None and metadata.general_desc is not None:
            lengths = frozenset(metadata.general_desc.possible_length)
            plans[str(code)] = Plan(lengths, metadata.national_prefix or "")
    return plans


def is_calling_code(digits: str) -> bool:
    """Whether *digits*, which are some, are a calling code."""
    return int(digits) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE


def is_assigned(calling_code: str, national: str) -> bool:
    """Whether the plan has given the number to somebody."""
    return phonenumbers.is_valid_number(_parts(calling_code, national))


def find_national(calling_code: str, national: str) -> str | None:
    """Return *national* without its trunk prefix, or None if it is not possible."""
    national = _without_trunk_prefix(calling_code, national)
    if not national or len(calling_code) + len(national) > _E164_LENGTH:
        return None
    if _without_trunk_prefix(calling_code, national) != national:
        return None
    parts = _parts(calling_code, national)
    possible = phonenumbers.is_possible_number_with_reason(parts)
    return national if possible == ValidationResult.IS_POSSIBLE else None


def _without_trunk_prefix(calling_code: str, national: str) -> str:
    try:
        parsed = phonenumbers.parse(f"+{calling_code}{national}")
    except NumberParseException:
        return ""
    return phonenumbers.national_significant_number(parsed)


def _parts(calling_code: str, national: str) -> phonenumbers.PhoneNumber:
    zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.PhoneNumber(
        country_code=int(calling_code),
        national_number=int(national),
        italian_leading_zero=zeros > 0,
        number_of_leading_zeros=zeros,
    )
