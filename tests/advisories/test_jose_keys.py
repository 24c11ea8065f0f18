"""Published mistakes of JOSE libraries, each tried on the verifier: where keys come from."""

import json

import pytest

from keyturn import InvalidToken, JwksUrl, TokenVerifier, Verifier, VerifierUnavailable
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    ES256,
    OTHER_EC_KEY,
    FakeIssuer,
    Reply,
    Time,
    claims,
    header,
    jwk,
    jws,
    running_issuer,
)

JWKS = FakeIssuer.JWKS


@pytest.fixture
def issuer():
    with running_issuer() as running:
        yield running


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def verifier(issuer, time):
    keys = JwksUrl(issuer.url + JWKS, monotonic=time.monotonic)
    return TokenVerifier(issuer=issuer.url, audience=AUDIENCE, keys=keys, clock=time.now)


def token(issuer, kid="k1", key=EC_KEY):
    return jws(header(kid=kid), claims(iss=issuer.url), lambda m: ES256.sign(m, key))


# PyJWT PYSEC-2026-177: every unknown kid was a request to the issuer.
def test_a_flood_of_unknown_kids_is_not_a_flood_of_requests(issuer, verifier, time):
    verifier.verify(token(issuer))
    for second in range(90):
        for n in range(20):
            with pytest.raises(InvalidToken) as refused:
                verifier.verify(token(issuer, kid=f"forged-{second}-{n}", key=OTHER_EC_KEY))
            assert refused.value.reason == "unknown_key"
        time.advance(1)
    assert issuer.hits[JWKS] <= 1 + 90 // 30


# fastapi-zitadel-auth #156: a random kid emptied the cache of the good ones.
def test_a_flood_of_unknown_kids_leaves_the_good_keys(issuer, verifier, time):
    verifier.verify(token(issuer))
    issuer.down(JWKS)
    time.advance(31)
    for n in range(50):
        with pytest.raises((InvalidToken, VerifierUnavailable)):
            verifier.verify(token(issuer, kid=f"forged-{n}"))
        assert verifier.verify(token(issuer))
    assert issuer.hits[JWKS] == 2


# PyJWT, the advisory fixed in 2.13; gravitino #12531: one failure emptied the cache for everybody.
@pytest.mark.parametrize(
    "reply",
    [Reply(500), Reply(404), Reply(200, b""), Reply(200, b"null"), Reply(200, b'{"keys": []}')],
    ids=lambda reply: f"{reply.status} {reply.body!r}",
)
def test_a_failed_fetch_does_not_empty_the_cache(issuer, verifier, time, reply):
    verifier.verify(token(issuer))
    issuer.instead[JWKS] = reply
    for _ in range(5):
        # Inside the lifetime of a token, which is 15 minutes.
        time.advance(170)
        assert verifier.verify(token(issuer))
    assert issuer.hits[JWKS] >= 3


# PyJWT CVE-2026-48522: file://, ftp:// and data: were opened.
@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "FILE:///etc/passwd", "file://localhost/etc/passwd",
     "ftp://127.0.0.1/jwks",
     'data:application/json,{"keys":[]}', "http://keys.example/jwks", "jar:https://a.example!/x",
     "/etc/passwd",
     "https:///jwks", "https://a.example@/", " https://a.example/jwks",
     "https://a.example/jwks\r\nX: y"],
)  # fmt: skip
def test_keys_come_by_https_only(issuer, address):
    with pytest.raises(ValueError, match="not an https URL"):
        JwksUrl(address)
    with pytest.raises(ValueError, match="not an https URL"):
        Verifier("https://auth.example.com", AUDIENCE, jwks_uri=address)
    # And by the issuer's metadata no more than by our own settings.
    document = issuer.metadata() | {"jwks_uri": address}
    issuer.instead[FakeIssuer.METADATA] = Reply(body=json.dumps(document).encode())
    with pytest.raises(VerifierUnavailable):
        JwksUrl.of_issuer(issuer.url).get("k1")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["file:///etc/passwd", "http://169.254.169.254/", "{}/moved"])
def test_a_redirect_is_not_followed(issuer, verifier, status, place):
    issuer.instead[JWKS] = Reply(status, b"", {"Location": place.format(issuer.url)})
    with pytest.raises(VerifierUnavailable):
        verifier.verify(token(issuer))
    assert issuer.hits["/moved"] == 0


# A published secret or private key must not begin to verify.
def test_symmetric_and_private_keys_in_a_set_are_skipped(issuer, verifier):
    private = ES256.to_jwk(EC_KEY, as_dict=True) | {"kid": "k1", "alg": "ES256"}
    issuer.keys = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k1", "alg": "HS256"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k1", "alg": "ES256"},
        private,
        jwk(OTHER_EC_KEY, "k9"),
    ]
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token(issuer))
    assert refused.value.reason == "unknown_key"


# An issuer mix-up: the keys of one, the name of another.
def test_metadata_that_names_another_issuer_is_not_used(issuer):
    document = issuer.metadata() | {"issuer": "https://auth.example.com"}
    issuer.instead[FakeIssuer.METADATA] = Reply(body=json.dumps(document).encode())
    verifier = Verifier(issuer.url, AUDIENCE)
    with pytest.raises(VerifierUnavailable):
        verifier.verify(f"Bearer {token(issuer)}")
    assert issuer.hits[JWKS] == 0
    verifier.close()
