"""Tokens offline: what is accepted, and for what reason everything else is not."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from keyturn import (
    UNSAFE_ANY_AUDIENCE,
    FixedKeys,
    InvalidToken,
    JwksUrl,
    TokenVerifier,
    VerificationKey,
    VerifierUnavailable,
)
from keyturn.verify import MAX_TOKEN_LENGTH
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    ED_KEY,
    EDDSA,
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


def reason_of(token, **settings):
    with pytest.raises(InvalidToken) as refused:
        token_verifier(**settings).verify(token)
    # One text for all: what differs is for the log.
    assert refused.value.description == "The credential is not valid"
    assert refused.value.status == 401
    assert 'error="invalid_token"' in refused.value.challenge
    return refused.value.reason


@pytest.mark.rfc("9068", "4")
def test_a_good_token():
    found = token_verifier().verify(good_token())
    assert (found.iss, found.sub, found.client_id) == (ISSUER, "client_1", "client_1")
    assert (found.aud, found.exp, found.iat, found.jti) == ((AUDIENCE,), NOW + 900, NOW, "token_1")
    assert (str(found.scope), found.org, found.env) == (
        "bookings:read bookings:write",
        "org_1",
        "live",
    )
    assert found.raw["scope"] == "bookings:read bookings:write"
    assert "raw" not in repr(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCE]},
        {"aud": ["https://other.example", AUDIENCE]},
        {"scope": None},
        {"scope": ""},
        {"org": None, "env": None},
        {"exp": NOW + 0.5},
        {"nbf": NOW},
        {"nbf": NOW + 10},  # within the leeway
        {"exp": NOW - 9},
        {"iat": NOW + 3600},  # a clock that is ahead is no reason: that is what nbf is for
        {"status": {"status_list": {"idx": 1, "uri": "https://a.example/1"}}},
        {"cnf": {"jkt": "x"}},
        {"anything": [1, {"else": None}]},
    ],
    ids=str,
)
def test_good_variations(changes):
    assert token_verifier().verify(good_token(**changes)).sub == "client_1"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_the_type_of_an_access_token_in_any_case(typ):
    assert token_verifier().verify(jws(header(typ=typ), claims()))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://auth.example.com/"}, "wrong_issuer"),
        ({"iss": "https://auth.example.co"}, "wrong_issuer"),
        ({"iss": "https://auth.example.com.evil.example"}, "wrong_issuer"),
        ({"iss": "HTTPS://auth.example.com"}, "wrong_issuer"),
        ({"aud": "https://api.example.com/"}, "wrong_audience"),
        ({"aud": "https://api.example.co"}, "wrong_audience"),
        ({"aud": ["https://api.example.com.evil.example"]}, "wrong_audience"),
        ({"aud": f"{AUDIENCE} https://x.example"}, "wrong_audience"),
        ({"exp": NOW - 10}, "expired"),
        ({"exp": 0}, "expired"),
        ({"nbf": NOW + 11}, "not_yet_valid"),
    ],
    ids=str,
)
def test_claims_are_compared_by_equality(changes, reason):
    assert reason_of(good_token(**changes)) == reason


REQUIRED = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]


@pytest.mark.rfc("9068", "2.2")
@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in REQUIRED),
        *({name: ""} for name in REQUIRED),
        *({name: {"a": 1}} for name in REQUIRED),
        {"exp": True}, {"exp": str(NOW + 900)}, {"exp": -1}, {"exp": 1e300}, {"exp": 10**4000},
        {"iat": False}, {"nbf": "0"}, {"sub": 7}, {"aud": 7}, {"aud": []}, {"aud": [AUDIENCE, 7]},
        {"scope": ["a"]}, {"scope": "a  b"}, {"scope": 'a"b'}, {"scope": "a" * 5000}, {"org": 7},
        {"env": ["live"]}, {"cnf": "x"}, {"status": []}, {"client_id": True},
    ],
    ids=lambda changes: str(changes)[:40],
)  # fmt: skip
def test_types_are_strict(changes):
    payload = claims() | {k: v for k, v in changes.items() if v is not None}
    for name, value in changes.items():
        if value is None:
            del payload[name]
    assert reason_of(jws(header(), payload)) in ("malformed", "wrong_audience")
    if changes not in ({"aud": ""},):
        assert reason_of(jws(header(), payload)) == "malformed"


def test_null_is_not_absence():
    for name in ("org", "env", "nbf", "cnf", "status", "scope"):
        assert reason_of(jws(header(), json.dumps(claims() | {name: None}).encode())) == "malformed"


BODY = json.dumps(claims()).encode()


@pytest.mark.parametrize(
    "payload",
    [
        BODY[:-1] + b', "sub": "admin"}',
        BODY.replace(b'"org_1"', b"NaN"),
        BODY.replace(b'"org_1"', b"Infinity"),
        BODY.decode().encode("utf-16"),
        BODY.decode().encode("utf-32"),
        b"\xef\xbb\xbf" + BODY,
        BODY + b"x",
        BODY + BODY,
        BODY.replace(b"org_1", b"\xff"),
        b"",
        b"null",
        b"[]",
        b'"sub"',
        b"[" * 10_000,
        b'{"a":' * 2_000,
        BODY[:-1],
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_signed_payload_has_one_meaning_or_none(payload):
    assert reason_of(jws(header(), payload)) == "malformed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"typ": "JWT"}, "wrong_type"),
        ({"typ": "dpop+jwt"}, "wrong_type"),
        ({"typ": "at+jwt "}, "wrong_type"),
        ({"typ": None}, "malformed"),
        ({"typ": ["at+jwt"]}, "malformed"),
        ({"alg": None}, "malformed"),
        ({"alg": ["ES256"]}, "malformed"),
        ({"alg": "RS256"}, "unsupported_algorithm"),
        ({"alg": "ES384"}, "unsupported_algorithm"),
        ({"kid": None}, "malformed"),
        ({"kid": 1}, "malformed"),
        ({"kid": ""}, "malformed"),
        ({"kid": "k" * 257}, "malformed"),
        ({"kid": "k2"}, "unknown_key"),
        ({"kid": "K1"}, "unknown_key"),
        ({"kid": "k1 "}, "unknown_key"),
    ],
    ids=str,
)
def test_headers(changes, reason):
    assert reason_of(jws(header(**changes), claims())) == reason


def test_an_unknown_header_parameter_is_ignored():
    # RFC 7515 §4: what is not understood and not in crit must be ignored.
    token = jws(header(x5t="AAAA", cty="x", custom=1), claims())
    assert token_verifier().verify(token)


def test_signatures():
    token = good_token()
    head, payload, signature = token.split(".")
    assert (
        reason_of(f"{head}.{b64(json.dumps(claims(sub='x')).encode())}.{signature}")
        == "bad_signature"
    )
    assert reason_of(f"{head}.{payload}.") == "bad_signature"
    assert reason_of(f"{head}.{payload}.{b64(bytes(64))}") == "bad_signature"
    assert reason_of(f"{head}.{payload}.{b64(bytes(63))}") == "bad_signature"
    assert reason_of(f"{head}.{payload}.{b64(b'0' * 4000)}") == "bad_signature"
    other = FixedKeys([VerificationKey.of("k1", OTHER_EC_KEY.public_key())])
    assert reason_of(token, keys=other) == "bad_signature"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: "",
        lambda t: ".",
        lambda t: "..",
        lambda t: "...",
        lambda t: t + ".",
        lambda t: "." + t,
        lambda t: t + "=",
        lambda t: t + "\n",
        lambda t: t + " ",
        lambda t: " " + t,
        lambda t: t.replace(".", " ."),
        lambda t: t.replace(".", "\u3002"),
        lambda t: t.replace("e", "\u0435"),
        lambda t: t[:10] + "\x00" + t[10:],
        lambda t: t[:10] + "+/" + t[12:],
        lambda t: t[:10] + "==" + t[12:],
        lambda t: t.split(".")[0] + "." + t.split(".")[1],
        lambda t: t.split(".")[0] + "a" * (5 - len(t.split(".")[0]) % 4) + t,
    ],
)
def test_the_compact_form_is_exact(spoil):
    token = good_token()
    assert token_verifier().verify(token)
    assert reason_of(spoil(token)) in ("malformed", "bad_signature")


@pytest.mark.parametrize("length", [MAX_TOKEN_LENGTH + 1, 10_000_000])
def test_a_long_token_is_refused_unread(length):
    assert reason_of("a" * length) == "too_large"
    assert reason_of("e30." + "a" * length + ".a") == "too_large"


def test_a_token_of_just_that_length_is_read():
    room = MAX_TOKEN_LENGTH - len(good_token(pad=""))
    token = good_token(pad="x" * (room * 3 // 4 - 4))
    assert MAX_TOKEN_LENGTH - 10 < len(token) <= MAX_TOKEN_LENGTH
    assert token_verifier().verify(token)


ALL_KEYS = FixedKeys(
    [
        VerificationKey.of("k1", EC_KEY.public_key()),
        VerificationKey.of("k2", ED_KEY.public_key()),
        VerificationKey.of("k3", RSA_KEY.public_key()),
    ]
)
SIGNED = {
    "EdDSA": jws(header(alg="EdDSA", kid="k2"), claims(), lambda m: EDDSA.sign(m, ED_KEY)),
    "RS256": jws(header(alg="RS256", kid="k3"), claims(), lambda m: RS256.sign(m, RSA_KEY)),
    "ES256": good_token(),
}


@pytest.mark.row("C-11")
@pytest.mark.parametrize("algorithm", SIGNED)
def test_algorithms_are_chosen_by_us(algorithm):
    token = SIGNED[algorithm]
    assert token_verifier(keys=ALL_KEYS, algorithms=[algorithm]).verify(token)
    others = [name for name in SIGNED if name != algorithm]
    assert reason_of(token, keys=ALL_KEYS, algorithms=others) == "unsupported_algorithm"
    damaged = token[:-8] + "AAAAAAAA"
    assert reason_of(damaged, keys=ALL_KEYS, algorithms=[algorithm]) == "bad_signature"


def test_a_header_that_was_confirmed_is_not_believed_for_another_key():
    # The parsed header is remembered; the key is asked for every time.
    keys = {"k1": VerificationKey.of("k1", EC_KEY.public_key())}
    verifier = token_verifier(keys=type("Changing", (), {"get": keys.get}))
    token = good_token()
    assert verifier.verify(token)
    assert verifier.verify(token)
    keys["k1"] = VerificationKey.of("k1", OTHER_EC_KEY.public_key())
    with pytest.raises(InvalidToken, match="not valid") as refused:
        verifier.verify(token)
    assert refused.value.reason == "bad_signature"
    del keys["k1"]
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token)
    assert refused.value.reason == "unknown_key"


def test_leeway_is_for_both_ends_and_bounded():
    strict = token_verifier(leeway=timedelta(0))
    assert strict.verify(good_token(exp=NOW + 1, nbf=NOW))
    assert reason_of(good_token(exp=NOW), leeway=timedelta(0)) == "expired"
    assert reason_of(good_token(nbf=NOW + 1), leeway=timedelta(0)) == "not_yet_valid"
    for leeway in (timedelta(seconds=-1), timedelta(minutes=6)):
        with pytest.raises(ValueError, match="leeway"):
            token_verifier(leeway=leeway)


def test_the_clock_is_the_one_given():
    late = datetime.fromtimestamp(NOW + 911, UTC)
    assert reason_of(good_token(), clock=lambda: late) == "expired"
    assert token_verifier(clock=lambda: late - timedelta(seconds=2)).verify(good_token())


@pytest.mark.parametrize(
    "settings",
    [
        {"issuer": ""}, {"audience": ""}, {"audience": []}, {"audience": [AUDIENCE, ""]},
        {"algorithms": []}, {"algorithms": ["HS256"]}, {"algorithms": ["none"]},
        {"algorithms": ["ES256", "HS512"]}, {"algorithms": "ES256"}, {"algorithms": ["es256"]},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        token_verifier(**settings)


def test_several_audiences_and_none():
    several = token_verifier(audience=["https://a.example", AUDIENCE])
    assert several.verify(good_token())
    any_of_them = token_verifier(audience=UNSAFE_ANY_AUDIENCE)
    assert any_of_them.verify(good_token(aud="https://elsewhere.example"))
    assert repr(UNSAFE_ANY_AUDIENCE) == "UNSAFE_ANY_AUDIENCE"


def test_keys_that_cannot_be_had_are_our_trouble():
    unreachable = JwksUrl("http://127.0.0.1:9/jwks", monotonic=lambda: 0.0)
    with pytest.raises(VerifierUnavailable) as refused:
        token_verifier(keys=unreachable).verify(good_token())
    assert (refused.value.status, refused.value.challenge) == (503, None)


def test_the_default_clock_is_the_real_one():
    verifier = TokenVerifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        keys=FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())]),
    )
    now = int(datetime.now(UTC).timestamp())
    assert verifier.verify(good_token(exp=now + 60, iat=now))
    with pytest.raises(InvalidToken):
        verifier.verify(good_token(exp=now - 60, iat=now))
    assert START.tzinfo is UTC
