"""What is derived from a key. No file, no database."""

import pytest

from app.domain.keys import Key

KEY = Key(bytes(range(32)))


def test_the_same_parts_always_give_the_same_bytes() -> None:
    assert KEY.derive("seal", 1, "a", b"b") == KEY.derive("seal", 1, "a", b"b")
    assert len(KEY.derive("seal")) == 32


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("seal", "ab", "c"), ("seal", "a", "bc"), id="where a part ends"),
        pytest.param(("seal", "a"), ("erasure", "a"), id="what for"),
        pytest.param(("seal", "a"), ("seal", "a", ""), id="how many"),
        pytest.param(("seal", 12, 3), ("seal", 1, 23), id="which numbers"),
    ],
)
def test_the_bytes_tell_apart(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert KEY.derive(*one) != KEY.derive(*other)


def test_another_key_derives_other_bytes_and_has_another_fingerprint() -> None:
    other = Key(bytes(32))

    assert KEY.derive("seal", 1) != other.derive("seal", 1)
    assert KEY.fingerprint != other.fingerprint


def test_a_key_shows_itself_nowhere() -> None:
    assert KEY.secret.hex() not in repr(KEY) + KEY.fingerprint
    assert repr(KEY.secret) not in repr(KEY)
