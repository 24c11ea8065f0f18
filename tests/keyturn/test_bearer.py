"""One call for tokens and keys: header in, principal or refusal out."""

from datetime import datetime, timedelta

import pytest

from keyturn import (
    CredentialMalformed,
    CredentialMissing,
    FixedKeys,
    InsufficientScope,
    ScopeSet,
    VerificationKey,
    Verifier,
)
from tests.keyturn.presented import KEY, reason_of
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    START,
    FakeIssuer,
    good_token,
)

INTROSPECT = FakeIssuer.INTROSPECT


def offline(**changes):
    settings = {
        "keys": FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())]),
        "clock": lambda: START,
    }
    return Verifier(ISSUER, AUDIENCE, **settings | changes)


# The header


@pytest.mark.row("S1-7")
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer   "])
def test_the_scheme_in_any_case_and_spaces(scheme):
    assert offline().verify(scheme + good_token()).client_id == "client_1"


@pytest.mark.row("S1-21")
@pytest.mark.rfc("6750", "3.1")
@pytest.mark.parametrize("header", [None, ""])
def test_no_credential(header):
    with pytest.raises(CredentialMissing, match="Authorization header is missing") as refused:
        offline().verify(header)
    assert (refused.value.status, refused.value.code) == (401, "missing")
    assert refused.value.challenge == 'Bearer realm="api"'


@pytest.mark.row("S1-22")
@pytest.mark.row("S2-23")
@pytest.mark.parametrize(
    "header",
    [
        "Bearer", "Bearer ", " ", KEY, "Bearer:" + KEY, "Bearer\t" + KEY, f"Bearer {KEY} {KEY}",
        f"Bearer {KEY}, Bearer {KEY}", f"Bearer {KEY},{KEY}", f"Bearer {KEY} ", f" Bearer {KEY}",
        f"Bearer {KEY}\n", f"Bearer {KEY}\r\nX: y", f"Bearer {KEY}\x00", f"Bearer \x00{KEY}",
        f"Bearer é{KEY}", f'Bearer "{KEY}"', f"Bearer token={KEY}x",
        "Bearer ====", "Bearer\u00a0" + KEY,
        f"Bearer Bearer {KEY}", f"BearerX{KEY}",
    ],
    ids=lambda header: repr(header.replace(KEY, "KEY")),
)  # fmt: skip
def test_headers_that_cannot_be_read(header):
    with pytest.raises(CredentialMalformed, match="Authorization header is malformed") as refused:
        offline().verify(header)
    assert (refused.value.status, refused.value.code) == (401, "malformed")
    assert refused.value.challenge == (
        'Bearer realm="api", error="invalid_token", '
        'error_description="Authorization header is malformed"'
    )


@pytest.mark.rfc("6750", "3.1")
@pytest.mark.parametrize("header", ["Basic YTpi", "DPoP x.y.z", "Token abc", 'Digest username="a"'])
def test_another_scheme_gets_no_error_code(header):
    with pytest.raises(CredentialMalformed) as refused:
        offline().verify(header)
    assert refused.value.challenge == 'Bearer realm="api"'


def test_ten_megabytes_are_refused_unread():
    assert reason_of(offline(), "Bearer " + "a" * 10_000_000) == "too_large"
    assert reason_of(offline(), "Bearer " + "a." * 8_190) == "malformed"
    assert reason_of(offline(), "a" * 10_000_000) == "too_large"


# Tokens


@pytest.mark.row("S4-4")
def test_a_token_becomes_a_principal():
    token = good_token()
    principal = offline().verify(f"Bearer {token}")
    assert (principal.kind, principal.id, principal.client_id) == ("client", "client_1", "client_1")
    assert (principal.organization, principal.environment) == ("org_1", "live")
    assert principal.scopes == ScopeSet.parse("bookings:read bookings:write")
    assert principal.audience == (AUDIENCE,)
    assert principal.expires_at == START + timedelta(minutes=15)
    assert principal.claims["jti"] == "token_1"
    assert token not in repr(principal)
    assert token.split(".")[1] not in repr(principal)


def test_tokens_need_no_client_and_one_fetch(issuer, verifier_of):
    verifier = verifier_of(client_id=None, client_secret=None)
    for _ in range(10):
        assert verifier.verify(f"Bearer {good_token(iss=issuer.url)}")
    assert issuer.hits == {FakeIssuer.METADATA: 1, FakeIssuer.JWKS: 1}


def test_addresses_may_be_given(issuer, verifier_of):
    issuer.down(FakeIssuer.METADATA)
    issuer.knows(KEY)
    verifier = verifier_of(
        jwks_uri=issuer.url + FakeIssuer.JWKS, introspection_endpoint=issuer.url + INTROSPECT
    )
    assert verifier.verify(f"Bearer {good_token(iss=issuer.url)}")
    assert verifier.verify(f"Bearer {KEY}")
    assert issuer.hits[FakeIssuer.METADATA] == 0


@pytest.mark.row("S2-3")
def test_required_scopes():
    verifier, header = offline(), f"Bearer {good_token()}"
    assert verifier.verify(header, required_scope="bookings:read")
    assert verifier.verify(header, required_scope="bookings:write bookings:read")
    with pytest.raises(InsufficientScope) as refused:
        verifier.verify(header, required_scope="guests:read bookings:read")
    assert (refused.value.status, refused.value.code) == (403, "insufficient_scope")
    assert refused.value.challenge == (
        'Bearer realm="api", error="insufficient_scope", '
        'error_description="The credential does not have the required scope", '
        'scope="bookings:read guests:read"'
    )


def test_nothing_is_implied_by_a_wildcard_in_a_token():
    principal = offline().verify(f"Bearer {good_token(scope='bookings:* guests')}")
    assert not principal.has("bookings:read")
    with pytest.raises(InsufficientScope):
        principal.require("guests:read")


@pytest.mark.row("S0-11")
def test_environments_are_kept_apart():
    live = offline(environment="live")
    assert live.verify(f"Bearer {good_token()}")
    for env in ("test", "Live", None):
        assert reason_of(live, f"Bearer {good_token(env=env)}") == "environment_mismatch"


def test_a_bound_token_is_no_bearer_token():
    for cnf in ({"jkt": "x"}, {"x5t#S256": "y"}, {}):
        assert reason_of(offline(), f"Bearer {good_token(cnf=cnf)}") == "proof_required"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"issuer": "http://auth.example.com"}, "issuer"),
        ({"issuer": "https://auth.example.com?x=1"}, "issuer"),
        ({"issuer": "auth.example.com"}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"client_id": "a"}, "client_id"),
        ({"client_secret": "a"}, "client_id"),
        (
            {"client_id": "a", "client_secret": "b", "max_staleness": timedelta(seconds=61)},
            "max_staleness",
        ),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        (
            {"client_id": "a", "client_secret": "b", "introspection_endpoint": "http://a.example"},
            "introspection_endpoint",
        ),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"leeway": timedelta(hours=1)}, "leeway"),
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be(settings, name):
    with pytest.raises(ValueError, match=name):
        Verifier(**{"issuer": ISSUER, "audience": AUDIENCE} | settings)


def test_the_secret_is_not_to_be_seen():
    verifier = Verifier(ISSUER, AUDIENCE, "api_1", "kts_live_sesame")
    assert "sesame" not in repr(verifier) + repr(vars(verifier))


def test_the_default_clock_is_the_real_one():
    verifier = Verifier(
        ISSUER, AUDIENCE, keys=FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())])
    )
    now = int(datetime.now().astimezone().timestamp())
    assert verifier.verify(f"Bearer {good_token(exp=now + 60)}")
