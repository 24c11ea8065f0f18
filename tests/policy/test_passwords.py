"""Which passwords are taken: long ones, and none that everybody tries or that is about oneself."""

import pytest

from app.errors import Invalid
from app.policy.passwords import require_good

ADA = {"email": "ada.okafor@example.com", "name": "Ada Okafor"}


@pytest.mark.parametrize("password", [
    "violet harbour twelve kites",
    "x7#kQ2!mZp0w",
    "aaaaaaaaaaaaaaaaaaaaaaaabcde",
    "пароль из шести слов",
    "🐙 eight 🐙 arms 🐙",
    "correct horse paper clip",
    "a" * 100 + "bcdef" + "z" * 151,
    "my password is a sentence about ducks",
])  # fmt: skip
def test_good_ones(password):
    require_good(password, **ADA)


@pytest.mark.parametrize("password", [
    "",
    "elevenchars",
    "x7#kQ2!" + "y" * 250,
    "\x00\x00 twelve or more",
    "line\nbreak and more",
    "aaaaaaaaaaaaaa",
    "ababababababab",
    "password1234",
    "Password123!",
    "P@ssw0rd1234!",
    "passwordpassword",
    "PASSWORD_PASSWORD",
    "123456789012",
    "098765432109",
    "qwertyuiop12",
    "abcdefghijkl",
    "1q2w3e4r5t6y",
    "administrator2026",
    "letmein!letmein!",
    "Keyturn-Keyturn",
    "correct horse battery staple",
    "hello ada.okafor@example.com",
    "ADA.OKAFOR twelve",
    "Okafor-2026-summer",
    "ｏｋａｆｏｒ twelve kites",
])  # fmt: skip
def test_bad_ones(password):
    with pytest.raises(Invalid) as refused:
        require_good(password, **ADA)
    assert refused.value.field == "password"
    assert len(password) < 2 or password not in refused.value.description


def test_short_names_are_in_many_words():
    require_good("alabaster twelve kites", email="al@example.com", name="Al")
