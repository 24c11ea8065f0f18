"""Several issuers and several audiences, and what must not be taken for one another."""

import json

import jwt
import pytest

from keyturn import DEFAULT_API_KEY, CredentialRefused, Verifier, unverified_issuer
from tests.keyturn.support import (
    AUDIENCE,
    ES256,
    OTHER_EC_KEY,
    START,
    FakeIssuer,
    Reply,
    claims,
    good_token,
    header,
    jwk,
    jws,
    running_issuer,
)

KEY = DEFAULT_API_KEY.generate("live")
METADATA, JWKS, LIST = FakeIssuer.METADATA, FakeIssuer.JWKS, FakeIssuer.LIST
UNAVAILABLE = (503, "unavailable")


def bearer(issuer, **changes):
    return f"Bearer {good_token(iss=issuer.url, **changes)}"


def refusal(verifier, presented):
    """(status, reason) of a refusal; None where it is let in."""
    try:
        verifier.verify(presented)
    except CredentialRefused as refused:
        return refused.status, refused.reason
    return None


# Mixed up -----------------------------------------------------------------------------------


@pytest.fixture
def other():
    """Another issuer, whose key has the same name."""
    with running_issuer() as running:
        running.keys = [jwk(OTHER_EC_KEY, "k1")]
        yield running


def by_other(members, head=None):
    signed = jws(head or header(), members, lambda text: ES256.sign(text, OTHER_EC_KEY))
    return f"Bearer {signed}"


def test_issuers_mixed_up(verifier_of, issuer, other):
    verifier = verifier_of()
    assert refusal(verifier, bearer(issuer)) is None
    assert refusal(verifier, by_other(claims(iss=other.url))) == (401, "bad_signature")
    assert refusal(verifier, by_other(claims(iss=issuer.url))) == (401, "bad_signature")
    assert refusal(verifier, bearer(other)) == (401, "wrong_issuer")
    # A list of the other one, named by a token of this one: it says nothing here.
    place = {"status_list": {"idx": 7, "uri": other.url + LIST}}
    listed = jwt.decode(other.status_list(iss=issuer.url), options={"verify_signature": False})
    signed = by_other(listed, header(typ="statuslist+jwt")).removeprefix("Bearer ")
    other.instead[LIST] = Reply(body=signed.encode())
    assert refusal(verifier, bearer(issuer, status=place)) == UNAVAILABLE
    # An answer about a key that is another issuer's.
    issuer.knows(KEY, iss=other.url)
    assert refusal(verifier, f"Bearer {KEY}") == (401, "wrong_issuer")


def test_metadata_that_was_swapped(verifier_of, issuer, other):
    """The other one's document in this one's place would have us believe the other one's keys."""
    issuer.instead[METADATA] = Reply(body=json.dumps(other.metadata()).encode())
    verifier = verifier_of()
    assert refusal(verifier, by_other(claims(iss=issuer.url))) == UNAVAILABLE
    assert other.hits[JWKS] == 0


# Side by side ---------------------------------------------------------------------------------


def test_several_issuers_of_one_api(issuer, other):
    """Each token goes to the verifier of its own issuer, which checks all of it."""
    verifiers = {
        one.url: Verifier(one.url, AUDIENCE, clock=lambda: START) for one in (issuer, other)
    }
    default = verifiers[issuer.url]

    def judged(presented):
        return refusal(verifiers.get(unverified_issuer(presented), default), presented)

    assert judged(bearer(issuer)) is None
    assert judged(by_other(claims(iss=other.url))) is None
    # Each says it is of the one and is signed by the other.
    assert judged(bearer(other)) == (401, "bad_signature")
    assert judged(by_other(claims(iss=issuer.url))) == (401, "bad_signature")
    assert judged(bearer(issuer) + "x") == (401, "bad_signature")
    assert judged("Bearer " + good_token(iss="https://nobody.example")) == (401, "wrong_issuer")
    # One that is away takes nothing from the other.
    other.down(JWKS)
    verifiers[other.url].close()
    verifiers[other.url] = Verifier(other.url, AUDIENCE, clock=lambda: START)
    assert judged(by_other(claims(iss=other.url))) == UNAVAILABLE
    assert judged(bearer(issuer)) is None
    for verifier in verifiers.values():
        verifier.close()


@pytest.mark.parametrize(
    "presented",
    [
        None, "", "Basic eDp5", "Bearer", "Bearer x", f"Bearer {KEY}", "Bearer a.b.c",
        "Bearer e30.e30.AA", "Bearer " + jws(header(), {"iss": ["a"]}), "Bearer " + "a." * 9_000,
        "Bearer " + jws(header(), b'{"iss": "a", "iss": "b"}'), "Bearer a.b.c.d.e",
    ],
    ids=range(12),
)  # fmt: skip
def test_what_names_no_issuer(presented):
    assert unverified_issuer(presented) == ""


def test_several_audiences(verifier_of, issuer):
    verifier = verifier_of(audience=[AUDIENCE, "https://old.example.com"])
    for aud in (AUDIENCE, "https://old.example.com", [AUDIENCE, "https://x.example"]):
        assert refusal(verifier, bearer(issuer, aud=aud)) is None
    for aud in ("https://x.example", ["https://x.example", AUDIENCE + "/"]):
        assert refusal(verifier, bearer(issuer, aud=aud)) == (401, "wrong_audience")
