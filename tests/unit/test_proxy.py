"""Where a request came from, whoever tells it."""

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.domain.access import login_key
from app.http.proxy import TrustedProxies, find_sender, read_address


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


@pytest.mark.parametrize("forwarded", [None, "", "192.0.2.7", "192.0.2.1, 192.0.2.7"])
@pytest.mark.parametrize("trusted", [{"127.0.0.1"}, {"*"}, {"192.0.2.9"}, set()])
def test_a_proxy_is_believed_alike_by_every_server(forwarded, trusted):
    heard = []

    def app(environ, start_response):
        heard.append(environ["REMOTE_ADDR"])
        start_response("200 OK", [])
        return []

    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    environ = EnvironBuilder(headers=headers).get_environ()
    run_wsgi_app(TrustedProxies(app, trusted), environ | {"REMOTE_ADDR": "127.0.0.1"})

    assert heard == [find_sender("127.0.0.1", forwarded, trusted)]
