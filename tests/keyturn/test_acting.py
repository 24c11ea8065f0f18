"""Service credentials at a resource server: for whom they act, and what is remembered of it."""

import pytest

from keyturn import DEFAULT_API_KEY, CredentialRefused
from tests.keyturn.support import good_token

KEY = DEFAULT_API_KEY.generate("live")
SERVICE = "keyturn:act-as-organization bookings:read"


def test_for_others_the_headers_change_nothing(issuer, verifier_of):
    issuer.knows(KEY)
    issuer.knows(f"{KEY} org_2 test", org="org_2", env="test")
    principal = verifier_of().verify(f"Bearer {KEY}", organization="org_2", mode="test")
    assert (principal.organization, principal.environment) == ("org_1", "live")
    assert principal.acts_from is None
    assert issuer.hits[issuer.INTROSPECT] == 1


def test_the_issuer_is_asked_for_each_organization_and_mode_and_once(issuer, verifier_of):
    issuer.knows(KEY, scope=SERVICE)
    verify = verifier_of().verify
    named = (("org_2", "live"), ("org_3", "live"), ("org_2", "test"))
    for organization, mode in named:
        issuer.knows(f"{KEY} {organization} {mode}", org=organization, env=mode)
    for organization, mode in named * 2:
        principal = verify(f"Bearer {KEY}", organization=organization, mode=mode)
        assert (principal.organization, principal.environment) == (organization, mode)
        assert (principal.id, principal.acts_from) == ("key_1", "org_1")
    forms = [form for _, form in issuer.asked]
    assert [(form.get("organization"), form.get("mode")) for form in forms] == [
        (None, None),
        *(([organization], [mode]) for organization, mode in named),
    ]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({}, "org_required"),
        ({"organization": "org_2", "origin": "https://a.example"}, "server_only"),
        ({"organization": "org 2"}, "org_required"),
        ({"organization": "org_2", "mode": "a b"}, "mode_unknown"),
        ({"organization": "org_1" + "x" * 60}, "org_required"),
    ],
)
def test_what_can_be_refused_without_asking_is(issuer, verifier_of, named, reason):
    issuer.knows(KEY, scope=SERVICE)
    with pytest.raises(CredentialRefused) as refused:
        verifier_of().verify(f"Bearer {KEY}", **named)
    assert refused.value.reason == reason
    assert issuer.hits[issuer.INTROSPECT] == 1


@pytest.mark.parametrize("reason", ["org_not_allowed", "mode_unknown", "environment_mismatch"])
def test_what_the_issuer_refuses(issuer, verifier_of, reason):
    issuer.knows(KEY, scope=SERVICE)
    issuer.known[f"{KEY} org_2 test"] = {"active": False, "reason": reason}
    with pytest.raises(CredentialRefused) as refused:
        verifier_of().verify(f"Bearer {KEY}", organization="org_2", mode="test")
    assert refused.value.reason == reason
    assert refused.value.status == {"org_not_allowed": 403, "mode_unknown": 400}.get(reason, 401)


@pytest.mark.parametrize(("organization", "mode"), [("org_2", None), ("org_1", "test")])
def test_an_issuer_that_does_not_read_the_question(issuer, verifier_of, organization, mode):
    """It answers as if there was none, and that would be another organization's data."""
    issuer.knows(KEY, scope=SERVICE)
    with pytest.raises(CredentialRefused) as refused:
        verifier_of().verify(f"Bearer {KEY}", organization=organization, mode=mode)
    assert refused.value.reason == "org_not_allowed"


def test_an_answer_cannot_give_what_the_credential_has_not(issuer, verifier_of):
    issuer.knows(KEY, scope=SERVICE)
    issuer.knows(f"{KEY} org_2", org="org_2", scope="bookings:read bookings:write")
    principal = verifier_of().verify(f"Bearer {KEY}", organization="org_2")
    assert str(principal.scopes) == "bookings:read"


def test_an_api_of_one_environment(issuer, verifier_of):
    issuer.knows(KEY, scope=SERVICE)
    issuer.knows(f"{KEY} org_2 test", org="org_2", env="test")
    with pytest.raises(CredentialRefused) as refused:
        verifier_of(environment="live").verify(f"Bearer {KEY}", organization="org_2", mode="test")
    assert refused.value.reason == "environment_mismatch"


def test_a_token_acts_only_where_one_can_ask(issuer, verifier_of):
    token = good_token(iss=issuer.url, scope=SERVICE)
    issuer.knows(f"{token} org_2", org="org_2")
    principal = verifier_of().verify(f"Bearer {token}", organization="org_2")
    found = (principal.kind, principal.organization, principal.acts_from)
    assert found == ("client", "org_2", "org_1")
    offline = verifier_of(client_id=None, client_secret=None)
    with pytest.raises(CredentialRefused) as refused:
        offline.verify(f"Bearer {token}", organization="org_2")
    assert refused.value.reason == "wrong_type"
