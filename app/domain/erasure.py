"""
What stands for a number that is forgotten while its suppression stays.

A keyed hash: whoever asks about the number finds the entry, and whoever has the
database alone, even with a list of all numbers, does not find the number. It is
negative, so that nothing takes it for one.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping

from app.domain.errors import ErasureKeyWrong, KeyRefused
from app.domain.keys import Key

# Stand-ins, with the number that is asked about under each.
Names = Mapping[int, int]

NO_NAMES: Names = {}


FindKey = Callable[[], Key | None]


class StandIns:
    """
    Those of one organisation's numbers; another's are unlike them.

    *in_use* is true once entries were found to be kept under them: what is asked from
    then on is asked by number and by stand-in at once.
    """

    def __init__(self, organisation_id: int, find_key: FindKey) -> None:
        """Make them with the key that *find_key* finds when it is first needed."""
        self._organisation_id = organisation_id
        self._find_key = find_key
        self._secret: bytes | None = None
        self._right_mark: str | None = None
        self.in_use = False

    @property
    def mark(self) -> str:
        """By what the database tells with which key they were made."""
        return hmac.digest(self._require(), b"mark", hashlib.sha256).hex()[:32]

    def of(self, e164: int) -> int:
        """Return what stands for a number; raises ErasureKeyWrong without a key."""
        digest = hmac.digest(self._require(), b"%d" % e164, hashlib.sha256)
        return -1 - (int.from_bytes(digest[:8]) >> 1)

    def names(self, e164s: Iterable[int]) -> Names | None:
        """Return the stand-ins of those numbers, or None while none is known of."""
        if not self.in_use:
            return None
        return {self.of(e164): e164 for e164 in e164s}

    def missed(self, mark: str | None, names: Names | None) -> bool:
        """
        Whether an answer is not whole: stand-ins are in use, and none was asked for.

        *mark* is what was read with it. Raises ErasureKeyWrong when the stand-ins were
        made with another key: no number can then be said to be callable.
        """
        if mark is None:
            return False
        if mark != self._right_mark:
            if mark != self.mark:
                # Whoever puts the right one back need not start anew.
                self._secret = self._right_mark = None
                raise ErasureKeyWrong
            self._right_mark = mark
            self.in_use = True
        return names is None

    def require_names(self, mark: str | None, e164s: Iterable[int]) -> Names:
        """Return the stand-ins to ask for in a snapshot that *mark* was read from."""
        if not self.missed(mark, None):
            return NO_NAMES
        return {self.of(e164): e164 for e164 in e164s}

    def _require(self) -> bytes:
        secret = self._secret
        if secret is None:
            try:
                key = self._find_key()
            except (KeyRefused, OSError) as error:
                raise ErasureKeyWrong from error
            if key is None:
                raise ErasureKeyWrong
            secret = key.derive("erasure", self._organisation_id)
            self._secret = secret
        return secret


class Pseudonyms:
    """The stand-ins of every organisation, made with the installation's key."""

    def __init__(self, find_key: FindKey) -> None:
        """Make them with the key that *find_key* finds when it is first needed."""
        self._find_key = find_key
        self._known: dict[int, StandIns] = {}

    def of(self, organisation_id: int) -> StandIns:
        """Return the stand-ins of that organisation."""
        known = self._known.get(organisation_id)
        if known is None:
            found = StandIns(organisation_id, self._find_key)
            known = self._known.setdefault(organisation_id, found)
        return known
