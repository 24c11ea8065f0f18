"""Credentials in URLs and over plain HTTP are refused, and the issuer is told."""

import pytest
from flask import Flask, jsonify

from keyturn import (
    BASE36,
    DEFAULT_API_KEY,
    CredentialExposed,
    CredentialMissing,
    KeyTemplate,
    Proxies,
    Verifier,
)
from keyturn.exposure import MAX_PARTS, credential_in_url
from keyturn.flask import register_refusals, require_scope
from tests.keyturn.support import AUDIENCE, FakeIssuer, good_token, running_issuer

KEY = DEFAULT_API_KEY.generate("live")
LOCAL = KeyTemplate(prefix="el", alphabet=BASE36, checksum_length=4)
LOCAL_KEY = LOCAL.generate("test")
BARE = KeyTemplate(prefix="", environments=(), checksum="none")
TOKEN = good_token()


@pytest.mark.row("S2-22")
@pytest.mark.parametrize(("url", "found"), [
    ("/bookings", None),
    ("/bookings?page=2&sort=name", None),
    (f"/bookings?api_key={KEY}", KEY),
    (f"/bookings?a=1&a={KEY}&b=2", KEY),
    (f"/bookings?x={KEY.replace('_', '%5F')}", KEY),
    (f"/bookings?key={LOCAL_KEY}", LOCAL_KEY),
    (f"/bookings?access_token={TOKEN}", TOKEN),
    (f"/keys/{KEY}", KEY),
    (f"/bookings?q=kt_live_{'x' * 20}", None),
    (f"/bookings?q={KEY[:-1]}", None),
    (f"/bookings?q=the+{KEY}", None),
    (f"/bookings?cursor={BARE.generate()}", None),
    ("/bookings?" + "a=1&" * (MAX_PARTS + 1) + f"k={KEY}", None),
    ("/" * 100_000, None),
    ("/bookings?%ff=%ff&=&&", None),
    ("", None),
], ids=range(16))  # fmt: skip
def test_what_is_a_credential_in_a_url(url, found):
    assert credential_in_url(url, [DEFAULT_API_KEY, LOCAL, BARE]) == found


@pytest.mark.row("S2-21")
@pytest.mark.parametrize(("peer", "scheme", "forwarded", "secure"), [
    ("203.0.113.9", "https", "", True),
    ("203.0.113.9", "http", "", False),
    ("203.0.113.9", "http", "https", False),
    ("203.0.113.9", "https", "http", True),
    ("10.0.0.1", "http", "https", True),
    ("10.0.0.1", "http", "HTTPS", True),
    ("10.0.0.1", "https", "http", False),
    ("10.0.0.1", "http", "http, https", True),
    ("10.0.0.1", "http", "https, http", False),
    ("10.0.0.1", "http", "", False),
    ("::ffff:10.0.0.1", "http", "https", True),
    (None, "http", "https", False),
    ("unix:", "http", "https", False),
])  # fmt: skip
def test_whether_a_request_came_by_https(peer, scheme, forwarded, secure):
    assert Proxies.of(["10.0.0.0/8"]).is_secure(peer, scheme, forwarded) is secure


@pytest.fixture
def issuer():
    with running_issuer() as running:
        running.knows(KEY)
        yield running


@pytest.fixture
def verifier(issuer):
    made = Verifier(issuer.url, AUDIENCE, "api", "secret")
    yield made
    made.close()


def told(issuer):
    return [(form["token"][0], form["exposed"][0]) for _, form in issuer.asked if "exposed" in form]


@pytest.mark.parametrize(("request_", "reason"), [
    ({"url": f"/?k={KEY}"}, "in_query"),
    ({"url": f"/?k={KEY}", "authorization": f"Bearer {TOKEN}"}, "in_query"),
    ({"url": f"/?k={KEY}", "is_secure": False}, "in_query"),
    ({"authorization": f"Bearer {KEY}", "is_secure": False}, "insecure_transport"),
])  # fmt: skip
def test_an_exposed_key_is_refused_and_its_issuer_told_once(issuer, verifier, request_, reason):
    for _ in range(3):
        with pytest.raises(CredentialExposed) as refused:
            verifier.verify(**({"authorization": None} | request_))
        assert (refused.value.reason, refused.value.code) == (reason, reason)
        assert refused.value.status == 401
        assert KEY not in f"{refused.value!r} {refused.value.detail} {refused.value.challenge}"
    assert told(issuer) == [(KEY, reason)]


