"""Usage: what was used, counted where it is seen and reported to the issuer in batches."""

from __future__ import annotations

import atexit
import logging
import os
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from keyturn.async_bearer import AsyncVerifier
from keyturn.bearer import Verifier
from keyturn.errors import VerifierUnavailable
from keyturn.issuer import IssuerApi
from keyturn.networks import coarse_network
from keyturn.restrictions import IPAddress

log = logging.getLogger("keyturn")

PATH = "/v1/usage/reports"
MAX_ENTRIES = 100
"""Of one report."""
MAX_SCOPE = 256
HOUR = 3600
SUCCESS, LIMITED, REFUSED = "success", "limited", "refused"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Kind = tuple[str, int, str, str, str, str | None]
"""Credential, hour since the epoch, route class, scope, outcome, network."""


class UsageReporter:
    """Counts by credential, route class, scope, outcome and coarse network, and tells the issuer.

    A thread of its own sends what was counted; a request only adds one in memory. While the issuer
    is away it is kept, and sent under the same id, so that it counts once. What finds no room is
    dropped, and the log says how much. What is left is sent when the process ends. Thread-safe, and
    safe to take over a fork.

    >>> verifier = Verifier("https://auth.example.com", "https://api.example.com", "client", "…")
    >>> usage = UsageReporter(verifier, interval=timedelta(seconds=30))
    """

    def __init__(
        self,
        verifier: Verifier | AsyncVerifier,
        *,
        interval: timedelta = timedelta(seconds=10),
        room: int = 20_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`verifier`: with client_id and client_secret. `room`: kinds of use that are held at most,
        those that wait for the issuer included."""
        if verifier.issuer_api is None:
            raise ValueError("verifier: has no client_id to report with")
        self._issuer: IssuerApi = verifier.issuer_api
        self._interval = interval.total_seconds()
        self._size = room
        self._now = now
        self._begin()
        self._issuer.before_close.append(self.close)
        atexit.register(self.close)

    def note(
        self,
        credential_id: str,
        outcome: str = SUCCESS,
        *,
        route_class: str = "",
        scope: str = "",
        ip: str | IPAddress | None = None,
    ) -> None:
        """One use. `scope`: what the route needed."""
        if self._process != os.getpid():
            self._begin()  # what was counted before the fork is the parent's to report
        network = coarse_network(ip if ip is None or isinstance(ip, str) else str(ip))
        kind = (credential_id, int(self._now()) // HOUR, route_class, scope, outcome, network)
        with self._lock:
            try:
                self._counts[kind] += 1
            except KeyError:
                if len(self._counts) < self._room:
                    self._counts[kind] = 1
                else:
                    self._dropped += 1
        if self._thread is None:
            self._start()

    def flush(self) -> None:
        """Send what there is. Raises VerifierUnavailable; what was not sent is kept."""
        with self._sending:
            self._pack()
            while self._reports:
                self._send(self._reports[0])
                self._reports.popleft()
                self._make_room()

    def close(self) -> None:
        """Send what there is for the last time, and stop."""
        if self._process != os.getpid():
            return
        self._ended.set()
        with suppress(VerifierUnavailable):
            self.flush()
        lost = sum(one["count"] for report in self._reports for one in report["entries"])
        if lost:
            log.error("usage: %d uses are not reported, the issuer is away", lost)
            self._reports.clear()
        atexit.unregister(self.close)

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._counts: dict[Kind, int] = {}
        self._reports: deque[dict[str, Any]] = deque()
        self._room = self._size
        self._dropped = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name="keyturn-usage", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        wait = self._interval
        while not self._ended.wait(wait):
            wait = self._interval
            try:
                self.flush()
            except VerifierUnavailable as error:
                log.warning("usage: kept until the issuer is back: %s", error.detail)
                wait = max(wait, error.retry_after or 0)

    def _pack(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, {}
            dropped, self._dropped = self._dropped, 0
        if dropped:
            log.error("usage: %d uses found no room and are not reported", dropped)
        entries = [_entry(kind, count) for kind, count in counts.items() if _ID.fullmatch(kind[0])]
        for start in range(0, len(entries), MAX_ENTRIES):
            part = entries[start : start + MAX_ENTRIES]
            self._reports.append({"id": secrets.token_hex(16), "entries": part})
        self._make_room()

    def _make_room(self) -> None:
        self._room = self._size - sum(len(report["entries"]) for report in self._reports)

    def _send(self, report: dict[str, Any]) -> None:
        status, answer = self._issuer.post(PATH, report)
        if status != 200:
            log.error("usage: the issuer takes no such report: status %d, %s", status, answer)
        elif answer.get("ignored"):
            log.warning("usage: the issuer ignored %s entries", answer["ignored"])


def _entry(kind: Kind, count: int) -> dict[str, Any]:
    credential_id, hour, route_class, scope, outcome, network = kind
    return {
        "credential_id": credential_id,
        "bucket": datetime.fromtimestamp(hour * HOUR, UTC).isoformat().replace("+00:00", "Z"),
        "count": count,
        "route_class": route_class,
        "scope": scope if len(scope) <= MAX_SCOPE else "",
        "outcome": outcome,
        "network": network,
    }
