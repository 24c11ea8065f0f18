"""Where verification keys come from: a fixed set, or a URL with cache and cooldown (RFC 7517)."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple, Protocol

from keyturn import wire
from keyturn.asking import FetchFailed, require_safe_url
from keyturn.discovery import Discovery
from keyturn.errors import VerifierUnavailable
from keyturn.fetch import Fetch
from keyturn.forks import survives_forks
from keyturn.jwk import DEFAULT_ALGORITHMS, VerificationKey, read_jwks, supported
from keyturn.talks import Answer, Pending, Question, Request, Talk, known

log = logging.getLogger("keyturn")

DEFAULT_LIFETIME = 300.0
MIN_LIFETIME = 30.0
MAX_LIFETIME = 3600.0
"""Seconds that keys are fresh: what Cache-Control says, within these bounds."""
COOLDOWN = 30.0
"""Seconds between two fetches that unknown key ids can cause, however many there are."""
MISSED_FOR = 60.0
"""Seconds for which a key id that a fetch did not find causes no other one."""
RETRY_AFTER = 5.0
"""Seconds between two attempts while the issuer does not answer."""
_PATIENCE = 1.0
"""Seconds that a request with an unknown key id waits for another request's fetch."""
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", re.IGNORECASE)
_NOT_KEPT = re.compile(r"(?:^|[,\s])no-(?:store|cache)(?:$|[,\s])", re.IGNORECASE)


class KeySource(Protocol):
    """Anything that knows verification keys by their id."""

    def get(self, kid: str) -> VerificationKey | None:
        """The key, or None where there is no such key. Raises VerifierUnavailable: cannot tell."""


class AtHand(NamedTuple):
    """A KeySource that never waits: its `get` raises Pending where it would have to."""

    get: Callable[[str], VerificationKey | None]


class FixedKeys:
    """Keys that are known beforehand.

    >>> FixedKeys.of_jwks({"keys": []}).get("k1") is None
    True
    """

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self._keys = {key.kid: key for key in keys}

    @classmethod
    def of_jwks(
        cls, jwks: Mapping[str, Any], algorithms: Collection[str] = DEFAULT_ALGORITHMS
    ) -> FixedKeys:
        """The usable keys of a JWK Set. Raises KeyturnError when it is none."""
        return cls(read_jwks(jwks, supported(algorithms)).values())

    def get(self, kid: str) -> VerificationKey | None:
        """The key of this name, if there is one."""
        return self._keys.get(kid)


@dataclass(frozen=True, slots=True)
class _Held:
    """The keys of one successful fetch; replaced as a whole, so readers need no lock."""

    keys: Mapping[str, VerificationKey]
    url: str
    etag: str
    fresh_until: float
    usable_until: float


