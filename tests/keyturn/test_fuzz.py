"""Whatever comes in, a refusal comes out, and never another error."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn import (
    DEFAULT_API_KEY,
    CredentialRefused,
    FixedKeys,
    InvalidScope,
    InvalidToken,
    MalformedKey,
    ScopeSet,
    VerificationKey,
    Verifier,
)
from keyturn.introspect import Introspection
from keyturn.restrictions import Restrictions
from keyturn.wire import Unreadable
from tests.keyturn.support import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    START,
    claims,
    good_token,
    header,
    jws,
    token_verifier,
)

KEYS = FixedKeys([VerificationKey.of("k1", EC_KEY.public_key())])
VERIFIER = Verifier(ISSUER, AUDIENCE, "api_1", "secret", keys=KEYS, clock=lambda: START)
TOKENS = token_verifier()
GOOD = good_token()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.text() | st.text().map("Bearer ".__add__) | st.text().map("Bearer kt_live_".__add__))
def test_any_header(text):
    with pytest.raises(CredentialRefused):
        VERIFIER.verify(text)


@given(st.text(alphabet="abcE0-_.=+/ \n\x00é", max_size=60))
def test_any_token(text):
    with pytest.raises(InvalidToken):
        TOKENS.verify(text)


@given(st.data())
def test_a_good_token_with_one_character_changed(data):
    # In front of the signature: its last character has bits that mean nothing.
    at = data.draw(st.integers(0, GOOD.rindex(".") - 1))
    other = data.draw(st.characters().filter(lambda c: c != GOOD[at]))
    with pytest.raises(InvalidToken):
        TOKENS.verify(GOOD[:at] + other + GOOD[at + 1 :])


@given(st.sampled_from([*claims(), "nbf", "cnf", "status"]), JSON)
def test_any_value_of_any_claim(name, value):
    token = jws(header(), {**claims(), name: value})
    try:
        found = TOKENS.verify(token)
    except InvalidToken:
        return
    assert found.iss == ISSUER
    assert AUDIENCE in found.aud


@given(st.sampled_from([*header(), "x5t", "cty", "foo"]), JSON)
def test_any_value_of_any_header_parameter(name, value):
    token = jws({**header(), name: value}, claims())
    try:
        assert TOKENS.verify(token)
    except InvalidToken:
        assert value != header().get(name)


@given(st.binary() | JSON.map(repr).map(str.encode))
def test_any_answer_of_an_issuer(body):
    with pytest.raises((Unreadable, InvalidScope)):
        Introspection.read(body)


@given(st.text())
def test_any_key_and_any_scope(text):
    with pytest.raises(MalformedKey):
        DEFAULT_API_KEY.read(text)
    with suppress(InvalidScope):
        assert set(ScopeSet.parse(text)) == set(text.split(" ") if text else [])


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3), st.text(), st.text())
def test_any_restriction(networks, domains, ip, origin):
    bound = Restrictions.of(networks, domains)
    try:
        bound.check(ip, origin)
    except CredentialRefused:
        assert networks or domains
