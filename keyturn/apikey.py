"""The format of API keys and client secrets: a key that is mistyped is refused without any look-up.

A key reads `{prefix}_{environment}_{secret}_{checksum}`, each part but the secret optional. The
checksum is the CRC-32 (as in zlib and gzip) of everything in front of it, the last `_` included, as
ASCII bytes; taken modulo `len(alphabet) ** checksum_length`, written in the template's alphabet
(whose characters count from zero), most significant digit first, padded to its fixed width. It
proves nothing: a key is accepted because its digest is known, and a checksum only spares the
look-up.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn.errors import BadChecksum, MalformedKey

BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ALPHABETS: Mapping[str, str] = {"hex": BASE36[:16], "base36": BASE36, "base62": BASE62}
"""By the names that configuration may use."""

MIN_ENTROPY_BITS = 128
MAX_SECRET_LENGTH = 128

_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "prefix": str,
    "environments": (list, tuple),
    "alphabet": str,
    "length": int,
    "checksum": str,
    "checksum_length": int,
}
_ALPHABET = re.compile(r"[A-Za-z0-9]{16,62}")
_PREFIX = re.compile(r"(?:[A-Za-z0-9]{1,16}(?:_[A-Za-z0-9]{1,16}){0,3})?")
_ENVIRONMENT = re.compile(r"[A-Za-z0-9]{1,16}")
# A secret of 128 bits has at least 22 characters, the parts in front of it at most 16.
_LONGEST_SHORT_PART = 16
# A source of chance that never yields a usable byte is broken; do not wait for it.
_MAX_DRAWS = 64


@dataclass(frozen=True, slots=True)
class KeyParts:
    """A key taken apart; printing it does not show the secret."""

    prefix: str
    environment: str | None
    secret: str = field(repr=False)
    checksum: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyTemplate:
    """How the keys of one kind look.

    `prefix` may hold `_` or be empty; no `environments` means no such part; `checksum` is "crc32"
    or "none".

    >>> template = KeyTemplate(prefix="el", alphabet=BASE36, checksum_length=4)
    >>> key = template.generate("live")
    >>> len(key), key[:8]
    (45, 'el_live_')
    >>> template.read(key).environment
    'live'
    >>> template.read("el_live_" + "a" * 32 + "_aaaa")
    Traceback (most recent call last):
    keyturn.errors.BadChecksum: The checksum of the key does not fit
    """

    prefix: str = "kt"
    environments: tuple[str, ...] = ("live", "test")
    alphabet: str = BASE62
    length: int = 32
    checksum: str = "crc32"
    checksum_length: int = 6

    pattern: str = field(init=False, repr=False, compare=False, default="")
    """The exact form as a regular expression, for `fullmatch`; groups: environment, secret,
    checksum.
    """
    _form: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _max_length: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises ValueError for a template that is ambiguous or whose keys could be guessed."""
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError("prefix: up to four parts of 1-16 letters and digits, joined by _")
        if not all(map(_ENVIRONMENT.fullmatch, self.environments)):
            raise ValueError("environments: 1-16 letters and digits each")
        if len(set(self.environments)) != len(self.environments):
            raise ValueError("environments: named twice")
        if not _ALPHABET.fullmatch(self.alphabet) or len(set(self.alphabet)) != len(self.alphabet):
            raise ValueError("alphabet: 16-62 different letters and digits")
        if self.entropy_bits < MIN_ENTROPY_BITS or self.length > MAX_SECRET_LENGTH:
            raise ValueError(
                f"length: at least {MIN_ENTROPY_BITS} bits, at most {MAX_SECRET_LENGTH} characters"
            )
        if self.checksum not in ("crc32", "none"):
            raise ValueError('checksum: "crc32" or "none"')
        if self.checksum == "crc32" and not 4 <= self.checksum_length <= 8:
            raise ValueError("checksum_length: 4-8 characters")
        letters = f"[{self.alphabet}]"
        pattern = re.escape(self._stem) + (
            f"(?P<environment>{'|'.join(self.environments)})_" if self.environments else ""
        )
        pattern += f"(?P<secret>{letters}{{{self.length}}})"
        if self.checksum == "crc32":
            pattern += f"_(?P<checksum>{letters}{{{self.checksum_length}}})"
        longest = len(self._stem) + self.length
        longest += max((len(name) + 1 for name in self.environments), default=0)
        longest += self.checksum_length + 1 if self.checksum == "crc32" else 0
        object.__setattr__(self, "pattern", pattern)
        object.__setattr__(self, "_form", re.compile(pattern))
        object.__setattr__(self, "_max_length", longest)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> KeyTemplate:
        """From configuration: what is not named is as by default, an alphabet may be named. Raises
        ValueError, which begins with the field.

        >>> KeyTemplate.of({"prefix": "ac", "alphabet": "hex", "checksum": "none"}).alphabet
        '0123456789abcdef'
        """
        values = dict(fields)
        for name, value in values.items():
            if name not in _FIELDS:
                raise ValueError(f"{name[:40]}: no such field")
            if not isinstance(value, _FIELDS[name]) or isinstance(value, bool):
                raise ValueError(f"{name}: of the wrong type")
        if not all(isinstance(one, str) for one in values.get("environments", ())):
            raise ValueError("environments: 1-16 letters and digits each")
        if "environments" in values:
            values["environments"] = tuple(values["environments"])
        if "alphabet" in values:
            values["alphabet"] = ALPHABETS.get(values["alphabet"], values["alphabet"])
        return cls(**values)

    def fields(self) -> dict[str, Any]:
        """All of it, as `of` takes it.

        >>> KeyTemplate.of(DEFAULT_API_KEY.fields()) == DEFAULT_API_KEY
        True
        """
        found = {name: getattr(self, name) for name in _FIELDS}
        return found | {"environments": list(self.environments)}

    @property
    def entropy_bits(self) -> float:
        """What a guesser has to guess: `length` characters of the alphabet."""
        return self.length * math.log2(len(self.alphabet))

    def generate(
        self,
        environment: str | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> str:
        """A new key; every character of the alphabet is equally likely.

        Raises ValueError when the environment is not one of the template's (None where it has
        none).

        >>> KeyTemplate(prefix="sk_rsv", environments=()).generate().startswith("sk_rsv_")
        True
        """
        if environment not in (self.environments or (None,)):
            raise ValueError(f"environment: one of {self.environments}, not {environment!r}")
        head = self._stem + (f"{environment}_" if environment else "")
        while True:
            body = head + self._draw(random_bytes)
            if self.checksum == "none":
                return body
            body += "_"
            # A checksum too short for all of CRC-32 misses one slip in some hundred thousand. Keys
            # that have such a neighbour (about one in a thousand, for four characters of 36) are
            # not handed out.
            if len(self.alphabet) ** self.checksum_length >= 2**32 or self._tells_slips(body):
                return body + self._checksum(body)

    def read(self, key: str) -> KeyParts:
        """Take a key apart, in bounded time and without any look-up. Raises MalformedKey,
        BadChecksum.
        """
        if len(key) > self._max_length:
            raise MalformedKey(detail=f"longer than {self._max_length} characters")
        found = self._form.fullmatch(key)
        if found is None:
            raise MalformedKey(detail=self._hint(key))
        named = found.groupdict()
        checksum = named.get("checksum")
        if checksum is not None and checksum != self._checksum(key[: -self.checksum_length]):
            raise BadChecksum
        return KeyParts(self.prefix, named.get("environment"), named["secret"], checksum)

    def recognizes(self, text: str) -> bool:
        """Whether this claims to be such a key: by its prefix, or by its whole form where it has
        none.

        >>> DEFAULT_API_KEY.recognizes("kt_live_cut"), DEFAULT_API_KEY.recognizes("kts_live_cut")
        (True, False)
        """
        if self.prefix:
            return text.startswith(self._stem)
        return len(text) <= self._max_length and self._form.fullmatch(text) is not None

    @property
    def _stem(self) -> str:
        return f"{self.prefix}_" if self.prefix else ""

    def _draw(self, random_bytes: Callable[[int], bytes]) -> str:
        # 256 is no multiple of 62: bytes above the last whole multiple are thrown away, not folded
        # back.
        base = len(self.alphabet)
        limit = 256 - 256 % base
        drawn: list[str] = []
        for _ in range(_MAX_DRAWS):
            drawn.extend(self.alphabet[b % base] for b in random_bytes(self.length) if b < limit)
            if len(drawn) >= self.length:
                return "".join(drawn[: self.length])
        raise RuntimeError("the source of random bytes is broken")

    def _checksum(self, body: str) -> str:
        number = zlib.crc32(body.encode("ascii"))
        digits: list[str] = []
        for _ in range(self.checksum_length):
            number, digit = divmod(number, len(self.alphabet))
            digits.append(self.alphabet[digit])
        return "".join(reversed(digits))

    def _tells_slips(self, body: str) -> bool:
        right = self._checksum(body)
        start = len(body) - 1 - self.length
        for at in range(start, len(body) - 1):
            before, this, after = body[:at], body[at], body[at + 1 :]
            slips = [before + other + after for other in self.alphabet if other != this]
            if after[0] not in ("_", this):
                slips.append(before + after[0] + this + after[1:])
            if right in map(self._checksum, slips):
                return False
        return True

    def _hint(self, key: str) -> str:
        if self.checksum == "crc32" and self._form.fullmatch(f"{key}_{'0' * self.checksum_length}"):
            return "cut before the checksum"
        return f"not of the form {self._stem}…" if not self.recognizes(key) else "wrong form"


DEFAULT_API_KEY = KeyTemplate()
"""API keys: `kt_live_…`, 32 base62 characters (190 bits) and the whole CRC-32."""
DEFAULT_CLIENT_SECRET = KeyTemplate(prefix="kts")
"""Client secrets: the same, as `kts_live_…`."""


def key_digest(key: str) -> bytes:
    """What is stored and compared instead of the key: its SHA-256, 32 bytes.

    A key has more than 128 bits of chance, so a slow password hash would protect nothing more.

    >>> key_digest("kt_live_example").hex()[:8]
    'e4436f15'
    """
    # surrogatepass: a text that is no UTF-8 has a digest as well, one that nobody stored.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def prefix_of(key: str) -> str:
    """What may be shown of the front of a key: the parts before its secret; "" for an opaque one.

    >>> prefix_of("kt_live_9aBcDeFgHiJkLmNoPqRsTuVwXyZ01234_0aBcDe")
    'kt_live'
    """
    parts = key.split("_")
    for number, part in enumerate(parts):
        if len(part) > _LONGEST_SHORT_PART:
            return "_".join(parts[:number])
    return ""


def last_four(key: str) -> str:
    """What may be shown of the end of a key.

    >>> last_four("kt_live_9aBcDeFgHiJkLmNoPqRsTuVwXyZ01234_0aBcDe")
    'BcDe'
    """
    return key[-4:]