def test_what_is_no_key_of_ours_is_told_to_nobody(issuer, verifier):
    for request_ in ({"url": f"/?t={TOKEN}"}, {"url": "", "is_secure": False}):
        with pytest.raises(CredentialExposed):
            verifier.verify(f"Bearer {TOKEN}", **request_)
    with pytest.raises(CredentialMissing):
        verifier.verify(None, is_secure=False)
    assert not issuer.asked


def test_an_issuer_that_is_away_changes_nothing(issuer, verifier):
    issuer.down(FakeIssuer.INTROSPECT)
    with pytest.raises(CredentialExposed):
        verifier.verify(None, url=f"/?k={KEY}")


def guarded(verifier, **settings):
    app = Flask("bookings")
    register_refusals(app)

    @app.get("/bookings")
    @require_scope(verifier, "bookings:read", **settings)
    def bookings():
        return jsonify([])

    return app.test_client()


@pytest.mark.row("S0-2", "S2-21", "S2-22")
def test_the_guard_looks_at_url_and_scheme(issuer, verifier):
    bearer = {"Authorization": f"Bearer {KEY}"}
    plain = guarded(verifier)
    assert plain.get("/bookings", headers=bearer).status_code == 200
    refused = plain.get(f"/bookings?key={KEY}")
    assert (refused.status_code, KEY in refused.text) == (401, False)
    behind = guarded(verifier, proxies=Proxies.of(["127.0.0.1"]))
    for forwarded, status in (("https", 200), ("http", 401), (None, 401)):
        headers = bearer | ({"X-Forwarded-Proto": forwarded} if forwarded else {})
        assert behind.get("/bookings", headers=headers).status_code == status
    direct = guarded(verifier, proxies=Proxies())
    assert direct.get("/bookings", headers=bearer, base_url="https://x").status_code == 200
    forged = bearer | {"X-Forwarded-Proto": "https"}
    assert direct.get("/bookings", headers=forged).status_code == 401


@pytest.mark.row("S2-24")
def test_the_guard_takes_addresses_from_the_proxies_it_was_told(issuer, verifier):
    issuer.knows(KEY, allowed_ips=["198.51.100.0/24"])
    headers = {"Authorization": f"Bearer {KEY}", "X-Forwarded-Proto": "https"}
    behind = guarded(verifier, proxies=Proxies.of(["127.0.0.1"]))
    for forwarded, status in (
        ("198.51.100.7", 200),
        ("203.0.113.9, 198.51.100.7", 200),
        ("198.51.100.7, 203.0.113.9", 403),
        ("", 403),
    ):
        sent = headers | {"X-Forwarded-For": forwarded}
        assert behind.get("/bookings", headers=sent).status_code == status
    forged = headers | {"X-Forwarded-For": "198.51.100.7"}
    assert guarded(verifier).get("/bookings", headers=forged).status_code == 403


@pytest.mark.row("S1-5", "C-9")
@pytest.mark.parametrize(("answer", "origin", "status"), [
    ({"missing_origin": "allow"}, None, 200),
    ({"missing_origin": "deny"}, None, 403),
    ({}, None, 403),
    ({"missing_origin": "allow", "kind": "publishable"}, "https://a.example", 200),
    ({"missing_origin": "allow"}, "https://b.example", 403),
    ({"missing_origin": "allow"}, "null", 403),
])  # fmt: skip
def test_a_key_says_what_it_does_without_an_origin(issuer, verifier, answer, origin, status):
    issuer.knows(KEY, allowed_domains=["a.example"], **answer)
    headers = {"Authorization": f"Bearer {KEY}"} | ({"Origin": origin} if origin else {})
    assert guarded(verifier).get("/bookings", headers=headers).status_code == status
