"""Published mistakes of JOSE libraries, each tried on the verifier: what is in the token.

Each test names the advisories it stands for; docs on them are public. A token that gets through any
of these is a forged one.
"""

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyturn import CredentialRefused, FixedKeys, InvalidToken, VerificationKey, Verifier, jwk
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    ED_KEY,
    ES256,
    ISSUER,
    NOW,
    OTHER_EC_KEY,
    RS256,
    RSA_KEY,
    START,
    b64,
    claims,
    good_token,
    header,
    jws,
    token_verifier,
)
from tests.keyturn.support import jwk as public_jwk

KEYS = FixedKeys(
    [
        VerificationKey.of("k1", EC_KEY.public_key()),
        VerificationKey.of("k3", RSA_KEY.public_key()),
    ]
)
BOTH = {"keys": KEYS, "algorithms": ("ES256", "RS256")}


class Unaskable:
    """A key source that must not be asked."""

    def get(self, kid):
        raise AssertionError(f"asked for {kid!r}")


def refused(token, **settings):
    with pytest.raises(InvalidToken) as caught:
        token_verifier(**settings).verify(token)
    return str(caught.value.reason)


# CVE-2015-9235 and its many successors: `none`, and every way to write it.
@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "nOnE", "none ", " none", "none\x00", "\x00", "null", "", None,
     "n\u043ene",
     "ES256 ", " ES256", "es256", "Es256", "ES256\x00", "ES256,none", ["none"], ["ES256"],
     {"a": 1}, 0, False],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("sign", [lambda m: b"", lambda m: b"x" * 64], ids=["unsigned", "noise"])
def test_none_and_its_spellings(alg, sign):
    token = jws(header(alg=alg), claims(), sign)
    assert refused(token, keys=Unaskable()) in ("unsupported_algorithm", "malformed")


def test_a_good_signature_does_not_excuse_another_alg():
    for alg in ("none", "HS256", "ES384", "es256"):
        assert refused(jws(header(alg=alg), claims())) == "unsupported_algorithm"


def encodings():
    """The public key in every form that somebody once took for a shared secret."""
    for name, key, kid in (("ec", EC_KEY, "k1"), ("rsa", RSA_KEY, "k3")):
        public = key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        members = public_jwk(key, kid)
        forms = {
            "pem": pem,
            "pem without its last line break": pem.rstrip(),
            "pem behind a blank": b" " + pem,
            "pem with crlf": pem.replace(b"\n", b"\r\n"),
            "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "openssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            "jwk": json.dumps(members).encode(),
            "jwk, compact": json.dumps(members, separators=(",", ":")).encode(),
            "jwks": json.dumps({"keys": [members]}).encode(),
            "coordinate": members.get("x", members.get("n")).encode(),
            "empty": b"",
        }
        if name == "ec":
            point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            forms |= {"point": point, "x and y": point[1:], "x": point[1:33]}
        else:
            forms["pkcs1"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
            numbers = public.public_numbers()
            forms["modulus"] = numbers.n.to_bytes(256, "big")
        for form, secret in forms.items():
            yield pytest.param(kid, secret, id=f"{name} as {form}")


# PyJWT CVE-2022-29217 and CVE-2026-48526, python-jose CVE-2024-33663, Authlib CVE-2024-37568,
# fast-jwt CVE-2023-48223, Keycloak CVE-2026-11800: the class comes back with another encoding.
@pytest.mark.parametrize(("kid", "secret"), list(encodings()))
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512", "ES256", "RS256"])
def test_a_public_key_is_no_shared_secret(kid, secret, alg):
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(alg, hashlib.sha256)
    token = jws(header(alg=alg, kid=kid), claims(), lambda m: hmac.new(secret, m, digest).digest())
    assert refused(token, **BOTH) in ("unsupported_algorithm", "bad_signature")


def test_there_is_no_symmetric_algorithm_to_choose():
    assert set(jwk._ALGORITHMS) == {"ES256", "EdDSA", "RS256"}
    for name in ("HS256", "HS384", "HS512", "none"):
        with pytest.raises(ValueError, match="algorithms"):
            token_verifier(algorithms=[name])


# PyJWT GHSA-jq35-7prp-9v3f (CVE-2026-48523): the key object decided, over the caller's list.
def test_header_key_and_list_must_agree():
    by_rsa = jws(header(alg="RS256", kid="k3"), claims(), lambda m: RS256.sign(m, RSA_KEY))
    assert token_verifier(**BOTH).verify(by_rsa)
    assert refused(by_rsa, keys=KEYS) == "unsupported_algorithm"
    # The right key under the other algorithm's name, both ways.
    ec_as_rsa = jws(header(alg="RS256", kid="k1"), claims())
    rsa_as_ec = jws(header(alg="ES256", kid="k3"), claims(), lambda m: RS256.sign(m, RSA_KEY))
    assert refused(ec_as_rsa, **BOTH) == "unsupported_algorithm"
    assert refused(rsa_as_ec, **BOTH) == "unsupported_algorithm"


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "HS256", "none", ""])
def test_a_key_cannot_be_mislabelled(alg):
    with pytest.raises(ValueError, match="not a public key for"):
        VerificationKey("k3", alg, RSA_KEY.public_key())


