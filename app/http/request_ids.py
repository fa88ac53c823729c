"""Ids for requests that came without one, made many at a time."""

import os
import string

_LENGTH = 20
_AT_ONCE = 100
_LETTERS = bytes(string.ascii_lowercase.encode()[byte % 26] for byte in range(256))

_made: list[str] = []

# Two workers would else give the same ones.
os.register_at_fork(after_in_child=_made.clear)


def new() -> str:
    """Return an id of letters only, which no log mistakes for a phone number."""
    try:
        return _made.pop()
    except IndexError:
        letters = os.urandom(_LENGTH * _AT_ONCE).translate(_LETTERS).decode()
        starts = range(0, len(letters), _LENGTH)
        first, *others = [letters[start : start + _LENGTH] for start in starts]
        _made.extend(others)
        return first
