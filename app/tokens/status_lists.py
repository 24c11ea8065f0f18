"""Status lists: what this server says of its credentials, signed (draft-ietf-oauth-status-list).

Made when the feed says that a list has changed, not when somebody asks; to whoever asks in
between, the same bytes are given.
"""

from __future__ import annotations

import gzip
import threading
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from app.settings import Settings
from app.storage import statuses
from app.storage.feed import Feed
from app.storage.statuses import STATUS_LISTS, Contents, place_of, status_list_uri
from app.storage.store import Store
from app.tokens.keyring import Keyring
from keyturn.status_list import REVOKED_TOKENS, TYPE, VALID, VERSION

BITS = 2
"""VALID, INVALID and SUSPENDED (§7.1)."""


@dataclass(frozen=True, slots=True)
class StatusListToken:
    """A signed list (§5.1), and what tells it apart from the one before."""

    etag: str
    """The same on every node, though each signs for itself."""
    jwt: str = field(repr=False)
    gzipped: bytes = field(repr=False)
    """The same for whoever takes gzip: base64 twice over is a third and more too long."""


class StatusLists:
    """The lists as this process knows them. Every method may raise Unavailable."""

    def __init__(self, store: Store, feed: Feed, keyring: Keyring, settings: Settings) -> None:
        self._store = store
        self._feed = feed
        self._keyring = keyring
        self._issuer = settings.issuer
        self._ttl = int(settings.status_list_ttl.total_seconds())
        self._life = int(settings.status_list_life.total_seconds())
        self._known: dict[int, Contents] = {}
        self._signed: dict[int, StatusListToken] = {}
        self._numbers: tuple[int, ...] = ()
        self._generation = 0
        self._letting_go = threading.Lock()

    def standing(self, status: Mapping[str, Any] | None) -> int:
        """The status of what a token names by its ``status`` claim; VALID where it names none."""
        place = place_of(status)
        contents = None if place is None else self._contents(place[0])
        if place is None or contents is None:
            return VALID
        return contents.stopped.get(place[1], VALID)

    def uris(self) -> list[str]:
        """Where all the lists are (§9.3)."""
        return [status_list_uri(self._issuer, number) for number in self._all()]

    def signed(self, number: int) -> StatusListToken | None:
        """A list as it is published; None where there is no such list."""
        self._feed.require_fresh()
        contents = self._contents(number) if number in self._all() else None
        if contents is None:
            return None
        signer, now = self._keyring.signer, int(self._store.clock().timestamp())
        # Signed anew in time, so that whoever is told «not modified» still has most of its life.
        period = 3 * now // self._life
        marks = f"{contents.version} {period} {signer.kid} {self._ttl} {self._life}"
        etag = sha256(marks.encode()).hexdigest()[:32]
        known = self._signed.get(number)
        if known is None or known.etag != etag:
            payload = orjson.dumps(self._claims(number, contents, now))
            jwt = signer.sign_as(TYPE, payload)
            known = StatusListToken(etag, jwt, gzip.compress(jwt.encode(), 6, mtime=0))
            self._signed[number] = known
        return known

    def _claims(self, number: int, contents: Contents, now: int) -> dict[str, Any]:
        claims = {
            "iss": self._issuer,
            "sub": status_list_uri(self._issuer, number),
            "iat": now,
            "exp": now + self._life,
            "ttl": self._ttl,
            VERSION: contents.version,
            "status_list": {
                "bits": BITS,
                "lst": compressed(contents.stopped),
                "aggregation_uri": self._issuer + STATUS_LISTS,
            },
        }
        return {**claims, REVOKED_TOKENS: sorted(contents.revoked)} if contents.revoked else claims

    def drop(self, number: str) -> None:
        """Let go of a list (called by the feed)."""
        with self._letting_go:
            self._generation += 1
            self._known.pop(int(number), None)
            self._numbers = ()

    def drop_everything(self) -> None:
        with self._letting_go:
            self._generation += 1
            self._known.clear()
            self._numbers = ()

    def _contents(self, number: int) -> Contents | None:
        known = self._known.get(number)
        if known is not None:
            return known
        generation = self._generation
        contents = statuses.contents(self._store, number, self._store.clock())
        with self._letting_go:
            # A change that arrived meanwhile may be newer than what we read: do not keep it.
            if contents is not None and generation == self._generation:
                self._known[number] = contents
        return contents

    def _all(self) -> tuple[int, ...]:
        known = self._numbers
        if not known:
            generation = self._generation
            known = tuple(statuses.numbers(self._store))
            with self._letting_go:
                if generation == self._generation:
                    self._numbers = known
        return known


def compressed(stopped: Mapping[int, int], size: int = statuses.SIZE) -> str:
    """``lst``: each status in its place, from the least significant bit on, as ZLIB (§4.1)."""
    packed = bytearray(size * BITS // 8)
    for position, status in stopped.items():
        at = position * BITS
        packed[at >> 3] |= status << (at & 7)
    # What is stopped lies at random: there is nothing that repeats, so only runs of nothing and the
    # lengths of codes help. A search for repetitions takes 40 ms and leaves more than it finds.
    fewest = min((_deflated(packed, strategy) for strategy in _STRATEGIES), key=len)
    return urlsafe_b64encode(fewest).rstrip(b"=").decode()


_STRATEGIES = (zlib.Z_RLE, zlib.Z_HUFFMAN_ONLY)


def _deflated(packed: bytes | bytearray, strategy: int) -> bytes:
    deflating = zlib.compressobj(9, memLevel=9, strategy=strategy)
    return deflating.compress(packed) + deflating.flush()
