"""Which column of somebody's file is which, whatever they call it."""

import re
from collections.abc import Collection, Sequence

from app.domain.errors import FormatUnknown

PHONE_NUMBER = (
    "phonenumber",
    "phone",
    "number",
    "telephone",
    "telephonenumber",
    "phone1",
    "mobile",
    "mobilephone",
    "cell",
    "cellphone",
    "msisdn",
    "e164",
    "dncnumber",
)
PHONE_CODE = ("phonecode", "countrycode", "callingcode", "dialcode")
CAMPAIGN_ID = ("campaign_id",)
CAMPAIGN_UID = ("campaign_uid", "campaign_code")
PURPOSE = ("purpose",)
REASON = ("reason",)
INSERTED_AT = ("inserted_at", "insert_date")
EVIDENCE = ("evidence",)

# More are no list of numbers, and rows are filled up to them.
COLUMNS = 500

_DECORATION = re.compile(r"[^0-9a-z]+")


def find_column(header: Sequence[str], names: Collection[str]) -> int | None:
    """
    Return where in *header* the first of *names* stands that is there, or None.

    Neither case nor punctuation matters: ``Phone Number`` is ``phonenumber``.
    """
    plain = [_plain(name) for name in header]
    for name in names:
        if _plain(name) in plain:
            return plain.index(_plain(name))
    return None


def require_few(header: Sequence[str]) -> None:
    """Raise FormatUnknown for a header of more columns than any list has."""
    if len(header) > COLUMNS:
        message = f"the first row has more than {COLUMNS} columns"
        raise FormatUnknown(message)


def _plain(name: str) -> str:
    return _DECORATION.sub("", name.casefold())
