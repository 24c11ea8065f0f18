"""Status lists kept up to date in the background (draft-ietf-oauth-status-list §8.3).

One thread asks for every list in use again and again, by ETag; requests look into memory. The
thread is begun by the first token that names a list, once in each process.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from math import inf

from keyturn import wire
from keyturn.asking import FetchFailed, require_safe_url
from keyturn.chance import chance
from keyturn.errors import CredentialRefused, InvalidToken, Reason, VerifierUnavailable
from keyturn.fetch import Fetch
from keyturn.forks import survives_forks
from keyturn.jws import SignatureCheck
from keyturn.status_list import INVALID, MEDIA_TYPE, VALID, StatusList, StatusReference
from keyturn.talks import Pending, Question, Request, Talk, decided

log = logging.getLogger("keyturn")

DEFAULT_INTERVAL = timedelta(seconds=5)
SHORTEST_INTERVAL = timedelta(milliseconds=100)
MAX_LISTS = 64
"""Lists that are followed; the longest followed one is let go for a new one."""
MAX_LENGTH = 4 * 1024 * 1024
"""Bytes of a list's text, which travels as gzip where the server has that."""
LIFE = 3600.0
"""Seconds that a list without ``exp`` is good for."""
BEHIND = 60.0
"""Seconds for which an answer of a node that lags behind another one is passed over."""
_NOT_YET = "not fetched yet"


@dataclass(frozen=True, slots=True)
class _Held:
    """A list as it was last fetched; replaced as a whole, so readers need no lock."""

    list: StatusList
    etag: str
    usable_until: float
    """By the wall clock, as the issuer's ``exp``."""
    made_at: float
    """When this text of it came; by the monotonic clock, as the next one."""
    asked_at: float
    """When it was last found to be the newest."""


