"""Networks and origins a key is bound to."""

import ipaddress

import pytest

from keyturn import RestrictionRefused, Restrictions


def allowed(restrictions, ip=None, origin=None, **settings):
    try:
        restrictions.check(ip, origin, **settings)
    except RestrictionRefused as refused:
        return str(refused.reason)
    return True


def test_what_a_refusal_says():
    # The key was right, so the cause may be named; no other credential would help from here.
    with pytest.raises(RestrictionRefused) as refused:
        Restrictions.of(["10.0.0.0/8"]).check("192.0.2.1", None)
    assert (refused.value.status, refused.value.code) == (403, "ip_not_allowed")
    assert refused.value.challenge == 'Bearer realm="api"'


@pytest.mark.row("S2-24")
@pytest.mark.parametrize(
    ("networks", "ip", "verdict"),
    [
        ([], None, True),
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", "ip_not_allowed"),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.7/24"], "192.0.2.255", True),  # host bits are forgiven
        (["192.0.2.0/24"], "192.0.3.0", "ip_not_allowed"),
        (["192.0.2.0/24"], "::ffff:192.0.2.9", True),
        (["2001:db8::/32"], "2001:db8:1::5", True),
        (["2001:db8::/32"], "2001:db9::5", "ip_not_allowed"),
        (["2001:db8::/32"], "192.0.2.1", "ip_not_allowed"),
        (["0.0.0.0/0"], "2001:db8::1", "ip_not_allowed"),
        (["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.1", True),
        (["10.0.0.0/8"], ipaddress.ip_address("10.9.9.9"), True),
        (["10.0.0.0/8"], None, "ip_not_allowed"),
        (["10.0.0.0/8"], "", "ip_not_allowed"),
        (["10.0.0.0/8"], "unix:", "ip_not_allowed"),
        (["10.0.0.0/8"], "10.0.0.1, 1.1.1.1", "ip_not_allowed"),
        (["10.0.0.0/8"], "010.0.0.1", "ip_not_allowed"),
        (
            ["nonsense"],
            "10.0.0.1",
            "ip_not_allowed",
        ),  # restricted, by something that matches nothing
        (["nonsense", "10.0.0.0/8"], "10.0.0.1", True),
    ],
)
def test_networks(networks, ip, verdict):
    assert allowed(Restrictions.of(allowed_ips=networks), ip=ip) == verdict


@pytest.mark.row("S2-25")
@pytest.mark.row("C-9")
@pytest.mark.parametrize(
    ("domains", "origin", "verdict"),
    [
        ([], "https://any.example", True),
        (["a.example"], "https://a.example", True),
        (["a.example"], "http://a.example:8080", True),
        (["A.Example."], "https://a.EXAMPLE", True),
        (["a.example"], "https://b.example", "origin_mismatch"),
        (["a.example"], "https://x.a.example", "origin_mismatch"),
        (["a.example"], "https://a.example.evil.example", "origin_mismatch"),
        (["a.example"], "https://evil-a.example", "origin_mismatch"),
        (["a.example"], "https://a.example@evil.example", "origin_mismatch"),
        (["a.example"], "https://evil.example/a.example", "origin_mismatch"),
        (["a.example"], "https://a.example/", "origin_mismatch"),  # an Origin has no path
        (["a.example"], "a.example", "origin_mismatch"),
        (["a.example"], "ftp://a.example", "origin_mismatch"),
        (["a.example"], "null", "origin_mismatch"),
        (["a.example"], "", "origin_mismatch"),
        (["a.example"], "https://a.example\n", "origin_mismatch"),
        (["a.example"], "https://" + "a" * 10_000, "origin_mismatch"),
        (["a.example"], None, "origin_mismatch"),
        (["*.a.example"], "https://x.a.example", True),
        (["*.a.example"], "https://x.y.a.example", True),
        (["*.a.example"], "https://a.example", "origin_mismatch"),
        (["*.a.example"], "https://xa.example", "origin_mismatch"),
        (["*.a.example"], "https://.a.example", "origin_mismatch"),
        (["*"], "https://a.example", "origin_mismatch"),
        (["b.example", "*.a.example"], "https://x.a.example", True),
        (["localhost"], "http://localhost:3000", True),
        (["[::1]"], "http://[::1]:3000", True),
    ],
)
def test_domains(domains, origin, verdict):
    assert allowed(Restrictions.of(allowed_domains=domains), origin=origin) == verdict


def test_servers_send_no_origin():
    bound = Restrictions.of(allowed_domains=["a.example"])
    assert allowed(bound, allow_missing_origin=True) is True
    for origin in ("", "null", "https://b.example"):
        assert allowed(bound, origin=origin, allow_missing_origin=True) == "origin_mismatch"


def test_both_must_hold():
    bound = Restrictions.of(["10.0.0.0/8"], ["a.example"])
    assert allowed(bound, "10.0.0.1", "https://a.example") is True
    assert allowed(bound, "11.0.0.1", "https://a.example") == "ip_not_allowed"
    assert allowed(bound, "10.0.0.1", "https://b.example") == "origin_mismatch"
