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
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from keyturn.async_bearer import AsyncVerifier
from keyturn.bearer import Verifier
from keyturn.chance import chance
from keyturn.errors import VerifierUnavailable
from keyturn.issuer import IssuerApi
from keyturn.networks import coarse_network
from keyturn.restrictions import IPAddress

log = logging.getLogger("keyturn")

PATH = "/v1/usage/reports"
MAX_ENTRIES = 100
MAX_REQUESTS = 50
"""Of one report."""
MAX_TEXT = 256
MAX_SCOPE = 256
HOUR = 3600
SUCCESS, LIMITED, REFUSED = "success", "limited", "refused"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_METHOD = re.compile(r"[A-Z]{1,16}")

Kind = tuple[str, int, str, str, str, str | None]
"""Credential, hour since the epoch, route class, scope, outcome, network."""


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """A single request as the usage log shows it; `route` is the template, not the path.

    >>> ServedRequest("GET", "/bookings/{id}", 200, at=0.0).told("key_1")["at"]
    '1970-01-01T00:00:00Z'
    """

    method: str
    route: str
    status: int
    outcome: str = SUCCESS
    reason: str | None = None
    seconds: float | None = None
    """That it took."""
    ip: str | IPAddress | None = None
    user_agent: str | None = None
    request_id: str | None = None
    at: float = field(default_factory=time.time)

    def told(self, credential_id: str) -> dict[str, Any]:
        """As a report has it; what the issuer would not take is cut, or left out."""
        method = self.method.upper()
        return {
            "credential_id": credential_id,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat().replace("+00:00", "Z"),
            "method": method if _METHOD.fullmatch(method) else "OTHER",
            "route": _printable(self.route, MAX_TEXT) or "",
            "status": self.status,
            "latency_ms": None if self.seconds is None else round(max(0, self.seconds) * 1000, 1),
            "ip": _address(self.ip),
            "user_agent": _printable(self.user_agent, MAX_TEXT),
            "request_id": _printable(self.request_id, 64),
            "outcome": self.outcome,
            "reason": self.reason,
        }


def _printable(text: str | None, most: int) -> str | None:
    return "".join(filter(str.isprintable, text))[:most] or None if text else None


def _address(ip: str | IPAddress | None) -> str | None:
    try:
        return None if ip is None else str(ip_address(str(ip)))
    except ValueError:
        return None


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
        requests: float = 0.0,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = chance,
    ) -> None:
        """`verifier`: with client_id and client_secret. `room`: kinds of use that are held at most,
        those that wait for the issuer included, and as many single requests. `requests`: which
        share of them is reported one by one, for the issuer's usage log; 1: all. Raises ValueError.
        """
        if verifier.issuer_api is None:
            raise ValueError("verifier: has no client_id to report with")
        if not 0 <= requests <= 1:
            raise ValueError("requests: a share, from 0 to 1")
        self._share = requests
        self._chance = chance
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

    @property
    def wants_requests(self) -> bool:
        """Whether single requests are reported, or a share of them."""
        return self._share > 0

    def served(self, credential_id: str, request: ServedRequest) -> None:
        """One request by itself, as far as that is wanted; it was counted before."""
        if not self._share or (self._share < 1 and self._chance() >= self._share):
            return
        if self._process != os.getpid():
            self._begin()
        with self._lock:
            if len(self._requests) < self._size:
                self._requests.append((credential_id, request))
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
        lost = sum(one.get("count", 1) for report in self._reports for one in _parts(report))
        if lost:
            log.error("usage: %d uses are not reported, the issuer is away", lost)
            self._reports.clear()
        atexit.unregister(self.close)

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._counts: dict[Kind, int] = {}
        self._requests: deque[tuple[str, ServedRequest]] = deque()
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
            except Exception:
                # A thread that died in silence would lose all that is counted from then on.
                log.exception("usage: not reported; there will be another time")

    def _pack(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, {}
            requests, self._requests = self._requests, deque()
            dropped, self._dropped = self._dropped, 0
        if dropped:
            log.error("usage: %d uses found no room and are not reported", dropped)
        entries = [_entry(kind, count) for kind, count in counts.items() if _ID.fullmatch(kind[0])]
        single = [request.told(id) for id, request in requests if _ID.fullmatch(id)]
        for name, told, most in (
            ("entries", entries, MAX_ENTRIES),
            ("requests", single, MAX_REQUESTS),
        ):
            for start in range(0, len(told), most):
                part = told[start : start + most]
                self._reports.append({"id": secrets.token_hex(16), name: part})
        self._make_room()

    def _make_room(self) -> None:
        self._room = self._size - sum(len(_parts(report)) for report in self._reports)

    def _send(self, report: dict[str, Any]) -> None:
        status, answer = self._issuer.post(PATH, report)
        if status != 200:
            log.error("usage: the issuer takes no such report: status %d, %s", status, answer)
        elif answer.get("ignored"):
            log.warning("usage: the issuer ignored %s entries", answer["ignored"])


def _parts(report: dict[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = report.get("entries") or report.get("requests") or []
    return parts


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