class Statuses:
    """What the lists of one issuer say, as far as it is known here.

    A list is served stale until its `exp`. After that, and before the first one came, nobody can
    say whether a token was revoked: then it is refused by VerifierUnavailable, or with
    `accept_unknown` taken as if there were no lists.
    """

    def __init__(
        self,
        check: SignatureCheck,
        fetch: Fetch,
        issuer: str,
        *,
        interval: timedelta = DEFAULT_INTERVAL,
        accept_unknown: bool = False,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not SHORTEST_INTERVAL <= interval <= timedelta(hours=1):
            raise ValueError(f"status_interval: from {SHORTEST_INTERVAL} to an hour")
        self._check = check
        self._fetch = fetch
        self._issuer = issuer
        self._interval = interval.total_seconds()
        self._accept_unknown = accept_unknown
        self._now = now
        self._monotonic = monotonic
        self.heard: Mapping[str, _Held] = {}
        """The lists as they are known now; another object as soon as anything is asked again."""
        self._failed: dict[str, str] = {}
        self._stop = threading.Event()
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None
        self.heard = {**self.heard}  # whoever goes by the old one looks again, and begins a thread

    def status(self, place: StatusReference, jti: str, now: float) -> int:
        """What stands at this place, or of this very token, now by the wall clock. Raises
        InvalidToken, VerifierUnavailable, and Pending where nobody has asked for the list yet.
        """
        held = self.heard.get(place.uri)
        if held is None or self._thread is None or now >= held.usable_until:
            held = self._obtained(place.uri)
            if held is None:
                return VALID
        listed = held.list
        found = listed.status_of(place.idx)
        if found is None:
            # §8.3: "If the provided index is out of bounds … the Referenced Token MUST be
            # rejected".
            raise InvalidToken(Reason.MALFORMED, detail=f"{place.idx} is beyond {place.uri}")
        return INVALID if not found and jti in listed.revoked else found

    def usable_until(self, place: StatusReference) -> float:
        """When the list that has this place is over, by the wall clock; no list is never over."""
        held = self.heard.get(place.uri)
        return inf if held is None else held.usable_until

    def news(self, place: StatusReference, since: float) -> int:
        """What a list says that is newer than this moment of the monotonic clock; VALID where it
        says nothing. Never waits.
        """
        held = self.heard.get(place.uri)
        if held is None or self._thread is None:
            self._follow(place.uri)
            return VALID
        return (held.list.status_of(place.idx) or VALID) if held.asked_at >= since else VALID

    def require_usable(self) -> None:
        """Raises VerifierUnavailable where lists are followed, and not one of them can be gone by.

        A single one that cannot be had is no reason to take nobody's token.
        """
        followed = {**self._failed, **self.heard}
        if followed and not self._accept_unknown and not any(map(self._usable, followed)):
            for uri in followed:
                self._obtained(uri)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()

    # By requests, when there is nothing to look into ---------------------------------------

    def _obtained(self, uri: str) -> _Held | None:
        self._start()
        held = self._usable(uri)
        if held is None and self._failed.get(uri, _NOT_YET) == _NOT_YET:
            # One asks, the others wait. From then on the thread does.
            raise Pending(Question((self, uri), partial(self._first, uri)))
        if held is None and not self._accept_unknown:
            raise VerifierUnavailable(
                detail=f"status list: {self._failed.get(uri, 'none')}",
                retry_after=max(1, round(self._interval)),
            )
        return held

    def _usable(self, uri: str) -> _Held | None:
        held = self.heard.get(uri)
        return held if held is not None and self._now() < held.usable_until else None

    # In the background ---------------------------------------------------------------------

    def _start(self) -> None:
        if self._thread is None and not self._stop.is_set():
            with self._lock:
                if self._thread is None:
                    # It must not keep a verifier alive that nobody has any more.
                    self._thread = threading.Thread(
                        target=_run, args=(weakref.ref(self), self._stop), name="keyturn-status",
                        daemon=True,
                    )  # fmt: skip
                    self._thread.start()

    def _follow(self, uri: str) -> None:
        """Let the thread fetch it, when it comes round."""
        self._failed.setdefault(uri, _NOT_YET)
        self._start()

    def refresh(self) -> float:
        """Ask for every list in use; answers for how many seconds to wait."""
        for uri in {**self._failed, **self.heard}:
            self._fetch.hold(self._refresh(uri))
        ttls = [held.list.ttl for held in tuple(self.heard.values()) if held.list.ttl]
        # §8.3: "it SHOULD check the ttl claim"; no oftener than once a second for that (§11.5).
        interval = min([self._interval, *(max(1.0, ttl) for ttl in ttls)])
        # Never longer, so that the interval is a promise; not all verifiers at the same moment.
        return interval * (0.8 + 0.2 * chance())

    def _first(self, uri: str) -> Talk[None]:
        if self._usable(uri) is None and self._failed.get(uri, _NOT_YET) == _NOT_YET:
            yield from self._refresh(uri)

    def _refresh(self, uri: str) -> Talk[None]:
        try:
            self._keep(uri, (yield from self._asked(uri, self.heard.get(uri))))
            self._failed.pop(uri, None)
        except (FetchFailed, wire.Unreadable, CredentialRefused, ValueError) as error:
            detail = getattr(error, "detail", "") or str(error)
            if self._failed.get(uri) != detail:
                log.warning("status list not refreshed: %s", detail)
            self._failed[uri] = detail
        if len(self._failed) > MAX_LISTS:
            self._failed.pop(next(iter(self._failed)))

    def _asked(self, uri: str, held: _Held | None) -> Talk[_Held]:
        asked_at = self._monotonic()
        headers = {"accept": MEDIA_TYPE}
        if held is not None and held.etag:
            headers["if-none-match"] = held.etag
        url = require_safe_url(uri, "status list")
        answer = yield Request("GET", url, headers, limit=MAX_LENGTH, takes_gzip=True)
        if answer.status == 304 and held is not None:
            return _Held(held.list, held.etag, held.usable_until, held.made_at, asked_at)
        if answer.status != 200:
            raise FetchFailed(detail=f"GET {uri}: status {answer.status}")
        # RFC 9110 §8.3: what it says it is; a list is no token, and a token no list.
        text = answer.body.decode("ascii", "replace")
        payload, _ = yield from decided(lambda: self._check.payload(text))
        found = StatusList.read(payload, uri, self._issuer)
        now = self._now()
        usable_until = now + LIFE if found.exp is None else float(found.exp)
        if usable_until <= now:
            raise FetchFailed(detail=f"GET {uri}: expired at {found.exp}")
        if held is not None and found.version < held.list.version:
            if asked_at < held.made_at + BEHIND:
                return held
            log.warning("status list %s went back to version %s", uri, found.version)
        return _Held(found, answer.headers.get("etag", ""), usable_until, asked_at, asked_at)

    def _keep(self, uri: str, held: _Held) -> None:
        with self._writing:
            lists = self.heard
            if uri not in lists and len(lists) >= MAX_LISTS:
                lists = {known: lists[known] for known in tuple(lists)[1:]}
            # Replaced, not changed: others may be going through it.
            self.heard = {**lists, uri: held}


def _run(found: weakref.ref[Statuses], stop: threading.Event) -> None:
    wait = 0.0
    while not stop.wait(wait):
        statuses = found()
        if statuses is None:
            return
        try:
            wait = statuses.refresh()
        except Exception:
            # A thread that died in silence would leave revoked tokens in use until `exp`.
            log.exception("status lists not refreshed")
            wait = 1.0
        del statuses
