"""
Telephone numbers: every spelling of one number is read as the same ``PhoneNumber``.

What can be a number is decided by possible length (``numbering_plans``), not by
validity: an opt-out must be storable although its exchange is called unassigned.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from app.domain import numbering_plans
from app.domain.causes import Cause
from app.domain.errors import CallingCodeInvalid, NumberInvalid

NANP_CALLING_CODE = "1"
TEXT_LENGTH = 64

_NANP_LENGTH = 10
_FORMATTING = str.maketrans("", "", "+ .-()")
_SPELLING = re.compile(r"\+?[ ]?[0-9(][0-9 .()-]*")
# A spreadsheet's number, not a person's: 5.551234567 or 5551234567.0
_DECIMAL = re.compile(r"[0-9]\.[0-9]+|[0-9]+\.[0-9]{1,2}")
# What lists have in place of numbers, and why it is none.
_HABITS = (
    (re.compile(r".*\x00.*", re.DOTALL), Cause.NUL),
    (re.compile(r"[0-9]{3,6}[Xx]{4,7}"), Cause.AREA_CODE),
    (re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+]?[0-9]+"), Cause.SCIENTIFIC),
    (_DECIMAL, Cause.DECIMAL),
    # As an export writes it.
    (re.compile("erased"), Cause.ERASED),
)
# What nearly every line of a long list looks like; "00" would begin a calling code.
PLAIN_NANP = re.compile(r"1?(?!00)[0-9]{10}")
_ALL_PLAIN = re.compile(f"(?:{PLAIN_NANP.pattern},)*{PLAIN_NANP.pattern}")
_NANP_TRUNK: int = 10**_NANP_LENGTH
_CALLING_CODE = re.compile(r"\+?([1-9][0-9]{0,2})")


@dataclass(frozen=True, slots=True, order=True)
class PhoneNumber:
    """
    A number in E.164: calling code and national number, both as digits.

    The national number keeps its leading zeros where the plan has them (Italy).
    """

    calling_code: str
    national: str

    @property
    def e164(self) -> int:
        """The key: calling code and national number as one integer (15 digits)."""
        return int(self.calling_code + self.national)

    @property
    def is_erased(self) -> bool:
        """Whether the number is no longer known."""
        return not self.national

    def __str__(self) -> str:
        """Write the number as E.164 does."""
        return f"+{self.calling_code}{self.national}"


def from_e164(e164: int, calling_code: int) -> PhoneNumber:
    """
    Return the number whose key is *e164*; the reverse of ``PhoneNumber.e164``.

    Of one that was erased, whose key stands for it, only the calling code is known.
    """
    code = str(calling_code)
    if e164 < 0:
        return PhoneNumber(code, "")
    return PhoneNumber(code, str(e164)[len(code) :])


@lru_cache(maxsize=1024)
def read_calling_code(text: str) -> str:
    """Return the calling code in *text*, without ``+``; raises CallingCodeInvalid."""
    match = _CALLING_CODE.fullmatch(text.strip(" "))
    if not match or not numbering_plans.is_calling_code(match[1]):
        raise CallingCodeInvalid
    return match[1]


def read(text: str, calling_code: str) -> PhoneNumber:
    """
    Return the number that *text* spells within *calling_code* (as read above).

    Formatting, a repeated calling code and a trunk prefix are removed. Raises
    NumberInvalid for what is no possible number of the plan, and for what could be
    two: a number stored under the wrong key would leave the right one callable.
    """
    if calling_code == NANP_CALLING_CODE and PLAIN_NANP.fullmatch(text):
        return PhoneNumber(calling_code, text[-_NANP_LENGTH:])
    digits, international = _read_digits(text)
    if calling_code == NANP_CALLING_CODE:
        return PhoneNumber(calling_code, _nanp_national(digits, international))
    spellings = [] if international else [digits]
    if digits.startswith(calling_code):
        spellings.append(digits.removeprefix(calling_code))
    found = {
        PhoneNumber(calling_code, national)
        for spelling in spellings
        if (national := numbering_plans.find_national(calling_code, spelling))
    }
    if len(found) > 1:
        found = {number for number in found if _is_assigned(number)}
    if len(found) != 1:
        raise NumberInvalid
    return found.pop()


def read_with_default(text: str, default_calling_code: str) -> PhoneNumber:
    """
    Return the number that *text* spells, which may begin with its calling code.

    Where it does so for certain, with ``+`` or ``00``, that one is its own. Otherwise
    it is a number of *default_calling_code*, as ``read`` reads it. Raises
    NumberInvalid.
    """
    digits, international = _read_digits(text)
    code = _leading_calling_code(digits) if international else default_calling_code
    return read(text, code)


def read_for_certain(text: str, default_calling_code: str) -> PhoneNumber:
    """
    Return the number that *text* spells, as ``read_with_default`` does.

    Raises NumberInvalid also where its ``+`` may be one too many: of the other number
    somebody would else be told that it is not listed.
    """
    number = read_with_default(text, default_calling_code)
    if may_be_national(number, default_calling_code):
        raise NumberInvalid
    return number


def refuse_lost_plus(text: str, number: PhoneNumber) -> None:
    """
    Raise NumberInvalid if *text*, read as *number*, may have lost a ``+`` to its form.

    A ``+`` that a client puts into a URL as it is arrives as a space; what follows is
    then a calling code.
    """
    if not text.startswith(" "):
        return
    meant = number
    with suppress(NumberInvalid):
        meant = read_with_default(f"+{text.lstrip(' ')}", number.calling_code)
    if meant != number:
        raise NumberInvalid


def explain(text: str) -> Cause:
    """Return why *text*, which ``read`` has refused, is no number."""
    text = text.strip(" ")
    if not text:
        return Cause.NUMBER_MISSING
    if len(text) > TEXT_LENGTH:
        return Cause.NUMBER_LONG
    for pattern, cause in _HABITS:
        if pattern.fullmatch(text):
            return cause
    if not _SPELLING.fullmatch(text):
        return Cause.NUMBER_CHARACTERS
    return Cause.NUMBER_IMPOSSIBLE


def bulk_reader(calling_code: str) -> Callable[[str], int]:
    """
    Return a function that reads a great many texts within *calling_code*.

    It returns the key of the number that ``read`` would, at a fraction of the cost for
    ten plain digits of the NANP, and raises NumberInvalid as ``read`` does.
    """
    if calling_code != NANP_CALLING_CODE:
        return lambda text: read(text, calling_code).e164
    is_plain = PLAIN_NANP.fullmatch
    trunk = _NANP_TRUNK

    def read_nanp(text: str) -> int:
        if is_plain(text):
            return int(text) % trunk + trunk
        return read(text, NANP_CALLING_CODE).e164

    return read_nanp


def plain_nanp_keys(texts: Iterable[str]) -> list[int]:
    """Return the keys of *texts*, each of which PLAIN_NANP matches."""
    return [int(text) % _NANP_TRUNK + _NANP_TRUNK for text in texts]


def read_all_plain(texts: Sequence[str], calling_code: str) -> list[int] | None:
    """
    Return the keys of *texts* if each is a plain number of the NANP, else None.

    Then each has to be looked at. Raises TypeError if one of them is no text.
    """
    if calling_code != NANP_CALLING_CODE:
        return None
    together = ",".join(texts)
    if together.count(",") == len(texts) - 1 and _ALL_PLAIN.fullmatch(together):
        return plain_nanp_keys(texts)
    return None


def read_in_any_code(text: str, default_calling_code: str) -> tuple[PhoneNumber, ...]:
    """
    Return every number that *text*, written without a calling code, may stand for.

    Whoever looks for a number and names no calling code must find it whatever code
    it is listed under: "not found" would be taken for "may be called". Raises
    NumberInvalid if it can be a number nowhere.
    """
    digits, international = _read_digits(text)
    if international:
        return (read(text, _leading_calling_code(digits)),)
    plans = numbering_plans.every()
    found = {
        PhoneNumber(code, digits)
        for code, plan in plans.items()
        if len(digits) in plan.lengths
    }
    spellings = [(text, default_calling_code)]
    spellings += [
        (text, code)
        for code, plan in plans.items()
        if plan.trunk_prefix and digits.startswith(plan.trunk_prefix)
    ]
    with suppress(NumberInvalid):
        spellings.append((f"+{digits}", _leading_calling_code(digits)))
    for spelling, code in spellings:
        with suppress(NumberInvalid):
            found.add(read(spelling, code))
    if not found:
        raise NumberInvalid
    return tuple(sorted(found))


def read_with_code(text: str, default_calling_code: str) -> PhoneNumber:
    """
    Return the number that *text* spells with its calling code, with ``+`` or without.

    What reads as no such number, and does not begin like one, is read within
    *default_calling_code*. Raises NumberInvalid where it may be two: without ``+`` a
    text that is possible either way stands for the number with its code only if that
    alone is assigned.
    """
    digits, international = _read_digits(text)
    whole = within = None
    with suppress(NumberInvalid):
        whole = read(f"+{digits}", _leading_calling_code(digits))
    cut_off = whole is None and digits.startswith(default_calling_code)
    if not international and not cut_off:
        with suppress(NumberInvalid):
            within = read(text, default_calling_code)
    found = whole or within
    if found is None:
        raise NumberInvalid
    if within not in {None, found} and (
        _is_assigned(within) or not _is_assigned(found)
    ):
        raise NumberInvalid
    return found


def may_have_gained_plus(number: PhoneNumber, default_calling_code: str) -> bool:
    """
    Whether somebody may have put a ``+`` before a number of *default_calling_code*.

    Nobody has *number*, as which it was read, and there its digits are a possible one.
    """
    return not _is_assigned(number) and may_be_national(number, default_calling_code)


def may_be_national(number: PhoneNumber, default_calling_code: str) -> bool:
    """Whether the digits of another country's *number* are possible in that of ours."""
    if number.calling_code == default_calling_code:
        return False
    with suppress(NumberInvalid):
        read(f"{number.calling_code}{number.national}", default_calling_code)
        return True
    return False