class JwksUrl:
    """The keys at a URL, fetched when needed and kept as long as they are good.

    One thread or task fetches while the others go on with the keys they have. Nothing that a
    stranger sends and no failed fetch removes a key; keys that cannot be refreshed serve for
    `max_stale` more, after which nobody can say what is valid, and `get` raises
    VerifierUnavailable.
    """

    def __init__(
        self,
        url: str | Callable[[], Talk[str]],
        *,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        fetch: Fetch | None = None,
        max_stale: timedelta = timedelta(hours=1),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` may be a talk that comes to the address. Raises ValueError for an unsafe one."""
        if isinstance(url, str):
            fixed = require_safe_url(url, "jwks_uri")
            self._locate: Callable[[], Talk[str]] = lambda: known(fixed)
        else:
            self._locate = url
        self._algorithms = supported(algorithms)
        self._fetch = fetch or Fetch()
        self._max_stale = max_stale.total_seconds()
        self._monotonic = monotonic
        self._held: _Held | None = None
        self._attempted_at = float("-inf")
        self._attempts = 0
        self._failure = ""
        self._sought: str | None = None
        self._missed: dict[str, float] = {}
        self.forked()
        survives_forks(self)

    def forked(self) -> None:
        self._lock = threading.Lock()
        self._is_asking = False

    @classmethod
    def of_issuer(
        cls,
        issuer: str,
        *,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        fetch: Fetch | None = None,
        max_stale: timedelta = timedelta(hours=1),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> JwksUrl:
        """The keys of an issuer, wherever its metadata says they are (RFC 8414)."""
        discovery = Discovery(require_safe_url(issuer, "issuer"), monotonic=monotonic)
        return cls(
            discovery.jwks_uri,
            algorithms=algorithms,
            fetch=fetch,
            max_stale=max_stale,
            monotonic=monotonic,
        )

    def get(self, kid: str) -> VerificationKey | None:
        """The key of this name; None when the issuer has none. Raises VerifierUnavailable."""
        try:
            return self.find(kid)
        except Pending as pending:
            return self._fetch.after(pending, lambda _: self.find(kid))

    def find(self, kid: str) -> VerificationKey | None:
        """The same, out of memory. Raises Pending where the issuer has to be asked."""
        held = self._held
        if held is None or self._monotonic() >= held.fresh_until:
            held = self._while_due()
        key = held.keys.get(kid)
        if key is not None:
            return key
        key = self._look_again(kid, held)
        if key is None and self._failure:
            # It may be a key that we could not learn of: that is our trouble, not the caller's.
            raise self._unavailable()
        return key

    def require_usable(self) -> None:
        """Raises VerifierUnavailable where there are no keys to go by, and Pending as `find`."""
        held = self._held
        if held is None or self._monotonic() >= held.fresh_until:
            self._while_due()

    def _while_due(self) -> _Held:
        """Keys that are due: one request renews them, the others use what is there."""
        attempts = self._attempts
        held, now = self._held, self._monotonic()
        if held is not None and now < held.usable_until:
            with self._lock:
                if now < max(self._attempted_at + RETRY_AFTER, held.fresh_until):
                    return held
                self._attempted_at, self._is_asking = now, True
            raise Pending(self._question(attempts))
        # Nothing to go on with: all wait for one fetch, and share its failure.
        if self._is_asking or now >= self._attempted_at + RETRY_AFTER:
            raise Pending(self._question(attempts))
        raise self._unavailable()

    def _look_again(self, kid: str, held: _Held) -> VerificationKey | None:
        """Raises Pending if it is time to look for this one: a forged `kid` is cheap."""
        attempts = self._attempts
        now, newer = self._monotonic(), self._held or held
        if kid in newer.keys or now < self._missed.get(kid, now):
            return newer.keys.get(kid)
        if now >= self._attempted_at + COOLDOWN:
            self._sought = kid
        elif not self._is_asking:
            return None
        # Many requests with the first token of a new key: one fetches, the others wait for it.
        raise Pending(self._question(attempts, _PATIENCE))

    def _question(self, attempts: int, patience: float | None = None) -> Question[None]:
        return Question(self, partial(self._attempt, attempts), patience)

    def _attempt(self, attempts: int) -> Talk[None]:
        """Fetch once; what was held stays when that fails. `attempts`: how many there were when it
        was found that another one is needed."""
        if attempts != self._attempts:
            return
        self._is_asking = True
        try:
            self._held = yield from self._ask(self._held)
            self._failure = ""
        except (FetchFailed, wire.Unreadable) as error:
            self._failure = error.detail
            log.warning("keys not refreshed: %s", error.detail)
        finally:
            self._attempted_at = self._monotonic()
            self._attempts += 1
            self._is_asking = False
            self._note_missed()

    def _note_missed(self) -> None:
        # At most one entry a cooldown, each for two cooldowns: the table stays as small as that.
        now, sought = self._monotonic(), self._sought
        self._missed = {k: until for k, until in self._missed.items() if now < until}
        if sought and not self._failure and self._held and sought not in self._held.keys:
            self._missed[sought] = now + MISSED_FOR
        self._sought = None

    def _ask(self, held: _Held | None) -> Talk[_Held]:
        url = yield from self._locate()
        is_known = held is not None and held.url == url and held.etag
        headers = {"if-none-match": held.etag} if held and is_known else {}
        answer = yield Request("GET", url, headers)
        if answer.status == 304 and held and is_known:
            return self._kept(held.keys, url, held.etag, answer)
        if answer.status != 200:
            raise FetchFailed(detail=f"GET {url}: status {answer.status}")
        keys = read_jwks(wire.json_object(answer.body), self._algorithms)
        if not keys:
            raise FetchFailed(detail=f"GET {url}: no usable key")
        return self._kept(keys, url, answer.headers.get("etag", ""), answer)

    def _kept(
        self, keys: Mapping[str, VerificationKey], url: str, etag: str, answer: Answer
    ) -> _Held:
        fresh_until = self._monotonic() + _lifetime(answer.headers.get("cache-control", ""))
        return _Held(keys, url, etag, fresh_until, fresh_until + self._max_stale)

    def _unavailable(self) -> VerifierUnavailable:
        return VerifierUnavailable(
            detail=f"keys: {self._failure or 'being fetched'}", retry_after=round(RETRY_AFTER)
        )


def _lifetime(cache_control: str) -> float:
    if _NOT_KEPT.search(cache_control):
        return MIN_LIFETIME
    age = _MAX_AGE.search(cache_control)
    return min(max(float(age[1]), MIN_LIFETIME), MAX_LIFETIME) if age else DEFAULT_LIFETIME
