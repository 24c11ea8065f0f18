"""Where a request comes from: the peer, unless a proxy that is trusted says otherwise."""

import httpx
import pytest

from app.settings import Settings
from app.web.origin import Proxies
from tests.support.installation import installed

LONG = "x" * 5000


def address(trusted, peer, forwarded=None):
    settings = Settings.from_env({"KEYTURN_TRUSTED_PROXIES": trusted} if trusted else {})
    environ = {"REMOTE_ADDR": peer}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    return Proxies(settings.trusted_proxies).client_address(environ)


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "found"),
    [
        # Nobody is trusted by default.
        ("", "203.0.113.9", None, "203.0.113.9"),
        ("", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("", "127.0.0.1", "198.51.100.1", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        # One trusted proxy: what it has seen, which it wrote last.
        ("10.0.0.0/8", "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", "1.1.1.1,2.2.2.2,198.51.100.1", "198.51.100.1"),
        # A chain of trusted ones: the rightmost that is none of them, never the leftmost.
        ("10.0.0.0/8", "10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.0/8 192.0.2.0/24", "10.0.0.1", "198.51.100.1, 192.0.2.7", "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.1"),
        # Nothing usable was written.
        ("10.0.0.0/8", "10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "1.1.1.1, _hidden", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "1.1.1.1, " + LONG, "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "fe80::1%" + LONG, "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", "198.51.100.1\n", "198.51.100.1"),
        # IPv6, and IPv4 as a socket that takes both shows it.
        ("2001:db8::/32", "2001:db8::1", "2001:db9::1", "2001:db9::1"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.0/8", "10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_address(trusted, peer, forwarded, found):
    assert address(trusted, peer, forwarded) == found


def test_what_a_client_forges_does_not_reach_the_events(server, installation):
    client = installation.client()
    headers = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.1"}
    data = {"grant_type": "client_credentials"}
    server.post("/oauth/token", data=data, auth=client, headers=headers)
    server.stop()
    found = installation.rows("SELECT * FROM audit_events WHERE actor_id = :id", id=client[0])
    assert [row.ip for row in found if row.type == "token.issued"] == ["127.0.0.1"]
    assert "198.51.100" not in str(found)


def test_what_a_trusted_proxy_says_does(tmp_path):
    with installed(tmp_path / "proxied", KEYTURN_TRUSTED_PROXIES="127.0.0.0/8") as installation:
        client = installation.client()
        transport = httpx.WSGITransport(installation.app, remote_addr="127.0.0.1")
        with httpx.Client(transport=transport, base_url="http://x") as http:
            http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=client,
                headers={"X-Forwarded-For": "1.1.1.1, 198.51.100.1"},
            )
        installation.services.shipper.ship_now()
        found = installation.rows("SELECT ip FROM audit_events WHERE type = 'token.issued'")
        assert [row.ip for row in found] == ["198.51.100.1"]
