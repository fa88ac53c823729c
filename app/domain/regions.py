"""In which country a number is, where its numbering plan tells that for certain."""

from collections.abc import Callable
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType

from app.domain.phone import NANP_CALLING_CODE

UNKNOWN = ""

_SUBSCRIBER = 10**7
_AREA_CODES = 1000
_EVERYWHERE = "001"
# A toll-free number, or a person's, is in no country in particular.
_PLACED = {
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
}


def country_reader(calling_code: str) -> Callable[[int], str]:
    """
    Return a function from keys of *calling_code*'s numbers to ISO 3166 countries.

    It returns ``UNKNOWN`` where several countries share the calling code, unless the
    area code of the NANP tells which.
    """
    if calling_code == NANP_CALLING_CODE:
        return lambda e164: _country_of_area(e164 // _SUBSCRIBER % _AREA_CODES)
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(calling_code), ())
    only = regions[0] if len(regions) == 1 else UNKNOWN
    country = UNKNOWN if only == _EVERYWHERE else only
    return lambda _e164: country


@lru_cache(maxsize=_AREA_CODES)
def _country_of_area(area_code: int) -> str:
    """Return the country of an area code, by a number that any area may have."""
    number = phonenumbers.PhoneNumber(
        country_code=int(NANP_CALLING_CODE),
        national_number=area_code * _SUBSCRIBER + 2345678,
    )
    if phonenumbers.number_type(number) not in _PLACED:
        return UNKNOWN
    return phonenumbers.region_code_for_number(number) or UNKNOWN
