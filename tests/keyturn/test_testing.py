"""The issuer in memory gives out what real verifiers take or refuse, and nothing leaves for it."""

import asyncio
import socket
from contextlib import closing, suppress
from datetime import timedelta

import pytest

from keyturn import (
    BASE36,
    AsyncGuard,
    CredentialRefused,
    Guard,
    InvalidScope,
    KeyTemplate,
    RateLimited,
    Route,
    Verifier,
    all_of,
    key_digest,
)
from keyturn.client import TokenRefused, TokenSource
from keyturn.limits.leases import LeasedLimits
from keyturn.testing import AUDIENCE, ISSUER, TestIssuer
from keyturn.usage import UsageReporter
from tests.keyturn.support import Time


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def issuer():
    return TestIssuer()


def reason(verifier, credential, **seen):
    try:
        verifier.verify(f"Bearer {credential}", **seen)
    except CredentialRefused as refused:
        return str(refused.reason)
    return None


def test_a_token(issuer):
    token = issuer.token("b:write a:read", org="org_7", env="test", client_id="desk")
    principal = issuer.verifier().verify(f"Bearer {token}")
    assert (principal.kind, principal.id, principal.audience) == ("client", "desk", (AUDIENCE,))
    assert (principal.organization, principal.environment) == ("org_7", "test")
    assert str(principal.scopes) == "a:read b:write"
    assert principal.claims["iss"] == ISSUER


def test_an_api_key(issuer):
    key = issuer.api_key(["a:read", "b:write"], org="org_7", env="test")
    principal = issuer.verifier(environment="test").verify(f"Bearer {key}")
    assert (principal.kind, principal.id) == ("api_key", "key_1")
    assert (principal.organization, principal.environment) == ("org_7", "test")
    assert str(principal.scopes) == "a:read b:write"


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({}, None),
        ({"expires_in": -MINUTE}, "expired"),
        ({"audience": "https://other.test"}, "wrong_audience"),
        ({"audience": ["https://other.test", AUDIENCE]}, None),
        ({"issuer": "https://other.test"}, "wrong_issuer"),
        ({"env": "test"}, "environment_mismatch"),
        ({"claims": {"cnf": {"jkt": "x"}}}, "proof_required"),
        ({"claims": {"nbf": 4_000_000_000}}, "not_yet_valid"),
        ({"claims": {"jti": None}}, "malformed"),
    ],
    ids=str,
)
def test_tokens_of_every_kind(issuer, wanted, why):
    verifier = issuer.verifier(environment="live")
    assert reason(verifier, issuer.token("a:read", **wanted)) == why


@pytest.mark.parametrize(
    ("wanted", "seen", "why"),
    [
        ({}, {}, None),
        ({"expires_in": MINUTE}, {}, None),
        ({"expires_in": -MINUTE}, {}, "expired"),
        ({"expires_in": timedelta(0)}, {}, "expired"),
        ({"audience": "https://other.test"}, {}, "wrong_audience"),
        ({"claims": {"iss": "https://other.test"}}, {}, "wrong_issuer"),
        ({"env": "test"}, {}, "environment_mismatch"),
        ({"allowed_ips": ["192.0.2.0/24"]}, {"ip": "192.0.2.7"}, None),
        ({"allowed_ips": ["192.0.2.0/24"]}, {"ip": "198.51.100.7"}, "ip_not_allowed"),
        ({"allowed_domains": ["a.example"]}, {"origin": "https://a.example"}, None),
        ({"allowed_domains": ["a.example"]}, {"origin": "https://b.example"}, "origin_mismatch"),
    ],
    ids=str,
)
def test_keys_of_every_kind(issuer, wanted, seen, why):
    verifier = issuer.verifier(environment="live")
    assert reason(verifier, issuer.api_key("a:read", **wanted), **seen) == why


@pytest.mark.parametrize(("end", "why"), [("revoke", "revoked"), ("disable", "disabled")])
def test_the_end_of_a_key_is_seen_by_the_next_request(issuer, end, why):
    verifier, key, other = issuer.verifier(), issuer.api_key(), issuer.api_key()
    assert reason(verifier, key) is None
    getattr(issuer, end)(key)
    assert reason(verifier, key) == why
    assert reason(verifier, other) is None


def test_only_what_is_its_own_can_be_ended(issuer):
    for stranger in (TestIssuer().api_key(), TestIssuer().token(), "kt_live_x"):
        with pytest.raises(ValueError, match="not a credential of this issuer"):
            issuer.revoke(stranger)
    with pytest.raises(ValueError, match="cannot be disabled"):
        issuer.disable(issuer.token())


def test_the_end_of_a_token_is_seen_by_the_next_request(issuer):
    verifiers = [issuer.verifier(), issuer.verifier()]
    token, other = issuer.token(), issuer.token()
    assert reason(verifiers[0], token) is None
    issuer.revoke(token)
    assert [reason(one, token) for one in verifiers] == ["revoked"] * 2
    assert [reason(one, other) for one in verifiers] == [None] * 2


def test_a_verifier_of_the_application_looks_when_it_is_told_to(issuer):
    verifier = Verifier(
        issuer.url, AUDIENCE, http_client=issuer.http_client, status_interval=timedelta(hours=1)
    )
    token = issuer.token()
    assert reason(verifier, token) is None
    issuer.revoke(token)
    verifier.refresh()
    assert reason(verifier, token) == "revoked"
    verifier.close()


def test_credentials_of_another_issuer(issuer):
    stranger, verifier = TestIssuer(), issuer.verifier()
    assert reason(verifier, stranger.token()) == "bad_signature"
    assert reason(verifier, stranger.api_key()) == "inactive"