def is_whole(number: PhoneNumber) -> bool:
    """Whether no digits can be missing: it is assigned, or as long as its plan has."""
    plan = numbering_plans.every().get(number.calling_code)
    longest = max(plan.lengths, default=0) if plan else 0
    return len(number.national) >= longest or _is_assigned(number)


def _read_digits(text: str) -> tuple[str, bool]:
    """Return the digits, and whether they begin with a calling code for certain."""
    text = text.strip(" ")
    if len(text) > TEXT_LENGTH or _DECIMAL.fullmatch(text):
        raise NumberInvalid
    if not _SPELLING.fullmatch(text):
        raise NumberInvalid
    digits = text.translate(_FORMATTING)
    if text.startswith("+"):
        return digits, True
    if digits.startswith("00"):
        return digits.removeprefix("00"), True
    return digits, False


def _nanp_national(digits: str, international: bool) -> str:  # noqa: FBT001
    if len(digits) == _NANP_LENGTH + 1 and digits.startswith(NANP_CALLING_CODE):
        return digits[1:]
    if len(digits) == _NANP_LENGTH and not international:
        return digits
    raise NumberInvalid


def _leading_calling_code(digits: str) -> str:
    for length in (1, 2, 3):
        code = digits[:length]
        if code and numbering_plans.is_calling_code(code):
            return code
    raise NumberInvalid


def _is_assigned(number: PhoneNumber) -> bool:
    return numbering_plans.is_assigned(number.calling_code, number.national)
