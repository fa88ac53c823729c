"""Whether the key at hand is the one that belongs to the database."""

from pathlib import Path

from app.domain.errors import KeyRefused
from app.domain.keys import Key
from app.files import key_file
from app.store import installation
from app.store.database import Database
from app.store.roles import Scope


class Keys:
    """The key of this installation, from its file."""

    def __init__(self, database: Database, file: Path) -> None:
        """Take the key in *file* for the one of *database*."""
        self._database = database
        self._file = file

    def start(self) -> Key:
        """
        Return the key; make it and its file if the database was never given one.

        Raises KeyRefused when it is another key than the database's, or missing.
        """
        with self._database.transaction(Scope()) as tx:
            installation.lock(tx)
            expected = installation.find_fingerprint(tx)
            if expected is None:
                key = key_file.find_or_make(self._file)
                installation.record(tx, key.fingerprint)
                return key
        return self._checked(expected)

    def find(self) -> Key | None:
        """Return what the file holds, or None; whose key it is, it does not tell."""
        return key_file.find(self._file)

    def require(self) -> Key:
        """Return the key; raises KeyRefused when it is missing or another one."""
        expected = installation.find_fingerprint(self._database.within(Scope()))
        if expected is None:
            message = "this database was never given a key: `dncd serve` makes it"
            raise KeyRefused(message)
        return self._checked(expected)

    def _checked(self, expected: str) -> Key:
        key = key_file.find(self._file)
        if key is None:
            message = (
                f"the key of this database (fingerprint {expected}) is missing: "
                f"put the file back to {self._file}, from its backup or from another "
                "host of this service, or name it by DNCD_KEY_FILE"
            )
            raise KeyRefused(message)
        if key.fingerprint != expected:
            message = (
                f"{self._file} holds the key with fingerprint {key.fingerprint}, and "
                f"this database belongs to the one with fingerprint {expected}: "
                "put that one there, or name its file by DNCD_KEY_FILE"
            )
            raise KeyRefused(message)
        return key
