"""Link tokens: one act, one object, until a certain time."""

from datetime import timedelta

import pytest

from keyturn import DEFAULT_API_KEY, CredentialRefused, LinkTokens
from tests.keyturn.support import good_token

SECRET = b"s" * 32


@pytest.fixture
def links(time):
    return LinkTokens(SECRET, clock=time.now)


@pytest.fixture
def token(links, time):
    return links.make("cancel", "bk_1", time.now() + timedelta(hours=1))


@pytest.mark.row("S3-14")
def test_it_is_good_for_its_act_and_object_until_its_time(links, token, time):
    links.check(token, "cancel", "bk_1")
    time.advance(3599)
    links.check(token, "cancel", "bk_1")
    time.advance(1)
    with pytest.raises(CredentialRefused) as refused:
        links.check(token, "cancel", "bk_1")
    assert refused.value.reason == "expired"


@pytest.mark.row("S3-14")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda token: token.replace("_18", "_19", 1), "bad_signature"),
        (lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"), "bad_signature"),
        (lambda token: token + "=", "malformed"),
        (lambda token: f" {token}", "malformed"),
        (lambda _: "", "missing"),
        (lambda _: DEFAULT_API_KEY.generate("live"), "malformed"),
        (lambda _: good_token(), "malformed"),
    ],
    ids=["later", "other", "longer", "blank", "none", "API key", "access token"],
)
def test_nothing_else_is(links, token, change, reason):
    with pytest.raises(CredentialRefused) as refused:
        links.check(change(token), "cancel", "bk_1")
    assert refused.value.reason == reason


@pytest.mark.row("S3-14")
@pytest.mark.parametrize(
    "other", [("reschedule", "bk_1"), ("cancel", "bk_2"), ("cancelbk_", "1"), ("", "cancelbk_1")]
)
def test_not_for_another_act_or_object(links, token, other):
    with pytest.raises(CredentialRefused) as refused:
        links.check(token, *other)
    assert (refused.value.status, refused.value.reason) == (401, "bad_signature")


def test_a_secret_of_its_own_and_a_long_one(token, time):
    with pytest.raises(CredentialRefused):
        LinkTokens(b"t" * 32, clock=time.now).check(token, "cancel", "bk_1")
    with pytest.raises(ValueError, match="32 bytes"):
        LinkTokens(b"short")
