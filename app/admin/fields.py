"""Values that people type: each is checked here, and a refusal names its field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from app.errors import Invalid, NotFound
from keyturn.masking import HIDDEN

MAX_NAME = 100
MAX_DESCRIPTION = 1000
MAX_EMAIL = 254
MAX_IDENTIFIER = 512

_LONGEST_SEARCHED = 512

MAX_GRACE = timedelta(days=365)

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)
_USERINFO = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?/+)?.*@", re.IGNORECASE | re.DOTALL)
_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\\\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PRESET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,63})")
# Overrides of the writing direction: a name that reads otherwise than it is stored.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})

T = TypeVar("T")


def _printable(value: str, field: str, *, lines: bool = False) -> str:
    for character in value:
        if lines and character in "\n\t":
            continue
        if unicodedata.category(character) in _UNSEEN or character in _BIDI:
            raise Invalid(f"{field} holds a control character", field=field)
    return value


def name(value: str, field: str = "name") -> str:
    """1-100 characters, none of them a control character; blanks at the ends are dropped."""
    value = value.strip()
    if not 1 <= len(value) <= MAX_NAME:
        raise Invalid(f"{field} must have 1 to {MAX_NAME} characters", field=field)
    return _printable(value, field)


def description(value: str, field: str = "description") -> str:
    """At most 1000 characters; may have lines."""
    value = value.strip().replace("\r\n", "\n")
    if len(value) > MAX_DESCRIPTION:
        raise Invalid(f"{field} must have at most {MAX_DESCRIPTION} characters", field=field)
    return _printable(value, field, lines=True)


def note(value: str, field: str, longest: int) -> str:
    """One line of at most ``longest`` characters."""
    value = value.strip()
    if len(value) > longest:
        raise Invalid(f"{field} must have at most {longest} characters", field=field)
    return _printable(value, field)


def object_id(value: str, what: str) -> str:
    """An id as somebody asks for it. Raises NotFound for what no object can have."""
    if not _ID.fullmatch(value):
        raise NotFound(what)
    return value


def preset_name(value: str) -> str:
    """1-64 letters, digits, ``.``, ``_`` and ``-``, so that it needs no quoting anywhere."""
    if not _PRESET.fullmatch(value):
        raise Invalid(
            "name must have 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
            field="name",
        )
    return value


def email(value: str) -> str:
    """An address in lower case; whether it takes mail is nobody's business here."""
    value = value.strip().lower()
    if len(value) > MAX_EMAIL or not _EMAIL.fullmatch(value):
        raise Invalid("email is not an e-mail address", field="email")
    return _printable(value, "email")


def identifier(value: str) -> str:
    """A resource identifier: an absolute URI without fragment (RFC 8707 §2)."""
    if len(value) > MAX_IDENTIFIER:
        raise Invalid(
            f"identifier must have at most {MAX_IDENTIFIER} characters", field="identifier"
        )
    if not _URI.fullmatch(value) or "#" in value:
        raise Invalid("identifier must be an absolute URI without fragment", field="identifier")
    parts = _parts(value)
    if parts is None or (parts.scheme in ("http", "https") and not parts.hostname):
        raise Invalid("identifier must be an absolute URI without fragment", field="identifier")
    if parts.username is not None:
        raise Invalid("identifier must not hold a user name", field="identifier")
    return value


def https_url(value: str, field: str, most: int) -> str:
    """Where something lies that anybody may fetch: an https URL without user name and fragment."""
    value = note(value, field, most)
    parts = None if " " in value else _parts(value)
    if parts is None or parts.scheme != "https" or not parts.hostname or parts.fragment:
        raise Invalid(f"{field} must be an https URL", field=field)
    if parts.username is not None:
        raise Invalid(f"{field} must not hold a user name", field=field)
    return value


def without_userinfo(url: str) -> str:
    """A URL as somebody has typed it, to be shown again: of a user name and a password nothing but
    that they were there, so that it is still refused; also where a typing error parts them.

    >>> without_userinfo("https://ada:pa/ss@keys.example/jwks")
    'https://****@keys.example/jwks'
    """
    parts = _parts(url)
    if "@" not in url:
        return url
    if parts and "@" not in parts.netloc and (parts.netloc or parts.scheme == "urn"):
        return url  # it is in the path
    return _USERINFO.sub(rf"\1{HIDDEN}@", url)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is not a number
    except ValueError:
        return None
    return parts


def one_of(value: T, choices: Sequence[T], field: str) -> T:
    """Raises Invalid, naming the choices."""
    if value not in choices:
        raise Invalid(f"{field} must be one of: {', '.join(map(str, choices))}", field=field)
    return value


def number(value: int, field: str, low: int, high: int) -> int:
    """Raises Invalid outside ``low``..``high``."""
    if not low <= value <= high:
        raise Invalid(f"{field} must lie between {low} and {high}", field=field)
    return value


def grace(seconds: int) -> timedelta:
    """How long what is replaced lives on; 0: not at all."""
    number(seconds, "grace_seconds", 0, int(MAX_GRACE.total_seconds()))
    return timedelta(seconds=seconds)


def expiry(expires_at: datetime | None, expires_in: int | None, now: datetime) -> datetime | None:
    """An instant in the future, given as such or in seconds from now; None: never."""
    if expires_at is not None and expires_in is not None:
        raise Invalid("expires_at and expires_in say the same: give one", field="expires_in")
    if expires_in is not None:
        number(expires_in, "expires_in", 1, 100 * 366 * 86400)
        return now + timedelta(seconds=expires_in)
    if expires_at is None:
        return None
    if expires_at.tzinfo is None:
        raise Invalid("expires_at must say its time zone", field="expires_at")
    if expires_at <= now:
        raise Invalid("expires_at must lie in the future", field="expires_at")
    return expires_at


def searched(value: str | None, field: str) -> None:
    """What a list is filtered by. Raises Invalid for what no database should see."""
    if value is not None and (len(value) > _LONGEST_SEARCHED or not value.isprintable()):
        raise Invalid(f"{field} is nothing that an entry has", field=field)


def with_zone(value: datetime | None, field: str) -> None:
    """Raises Invalid for a time of nowhere."""
    if value is not None and value.tzinfo is None:
        raise Invalid(f"{field} must say its time zone", field=field)


def distinct(values: Iterable[str], field: str, most: int) -> list[str]:
    """The values in their order, each once. Raises Invalid for more than ``most``."""
    kept = list(dict.fromkeys(values))
    if len(kept) > most:
        raise Invalid(f"{field} must have at most {most} entries", field=field)
    return kept
