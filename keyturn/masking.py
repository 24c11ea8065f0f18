"""Mask whatever looks like a secret of ours, wherever it turns up in a log line.

A line is masked by the form of what is in it, not by the name of a field: what leaks is what
nobody thought of. So it errs to the safe side, and reads on where a strict pattern would stop –
behind an escaped newline, in a URL, in a ``repr``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from keyturn.apikey import DEFAULT_API_KEY, KeyTemplate

HIDDEN = "****"
MIN_LITERAL = 6
"""Shorter secrets are not looked for by value: half of every line would be masked."""
MAX_DEPTH = 8

_PLAIN = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"})
"""What every record has; whatever else is in one was put there by ``extra``."""

_SEPARATOR = r"(?:_|%5[Ff])"
_OWN_IDS = (
    # Ids of ours have the shape of a prefix and many letters too, and lines are useless without.
    r"(?!(?:client|key|org|plan|res|sec|usr)_[0-9a-hjkmnp-tv-z]{26}(?![A-Za-z0-9_])"
    r"|req_[0-9a-f]{24}(?![A-Za-z0-9_])|evt_[0-9a-f]{30}(?![A-Za-z0-9_]))"
)
_PATTERNS = (
    # A JWS or JWE, whole or cut: its header is JSON, so it begins with `{"` in base64url.
    (re.compile(r"eyJ[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]*)*"), f"eyJ{HIDDEN}"),
    # Credentials as HTTP sends them: Basic holds a client's secret in base64.
    (
        re.compile(r"(?i)\b(basic|bearer|dpop)(\s+|%20)[A-Za-z0-9+/=_.~\-]{16,}"),
        rf"\1 {HIDDEN}",
    ),
    (
        re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)"),
        HIDDEN,
    ),
    # The password in a URL.
    (re.compile(r"(?<=://)([^\s/:@'\"]*):[^\s/@'\"]+@"), rf"\1:{HIDDEN}@"),
    # The secret of a one-time sign-in.
    (re.compile(r"(?i)(sign-in(?:#|%23))[A-Za-z0-9_\-]+"), rf"\1{HIDDEN}"),
)
# Of any template with a prefix: the prefix, an environment, and at least 128 bits of letters.
_ANY_KEY = re.compile(
    rf"(?<![A-Za-z0-9_]){_OWN_IDS}"
    rf"(?P<shown>(?:[A-Za-z0-9]{{1,16}}{_SEPARATOR}){{1,5}})"
    rf"[A-Za-z0-9]{{22,128}}(?:{_SEPARATOR}[A-Za-z0-9]{{4,8}})?(?![A-Za-z0-9])"
)


class Masker:
    """Masks keys of these prefixes (and of any other that is long enough), tokens, and the secrets
    that it was told. ``secrets`` are looked for by value, keys without a prefix by their ``opaque``
    templates.

    >>> Masker().text("got kt_live_9aBcDeFgHiJkLmNoPqRsTuVwXyZ01234_0aBcDe from 10.0.0.1")
    'got kt_live_****BcDe from 10.0.0.1'
    """

    def __init__(
        self,
        key_prefixes: Iterable[str] = ("kt",),
        secrets: Iterable[str] = (),
        opaque: Iterable[KeyTemplate] = (),
    ) -> None:
        prefixes = {"kt", "kts"} | {p for one in key_prefixes for p in (one, one + "s")}
        parts = "|".join(
            re.escape(one).replace("_", _SEPARATOR) for one in sorted(prefixes, key=len)[::-1]
        )
        # No look behind the prefix: a key after a `\n` that repr has spelt out is a key as well.
        # Cut ones too; the environment is shown, what follows is not.
        self._own_key = re.compile(
            rf"(?P<shown>(?:{parts}){_SEPARATOR}(?:[a-z]{{1,16}}{_SEPARATOR})?)"
            rf"(?:[A-Za-z0-9_]|%5[Ff]){{10,}}"
        )
        values = sorted({one for one in secrets if len(one) >= MIN_LITERAL}, key=len)[::-1]
        self._literal = re.compile("|".join(map(re.escape, values))) if values else None
        self._opaque = [
            re.compile(rf"(?<![A-Za-z0-9_])(?P<shown>){one.pattern}(?![A-Za-z0-9_])")
            for one in opaque
        ]

    def text(self, text: str) -> str:
        """The text, with everything that looks like a secret masked."""
        if self._literal is not None:
            text = self._literal.sub(HIDDEN, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        for pattern in (self._own_key, _ANY_KEY, *self._opaque):
            text = pattern.sub(_shortened, text)
        return text

    def value(self, value: Any, depth: int = 0) -> Any:
        """The same for whatever a line may hold; what is no JSON becomes its masked text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray):
            return self.text(value.decode("utf-8", "backslashreplace"))
        if depth < MAX_DEPTH and isinstance(value, Mapping):
            return {self.text(str(k)): self.value(v, depth + 1) for k, v in value.items()}
        if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
            return [self.value(one, depth + 1) for one in value]
        return self.text(str(value))


def _shortened(found: re.Match[str]) -> str:
    # The last four characters are what people know a key by, where there are enough others.
    whole, shown = found[0], found["shown"]
    last = whole[-4:] if len(whole) - len(shown) >= 22 else ""
    return f"{shown}{HIDDEN}{last}"


class MaskingFilter(logging.Filter):
    """Masks secrets in a record before any handler spells it out; lets every record pass.

    Put it on handlers rather than on loggers: a logger filters only what is said to itself. Keys
    of the ``templates`` are masked however short they were cut, opaque ones where they are whole.

    >>> key = DEFAULT_API_KEY.generate("live")
    >>> record = logging.makeLogRecord({"msg": "got %s", "args": (key,)})
    >>> MaskingFilter().filter(record), record.getMessage()[:16]
    (True, 'got kt_live_****')
    """

    def __init__(
        self,
        templates: Iterable[KeyTemplate] = (DEFAULT_API_KEY,),
        secrets: Iterable[str] = (),
    ) -> None:
        super().__init__()
        templates = tuple(templates)
        self._masker = Masker(
            (one.prefix for one in templates if one.prefix),
            secrets,
            (one for one in templates if not one.prefix),
        )
        self._formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask message, traceback, stack and extra fields, in place."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit would be printed as they are
            message = f"{record.msg} {record.args}"
        record.msg, record.args = self._masker.text(message), None
        if record.exc_info:
            # As text: whoever has the exception prints it with what it holds.
            record.exc_text = record.exc_text or self._formatter.formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._masker.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._masker.text(record.stack_info)
        for name in record.__dict__.keys() - _PLAIN:
            record.__dict__[name] = self._masker.value(record.__dict__[name])
        return True