# CVE-2018-0114, Authlib CVE-2026-27962: the key came with the token.
@pytest.mark.parametrize("kid", ["k1", "mine", None])
@pytest.mark.parametrize(
    "embedded",
    [
        {"jwk": public_jwk(OTHER_EC_KEY, "mine")},
        {"jwk": public_jwk(OTHER_EC_KEY, "k1")},
        {"jwk": None},
        {"jku": "https://evil.example/jwks.json"},
        {"jku": f"{ISSUER}/redirect?to=https://evil.example"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": [base64.b64encode(b"certificate").decode()]},
        {"x5c": []},
    ],
    ids=str,
)
def test_a_key_is_never_taken_from_the_token(kid, embedded):
    head = {k: v for k, v in header(kid=kid).items() if v is not None} | embedded
    forged = jws(head, claims(), lambda m: ES256.sign(m, OTHER_EC_KEY))
    assert refused(forged, keys=Unaskable()) == "malformed"
    # And the mere presence is refused, even under a good signature.
    assert refused(jws(head, claims()), keys=Unaskable()) == "malformed"


def test_a_token_without_kid_does_not_try_the_keys_there_are():
    assert refused(jws(header(kid=None), claims()), keys=Unaskable()) == "malformed"


# Path traversal, SQL and shell in `kid`: it is a name to compare, nothing else.
@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "/dev/null", "file:///dev/null", "https://evil.example/key",
     "k1' OR '1'='1",
     "' UNION SELECT 'key", "k1;id", "|id", "$(id)", "k1\x00", "k1\n", "K1", " k1", "k1 ", "*",
     "%", "k1,k3",
     "__class__", "get", "\ud800", "k" * 100_000, "k" * 256],
    ids=lambda kid: repr(kid[:24]),
)  # fmt: skip
def test_a_kid_is_a_name(kid):
    for sign in (lambda m: hmac.new(b"", m, "sha256").digest(), lambda m: ES256.sign(m, EC_KEY)):
        token = jws(header(kid=kid), claims(), sign)
        assert refused(token) in ("unknown_key", "too_large", "malformed")


# Authlib CVE-2025-59420, PyJWT CVE-2026-32597, python-jose #413: an extension we do not have.
@pytest.mark.parametrize(
    "head",
    [
        {"crit": ["exp"], "exp": NOW}, {"crit": ["cnf"], "cnf": {}}, {"crit": []},
        {"crit": ["alg"]},
        {"crit": "exp"}, {"crit": None}, {"crit": {}}, {"crit": ["b64"], "b64": True},
    ],
    ids=str,
)  # fmt: skip
def test_any_crit_is_refused(head):
    assert refused(jws(header() | head, claims()), keys=Unaskable()) == "malformed"


