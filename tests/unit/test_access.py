"""Secrets: what one looks like, and what a mistyped one does not."""

import re

from hypothesis import given
from hypothesis import strategies as st

from app.domain.access import hash_secret, is_secret, new_secret


def test_a_secret_survives_urls_and_vicidial_s_cleaning():
    secret = new_secret()

    assert re.fullmatch(r"dncd_[0-9A-Za-z]{28}", secret)
    assert re.sub(r"[^-_0-9A-Za-z]", "", secret) == secret
    assert is_secret(secret)


def test_no_two_secrets_are_alike():
    assert len({hash_secret(new_secret()) for _ in range(1000)}) == 1000


@given(position=st.integers(5, 26), letter=st.sampled_from("0Aa9Zz"))
def test_a_mistyped_secret_is_recognised_without_a_database(position, letter):
    secret = "dncd_ZlCaWQN4KG3ryyxEGG8Cn4VGajc2"
    mistyped = secret[:position] + letter + secret[position + 1 :]

    assert is_secret(mistyped) is (mistyped == secret)


@given(st.text())
def test_no_other_text_is_taken_for_one(text):
    assert not is_secret(text)
    assert not is_secret("dncd_" + text)
