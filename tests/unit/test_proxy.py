"""Where a request came from, whoever tells it."""

import pytest

from app.domain.access import login_key
from app.http.proxy import read_address


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:5678", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:5678", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("nobody", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_read_however_it_is_told(told, address):
    assert read_address(told) == address


def test_whoever_comes_by_ipv4_is_told_apart_also_where_both_families_listen():
    one, other = (read_address(f"::ffff:192.0.2.{n}") for n in (7, 8))

    assert login_key("6666", one) != login_key("6666", other)