# PyJWT PYSEC-2026-178: RFC 7797 §7 forbids unencoded payloads in a JWT.
@pytest.mark.parametrize("head", [{"b64": False, "crit": ["b64"]}, {"b64": False}, {"b64": True}])
def test_b64_is_refused(head):
    payload = json.dumps(claims(), separators=(",", ":"))
    assert refused(jws(header() | head, claims()), keys=Unaskable()) == "malformed"
    signed = f"{b64(json.dumps(header() | head).encode())}.{payload}"
    detached = f"{signed}.{b64(ES256.sign(signed.encode(), EC_KEY))}"
    assert refused(detached, keys=Unaskable()) == "malformed"


# python-jose CVE-2024-33664, jwcrypto CVE-2024-28102 and CVE-2023-6681, Authlib CVE-2025-62706 and
# CVE-2026-28490, jose CVE-2022-36083 and CVE-2024-28176: JWE, its compression, its keys.
@pytest.mark.parametrize(
    "head",
    [
        {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AAAA"},
        {"alg": "RSA1_5", "enc": "A128CBC-HS256"},
        {"alg": "RSA-OAEP", "enc": "A128GCM", "zip": "DEF"},
    ],
    ids=lambda head: head["alg"],
)
def test_encrypted_tokens_are_refused_by_counting_dots(head):
    five = ".".join(
        b64(part) for part in (json.dumps(head).encode(), b"k", b"iv", b"c" * 1000, b"t")
    )
    assert refused(five, keys=Unaskable()) == "malformed"
    # The same header in three parts.
    assert refused(jws(head | {"kid": "k1", "typ": "at+jwt"}, claims()), keys=Unaskable()) in (
        "malformed",
        "unsupported_algorithm",
    )


@pytest.mark.parametrize("head", [{"zip": "DEF"}, {"zip": None}, {"enc": "A256GCM"}], ids=str)
def test_a_signed_token_is_not_compressed(head):
    assert refused(jws(header() | head, claims()), keys=Unaskable()) == "malformed"


# Authlib CVE-2025-61920, PyJWT CVE-2026-48525: a header of 500 MB cost 4 GB and 9 s.
@pytest.mark.parametrize(
    "token",
    [
        "A" * 20_000_000 + ".e30.AA",
        "e30." + "A" * 20_000_000 + ".AA",
        "e30.e30." + "A" * 20_000_000,
        "." * 20_000_000,
        "e30." * 5_000_000,
    ],
    ids=["header", "payload", "signature", "dots", "parts"],
)
def test_oversized_tokens_are_refused_unread(token):
    assert refused(token, keys=Unaskable()) == "too_large"


def test_deep_and_wide_json_in_the_limit_is_refused_in_time():
    for head in (
        b"[" * 12_000,
        b'{"a":' * 2_400,
        b'{"alg":"ES256",' + b'"a":1,' * 1_900 + b'"a":1}',
    ):
        assert refused(f"{b64(head)}.e30.AA", keys=Unaskable()) in ("malformed", "too_large")


# python-jwt CVE-2022-39227, PHP GHSA-jc38-x7x8-2xc8: two parsers, two serialisations.
def test_json_serialisation_is_no_token():
    head, payload, signature = good_token().split(".")
    flattened = {"protected": head, "payload": payload, "signature": signature}
    general = {
        "payload": payload,
        "signatures": [{"protected": head, "header": {"alg": "none"}, "signature": signature}],
    }
    other = b64(json.dumps(claims(sub="admin")).encode())
    mixed = json.dumps({f"  {head}.{other}.": ""} | flattened)
    for text in (json.dumps(flattened), json.dumps(general), mixed):
        assert refused(text, keys=Unaskable()) == "malformed"
        with pytest.raises(CredentialRefused, match=r"malformed|not valid"):
            Verifier(ISSUER, AUDIENCE, keys=Unaskable()).verify(f"Bearer {text}")


def test_a_repeated_member_is_not_resolved_but_refused():
    for head in (
        b'{"alg":"ES256","alg":"none","typ":"at+jwt","kid":"k1"}',
        b'{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"k1"}',
        b'{"alg":"ES256","typ":"at+jwt","kid":"k1","\\u006bid":"k2"}',
    ):
        assert refused(jws(head, claims()), keys=Unaskable()) == "malformed"


# PyJWT CVE-2024-53861: the issuer was compared by containment.
@pytest.mark.parametrize(
    "iss",
    [ISSUER[:-1], ISSUER[:8], ISSUER + "x", ISSUER + "/", "x" + ISSUER, ISSUER.upper(),
    ISSUER + "\x00",
     ISSUER + " ", "https", "h", [ISSUER], [ISSUER, "https://evil.example"], {ISSUER: 1}, "", None],
    ids=repr,
)  # fmt: skip
def test_the_issuer_is_compared_by_equality(iss):
    assert refused(good_token(iss=iss)) in ("wrong_issuer", "malformed")


@pytest.mark.parametrize(
    "aud",
    [AUDIENCE[:-1], AUDIENCE + "/", AUDIENCE + ".evil.example", AUDIENCE.upper(), [AUDIENCE[:-1]],
     [[AUDIENCE]], {AUDIENCE: 1}, f"{AUDIENCE},x", "*", [], None],
    ids=repr,
)  # fmt: skip
def test_the_audience_is_compared_by_equality(aud):
    assert refused(good_token(aud=aud)) in ("wrong_audience", "malformed")


# fast-jwt GHSA-rp9m-7r4c-75qg: what one token left behind answered for another.
def test_nothing_of_one_token_answers_for_another():
    verifier = token_verifier()
    first, second = good_token(sub="a", client_id="a"), good_token(sub="b", client_id="b")
    for _ in range(3):
        assert verifier.verify(first).sub == "a"
        assert verifier.verify(second).sub == "b"
    head, _, signature = first.split(".")
    mixed = f"{head}.{second.split('.')[1]}.{signature}"
    with pytest.raises(InvalidToken) as caught:
        verifier.verify(mixed)
    assert caught.value.reason == "bad_signature"
    assert len(verifier._check._headers) == 1


def test_headers_of_forged_tokens_are_not_remembered():
    verifier = token_verifier()
    for n in range(500):
        forged = jws(header(n=n), claims(), lambda m: ES256.sign(m, OTHER_EC_KEY))
        with pytest.raises(InvalidToken):
            verifier.verify(forged)
    assert verifier._check._headers == {}


# ID tokens, proofs and assertions of the same issuer are signed with the same key.
@pytest.mark.parametrize(
    "typ", ["JWT", "dpop+jwt", "statuslist+jwt", "logout+jwt", "at+jwt2", "jwt", ""]
)
def test_another_kind_of_jwt_is_no_access_token(typ):
    assert refused(jws(header(typ=typ), claims())) in ("wrong_type", "malformed")


@pytest.mark.parametrize("r", [0, 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, 2**256 - 1])
def test_psychic_signatures(r, s):
    # CVE-2022-21449: a signature of zeros was right for every message and every key.
    token = jws(header(), claims(), lambda m: r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert refused(token) == "bad_signature"


def test_a_der_signature_is_no_jws_signature():
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    token = jws(header(), claims(), lambda m: EC_KEY.sign(m, ec.ECDSA(hashes.SHA256())))
    assert refused(token) == "bad_signature"


def test_a_private_key_is_no_verification_key():
    for key in (EC_KEY, ED_KEY, RSA_KEY):
        with pytest.raises(ValueError, match="not a public key"):
            VerificationKey.of("k1", key)
    assert START.timestamp() == NOW