def test_each_verifier_takes_what_is_for_no_audience_by_name(issuer):
    verifiers = [
        issuer.verifier(),
        issuer.verifier("https://b.test"),
        issuer.verifier("https://c.test"),
    ]
    for credential in (issuer.token(), issuer.api_key()):
        assert [reason(one, credential) for one in verifiers] == [None] * 3
    assert reason(verifiers[1], issuer.token(audience=AUDIENCE)) == "wrong_audience"


def test_a_verifier_that_the_application_makes(issuer):
    verifier = Verifier(
        issuer.url, AUDIENCE, "client_1", "kts_live_x", http_client=issuer.http_client
    )
    assert reason(verifier, issuer.token()) is None
    assert reason(verifier, issuer.api_key()) is None


def test_a_service_credential(issuer):
    scope = "keyturn:act-as-organization a:read"
    for credential in (issuer.token(scope), issuer.api_key(scope)):
        principal = issuer.verifier().verify(
            f"Bearer {credential}", organization="org_01m80zv6t3h9x2b5c7d8e4f1g0", mode="test"
        )
        assert principal.organization == "org_01m80zv6t3h9x2b5c7d8e4f1g0"
        assert (principal.environment, principal.acts_from) == ("test", "org_test")


def test_a_client_asks_for_its_tokens_itself(issuer):
    client = issuer.client("a:read b:write", org="org_7")
    with closing(TokenSource(issuer.url, *client, http_client=issuer.http_client)) as source:
        principal = issuer.verifier().verify(f"Bearer {source.token()}")
        assert (principal.client_id, principal.organization) == (client.client_id, "org_7")
        narrow = issuer.verifier().verify(f"Bearer {source.token(scope='a:read')}")
        assert str(narrow.scopes) == "a:read"
        with pytest.raises(TokenRefused, match="invalid_scope"):
            source.token(scope="c:read")
        elsewhere = source.token(resource="https://other.test")
        assert reason(issuer.verifier(), elsewhere) == "wrong_audience"
    wrong = TokenSource(
        issuer.url, client.client_id, "wrong", http_client=issuer.http_client, scope="a:read"
    )
    with closing(wrong), pytest.raises(TokenRefused, match="invalid_client"):
        wrong.token()


SERVICE = "keyturn:act-as-organization a:read"


@pytest.mark.parametrize("kind", ["key", "token", "subject", "acting key", "acting token"])
@pytest.mark.parametrize("by", ["threads", "tasks"])
def test_limits_and_usage_are_counted_alike(issuer, kind, by):
    """By `client_id`, whatever the subject, and whomever it acts for."""
    scope = SERVICE if "acting" in kind else "a:read"
    if kind.endswith("key"):
        shown, id = issuer.api_key(scope, rate_limits=["3/day", "2/day:booking"]), "key_1"
    else:
        client = issuer.client(scope, rate_limits=["3/day", "2/day:booking"])
        id = client.client_id
        claims = {"sub": "somebody"} if kind == "subject" else {}
        shown = issuer.token(scope, client_id=id, claims=claims)
    booking, passed = Route(all_of("a:read"), "booking"), []

    def seen(number):
        return {"organization": f"org_{number}"} if "acting" in kind else {}

    def in_threads():
        verifier = issuer.verifier()
        guard = Guard(verifier, limits=LeasedLimits(verifier), usage=UsageReporter(verifier))
        for number in range(4):
            with suppress(RateLimited):
                passed.append(guard.admit(f"Bearer {shown}", booking, **seen(number)))
        guard.close()

    async def in_tasks():
        verifier = issuer.async_verifier()
        guard = AsyncGuard(verifier, limits=LeasedLimits(verifier), usage=UsageReporter(verifier))
        for number in range(4):
            with suppress(RateLimited):
                passed.append(await guard.admit(f"Bearer {shown}", booking, **seen(number)))
        await guard.close()

    in_threads() if by == "threads" else asyncio.run(in_tasks())
    assert [admission.usages[0].remaining for admission in passed] == [1, 0]
    counted = [(one["credential_id"], one["outcome"], one["count"]) for one in issuer.usage]
    assert counted == [(id, "success", 2), (id, "limited", 2)]
    assert {one["scope"] for one in issuer.usage} == {"a:read"}


def test_keys_of_another_form():
    template = KeyTemplate(prefix="el", environments=(), alphabet=BASE36, checksum_length=4)
    issuer = TestIssuer("https://issuer.test/t/1", key_template=template)
    key = issuer.api_key("a:read")
    assert key.startswith("el_")
    assert reason(issuer.verifier(), key) is None
    assert reason(issuer.verifier(), issuer.token("a:read")) is None


def test_time_that_passes():
    time = Time()
    issuer = TestIssuer(clock=time.now)
    verifier, token = issuer.verifier(leeway=timedelta(0)), issuer.token()
    key = issuer.api_key(expires_in=MINUTE)
    time.advance(59)
    assert (reason(verifier, token), reason(verifier, key)) == (None, None)
    time.advance(1)
    assert reason(verifier, key) == "expired"
    time.advance(14 * 60)
    assert reason(verifier, token) == "expired"


def test_what_cannot_be_made(issuer):
    with pytest.raises(InvalidScope):
        issuer.token('a"b')
    with pytest.raises(ValueError, match="environment"):
        issuer.api_key(env="staging")
    with pytest.raises(ValueError, match="url"):
        TestIssuer("http://issuer.test")


def test_keys_are_not_kept_as_they_are(issuer):
    key = issuer.api_key()
    assert key not in repr(vars(issuer))
    assert key_digest(key) in issuer._known
