"""The key in its file, and the database that knows it again."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.domain.errors import KeyRefused
from app.files import key_file
from app.services.keys import Keys
from app.store.database import Database


def test_the_first_start_makes_a_key_that_only_its_owner_reads(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "key"

    key = Keys(database, file).start()

    assert len(key.secret) == 32
    assert file.read_text() == key.secret.hex() + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert Keys(database, file).start() == key
    assert Keys(database, file).require() == key


def test_many_that_start_at_once_make_one_key(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "key"

    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(lambda _: Keys(database, file).start(), range(8)))

    assert len(set(keys)) == 1


def test_a_missing_key_is_refused_and_not_made_anew(
    database: Database, tmp_path: Path
) -> None:
    fingerprint = Keys(database, tmp_path / "key").start().fingerprint
    elsewhere = tmp_path / "elsewhere"

    with pytest.raises(KeyRefused, match=f"{fingerprint}.* is missing.*elsewhere"):
        Keys(database, elsewhere).start()

    assert not elsewhere.exists()


def test_another_key_is_refused(database: Database, tmp_path: Path) -> None:
    Keys(database, tmp_path / "key").start()
    other = key_file.find_or_make(tmp_path / "other")

    with pytest.raises(KeyRefused, match=other.fingerprint):
        Keys(database, tmp_path / "other").start()
    with pytest.raises(KeyRefused, match="belongs to the one"):
        Keys(database, tmp_path / "other").require()


def test_a_file_that_holds_no_key_is_refused(
    database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("not a key\n")

    with pytest.raises(KeyRefused, match="64 hexadecimal digits"):
        Keys(database, file).start()


def test_a_command_makes_no_key(database: Database, tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="dncd serve"):
        Keys(database, tmp_path / "key").require()

    assert not (tmp_path / "key").exists()
