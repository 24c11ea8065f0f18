"""Which passwords are taken (NIST SP 800-63B §3.1.1.2): long ones, and none that everybody tries.

No rules of composition, no age: they make passwords worse.
"""

from __future__ import annotations

import re
import unicodedata

from app.errors import Invalid

SHORTEST = 12
LONGEST = 256
FEWEST_CHARACTERS = 5
"""Different ones."""

_COMMON = """
password passw0rd passwort motdepasse contrasena parola administrator administrateur admin
superuser letmein letmeinplease changeme changemenow changeit welcome welcomeback iloveyou
trustno1 sunshine princess football baseball superman batman starwars dragon monkey master
shadow michael jennifer computer internet whatever secret topsecret mysecret mypassword
yourpassword thisismypassword newpassword oldpassword temppassword defaultpassword default
testpassword test testing guest root toor user login access unlock keyturn dashboard
correcthorsebatterystaple qwerty qwertyuiop qwertyuiopasdfghjkl qwertzuiop azertyuiop asdfghjkl
zxcvbnm zxcvbnmasdfghjkl qazwsxedc qazwsxedcrfv qweasdzxc abc abcdef abcdefghijkl
abcdefghijklmnopqrstuvwxyz
"""

_RUNS = (
    "0123456789" * 3,
    "9876543210" * 3,
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "qwertyuiopasdfghjklzxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)
_WORDS = frozenset(_COMMON.split())
_UNSEEN = frozenset({"Cc", "Cs"})
_WORD = 4
"""Letters of a name or an address that a password must not hold."""


def require_good(password: str, *, email: str, name: str, field: str = "password") -> None:
    """Raises Invalid, and never says the password again."""
    plain = unicodedata.normalize("NFKC", password)
    if not SHORTEST <= len(plain) <= LONGEST or len(password) > 4 * LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters", field=field)
    if any(unicodedata.category(character) in _UNSEEN for character in plain):
        raise Invalid("A password holds no control characters", field=field)
    low = plain.casefold()
    if len(set(low)) < FEWEST_CHARACTERS or _is_common(low):
        raise Invalid("This is a password that everybody tries first: choose another", field=field)
    if any(word in low for word in _about(email, name)):
        raise Invalid("A password must not hold your name or e-mail address", field=field)


def _is_common(low: str) -> bool:
    """A word that everybody knows, once or again and again, with digits and signs around it."""
    if any(_once(low) in run for run in _RUNS):
        return True
    spellings = (low, _AROUND.sub("", low), _AROUND.sub("", low).translate(_UNMASKED))
    words = {re.sub(nothing, "", one) for one in spellings for nothing in (r"[\W_]+", r"[\W\d_]+")}
    return any(_once(word) in _WORDS for word in words if word)


_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_UNMASKED = str.maketrans("0134578@$!", "oieastbasi")
"""Digits and signs that stand for letters."""


def _once(text: str) -> str:
    """``abcabcabc`` is ``abc``."""
    again = (text + text).find(text, 1)
    return text[:again] if 0 < again < len(text) else text


def _about(email: str, name: str) -> set[str]:
    words = {email.casefold(), email.partition("@")[0].casefold(), name.casefold()}
    words |= set(name.casefold().split())
    return {word for word in words if len(word) >= _WORD}
