"""Whose history is asked for, and what became of it, as the native dialect says it."""

from collections.abc import Sequence

from flask import Response

from app.domain import phone
from app.domain.access import Organisation
from app.domain.entries import Page
from app.domain.errors import EntryUnknown, IdInvalid, NumberInvalid, ParameterInvalid
from app.domain.history import Subject, Version
from app.http.envelope import write_json
from app.http.forms import Fields
from app.http.paging import read_id


def read_subject(fields: Fields, organisation: Organisation) -> Subject:
    """
    Return whose history is asked for: an entry's, or that of all of a number's.

    Raises NumberInvalid, CallingCodeInvalid, IdInvalid, and ParameterInvalid where
    both are named.
    """
    number, entry_id = fields.get("phone_number"), fields.get("id")
    if number and entry_id:
        raise ParameterInvalid("id and phone_number, of which one is needed")
    if entry_id:
        return Subject(entry_id=read_id(entry_id, IdInvalid))
    if not number:
        raise NumberInvalid
    if code := fields.get("phone_code"):
        return Subject(numbers=(phone.read(number, phone.read_calling_code(code)),))
    return Subject(
        numbers=phone.read_in_any_code(number, organisation.default_phone_code)
    )


def read_entry_id(fields: Fields) -> int:
    """Return which entry is to be restored; raises EntryUnknown."""
    return read_id(fields["id"], EntryUnknown)


def write_history(page: Page, total: int, versions: Sequence[Version]) -> Response:
    """Answer a page of versions, oldest first, and how many there are in all."""
    data = {
        "offset": page.offset,
        "limit": page.limit,
        "total": total,
        "versions": [_version(version) for version in versions],
    }
    return write_json({"success": True, "data": data})


def write_restored(entry_id: int) -> Response:
    """Answer that it is done, and the id of the entry that is listed again."""
    return write_json({"success": True, "id": entry_id})


def _version(version: Version) -> dict[str, object]:
    made, ended = version.made_by, version.ended_by
    return {
        **version.as_members(),
        "made_by": made and made.as_members(),
        "ended_by": ended and ended.as_members(),
    }
