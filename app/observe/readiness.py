"""Whether a token could be issued now: asked by load balancers, answered in bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import StartRefused, Unavailable

DATABASE_AWAY = "database_unavailable"
DATABASE_SLOW = "database_timeout"
NO_SIGNING_KEY = "signing_key_unavailable"
JOURNAL_FULL = "journal_full"
JOURNAL_UNWRITABLE = "journal_unwritable"
REASONS = (DATABASE_AWAY, DATABASE_SLOW, NO_SIGNING_KEY, JOURNAL_FULL, JOURNAL_UNWRITABLE)
"""All that a stranger is told; what lies behind one is in the log."""

MAX_DEADLINE = 2.0
"""Seconds: orchestrators give a probe one to five."""

Check = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ready or not, and a word for what is wrong (one may be ready for a while without it)."""

    is_ready: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What is asked. The first two may take long or for ever, the others may not."""

    database: Check
    """Raises Unavailable."""
    signing_key: Check
    """Raises Unavailable and StartRefused."""
    is_bearable: Callable[[], bool]
    """Whether what is known here may still be served without the database."""
    has_signing_key: Callable[[], bool]
    journal_is_full: Callable[[], bool]
    journal_is_writable: Callable[[], bool]


class Readiness:
    """One question to the database at a time, however many ask; nobody waits past the deadline."""

    def __init__(self, checks: Checks, deadline: float) -> None:
        self._checks = checks
        self._deadline = min(deadline, MAX_DEADLINE)
        self._lock = threading.Lock()
        self._question: _Question | None = None

    def __call__(self) -> Verdict:
        checks = self._checks
        if not checks.journal_is_writable():
            return Verdict(False, JOURNAL_UNWRITABLE)
        if checks.journal_is_full():
            return Verdict(False, JOURNAL_FULL)
        reason = self._asked().answer()
        if reason in (DATABASE_AWAY, DATABASE_SLOW):
            return Verdict(checks.is_bearable() and checks.has_signing_key(), reason)
        return Verdict(reason is None, reason)

    def _asked(self) -> _Question:
        with self._lock:
            question = self._question
            if question is None or question.is_answered:
                question = self._question = _Question(self._checks, self._deadline)
                question.start()
            return question


class _Question:
    """Asks the database in a thread, which may hang there; we do not."""

    def __init__(self, checks: Checks, deadline: float) -> None:
        self._checks = checks
        self._until = time.monotonic() + deadline
        self._done = threading.Event()
        self._reason: str | None = None

    @property
    def is_answered(self) -> bool:
        return self._done.is_set()

    def start(self) -> None:
        threading.Thread(target=self._ask, name="readiness", daemon=True).start()

    def answer(self) -> str | None:
        """What is wrong. One that hangs is not waited for a second time."""
        if self._done.wait(max(0.0, self._until - time.monotonic())):
            return self._reason
        return DATABASE_SLOW

    def _ask(self) -> None:
        try:
            self._checks.database()
            self._checks.signing_key()
        except Unavailable:
            self._reason = DATABASE_AWAY
        except StartRefused:
            self._reason = NO_SIGNING_KEY
        except BaseException:
            self._reason = DATABASE_AWAY
            raise  # into the log: a bug of ours
        finally:
            self._done.set()
