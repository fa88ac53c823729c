"""Ids, and parts of long answers, as the ``/v1`` paths name them."""

import re

from app.domain.entries import Page
from app.domain.errors import LimitInvalid, OffsetInvalid, Refused
from app.http.forms import Fields

LARGEST_OFFSET = 100_000
LARGEST_LIMIT = 1000

_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


def read_page(fields: Fields) -> Page:
    """Return which part of the answer is wanted; the first hundred by default."""
    return Page(
        offset=_read_number_up_to(
            fields.get("offset") or "0", 0, LARGEST_OFFSET, OffsetInvalid
        ),
        limit=_read_number_up_to(
            fields.get("limit") or "100", 1, LARGEST_LIMIT, LimitInvalid
        ),
    )


def read_id(text: str, refusal: type[Refused]) -> int:
    """Return the id that is written; raises *refusal* if none is."""
    if not _WHOLE_NUMBER.fullmatch(text):
        raise refusal
    return int(text)


def _read_number_up_to(
    text: str, smallest: int, largest: int, refusal: type[Refused]
) -> int:
    value = read_id(text, refusal)
    if not smallest <= value <= largest:
        raise refusal
    return value
