"""What a refusal says, to whom (RFC 6750 §3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn import (
    CredentialMissing,
    CredentialRefused,
    InsufficientScope,
    InvalidToken,
    KeyturnError,
    Reason,
    RestrictionRefused,
    VerifierUnavailable,
)
from keyturn.challenge import bearer


@given(st.text(), st.text(min_size=1), st.text())
def test_no_value_can_leave_its_quotes(realm, description, scope):
    challenge = bearer(realm or "x", error="invalid_token", description=description, scope=scope)
    assert challenge.isascii()
    assert challenge.isprintable()
    outside = challenge.replace("\\\\", "").replace('\\"', "").split('"')[::2]
    assert set("".join(outside)) <= set("Bearer realm=, error=, error_description=, scope=")


@pytest.mark.parametrize("reason", Reason)
def test_an_invalid_token_says_the_same_for_every_reason(reason):
    refused = InvalidToken(reason, detail="secret matter")
    assert (refused.status, refused.code) == (401, "invalid_token")
    assert "secret" not in str(refused) + refused.challenge
    assert refused.challenge == InvalidToken(Reason.UNKNOWN).challenge


def test_a_realm_and_metadata_of_ones_own():
    assert CredentialMissing().challenge_for(
        "bookings", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"
    ) == (
        'Bearer realm="bookings", '
        'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"'
    )
    assert VerifierUnavailable().challenge_for("bookings") is None
    assert InsufficientScope("a:b").challenge_for("x").endswith('scope="a:b"')


def test_every_refusal_is_a_keyturn_error_with_a_code_and_a_status():
    made = [
        CredentialMissing(),
        InvalidToken(Reason.EXPIRED),
        InsufficientScope("a"),
        RestrictionRefused(Reason.IP_NOT_ALLOWED),
        VerifierUnavailable(retry_after=3),
    ]
    for refused in made:
        assert isinstance(refused, KeyturnError)
        assert isinstance(refused, CredentialRefused)
        assert refused.status in (401, 403, 503)
        assert refused.code
        assert str(refused) == refused.description
    assert made[-1].retry_after == 3
    assert made[0].retry_after is None
