"""Log lines: one formatter for ours and everybody else's, as JSON or for people to read.

Every line has ``time`` (RFC 3339, UTC), ``level``, ``logger`` and ``event``; ``request_id`` and
``trace_id`` where there is one; and nothing in it looks like a secret (``keyturn.masking``).
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import urlsplit

import structlog

from app.observe.repeats import BoundedHandler
from app.settings import Settings
from keyturn.masking import Masker

MAX_EVENT = 4_000
MAX_EXCEPTION = 20_000
"""Characters of a line's message, and of the traceback under it."""

OURS = ("app", "keyturn")
"""Everybody else speaks from ``warning`` on: at lower levels Authlib logs tokens, and SQLAlchemy
every statement with its parameters."""

GRANIAN: dict[str, Any] = {
    "incremental": True,  # or it would close the handlers that are there
    "formatters": {},
    "handlers": {},
    "loggers": {
        name: {"propagate": True, "level": "INFO"} for name in ("_granian", "granian.access")
    },
}
"""What Granian takes as ``log_dictconfig``: no handlers of its own, so its lines come here."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_FIRST = ("time", "level", "logger", "event", "request_id", "trace_id")


def configure(settings: Settings, stream: IO[str] | None = None) -> logging.Handler:
    """Let every log line of this process go to ``stream`` (stderr); called once, at its start."""
    out = stream or sys.stderr
    chosen = settings.log_format or ("text" if out.isatty() else "json")
    handler = BoundedHandler(lambda line: (out.write(line + "\n"), out.flush()))
    handler.setFormatter(formatter(chosen, masker(settings)))
    level = getattr(logging, settings.log_level.upper())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in GRANIAN["loggers"]:
        for old in (granian := logging.getLogger(name)).handlers[:]:
            granian.removeHandler(old)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return handler


def masker(settings: Settings) -> Masker:
    """Knows the form of this installation's keys, and its own secrets by value."""
    passwords = (
        urlsplit(url or "").password for url in (settings.database_url, settings.redis_url)
    )
    own = (settings.master_key, settings.metrics_token, *passwords)
    return Masker((settings.key_prefix,), [secret for secret in own if secret])


def formatter(kind: str, masker: Masker) -> logging.Formatter:
    """``json`` or ``text``."""
    fields = _Fields(masker)
    render = structlog.processors.JSONRenderer() if kind == "json" else _as_text
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), structlog.processors.format_exc_info],
        processors=[fields, render],
    )


class _Fields:
    """The fields of a line, in order, masked: the last step before it is spelt out."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker

    def __call__(self, _logger: Any, _method: str, found: Any) -> dict[str, Any]:
        record: logging.LogRecord = found.pop("_record")
        found.pop("_from_structlog")
        exception = found.pop("exception", None)
        stack = found.pop("stack_info", None)
        named = {
            **found,
            "time": _instant(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": found["event"],
        }
        line = {name: named.pop(name) for name in _FIRST if named.get(name) is not None}
        line |= {name: value for name, value in named.items() if value is not None}
        masked: dict[str, Any] = self._masker.value(line)
        masked["event"] = _clipped(str(masked["event"]), MAX_EVENT)
        for name, text in (("exception", exception), ("stack", stack)):
            if text:
                masked[name] = _clipped(self._masker.text(str(text)), MAX_EXCEPTION)
        return masked


def _as_text(_logger: Any, _method: str, found: Any) -> str:
    """One line for people, and the traceback indented below it; nothing in it can begin a line."""
    below = [found.pop(name) for name in ("exception", "stack") if name in found]
    head = "{} {:<7} {}: {}".format(*(found.pop(name) for name in _FIRST[:4]))
    also = "".join(f" {name}={value}" for name, value in found.items())
    lines = [_CONTROL.sub(_spelt, head + also)]
    for text in below:
        lines += [f"    {line}" for line in _CONTROL_BUT_NEWLINE.sub(_spelt, text).split("\n")]
    return "\n".join(lines)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def _spelt(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]


def _uncaught_in_thread(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None and not issubclass(found.exc_type, SystemExit):
        _uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def _uncaught(kind: type[BaseException], raised: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        sys.__excepthook__(kind, raised, trace)
    else:
        logging.getLogger("app").critical("uncaught", exc_info=(kind, raised, trace))
