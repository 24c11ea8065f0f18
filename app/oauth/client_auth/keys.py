"""The keys of clients, as they are registered or found at their ``jwks_uri`` (RFC 7591 §2)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from app.crypto.client_keys import ClientKeys, read_client_keys, read_published_keys
from app.records import Client
from app.storage.outside import OutsideRefused
from keyturn import wire
from keyturn.recent import Recent

log = logging.getLogger(__name__)

FRESH = 300.0
"""Seconds after which keys are fetched again."""
STALE = 3600.0
"""Seconds that keys serve when they cannot be fetched any more."""
COOLDOWN = 30.0
"""Seconds between two fetches that signatures nobody knows can cause, however many there are."""
MOST = 1000
NO_KEYS = ClientKeys(())

Fetch = Callable[[str], bytes]
"""Raises OutsideRefused."""


class _Remote:
    """What is known of one address. Whoever fetches holds its lock, and no other's."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keys = NO_KEYS
        self.fetched_at = float("-inf")
        self.attempted_at = float("-inf")


class KeysOfClients:
    """Finds a client's keys; those that are registered are read once, those at an address are kept.

    Nothing that a stranger sends causes more than one fetch a cooldown, and a failed fetch takes no
    key away. Thread-safe; a client whose address is slow holds up its own requests alone.
    """

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._read: Recent[str, tuple[Mapping[str, Any], ClientKeys]] = Recent(MOST)
        self._remote: Recent[str, _Remote] = Recent(MOST)
        self._adding = threading.Lock()

    def of(self, client: Client) -> ClientKeys:
        """What is known now; fetched where that is nothing, or too old."""
        if client.jwks is not None:
            return self._registered(client.client_id, client.jwks)
        if client.jwks_uri is None:
            return NO_KEYS
        known, now = self._known(client.jwks_uri), self._monotonic()
        if now - known.fetched_at > FRESH:
            self._refresh(client.jwks_uri, known, known.fetched_at)
        return known.keys if now - known.fetched_at <= STALE else NO_KEYS

    def again(self, client: Client) -> ClientKeys | None:
        """What is at the address now, for a signature that no known key has made; None where
        nothing was fetched: there is no address, or it was asked a moment ago."""
        if client.jwks is not None or client.jwks_uri is None:
            return None
        known = self._known(client.jwks_uri)
        seen = known.fetched_at
        self._refresh(client.jwks_uri, known, seen)
        return known.keys if known.fetched_at > seen else None

    def _registered(self, client_id: str, jwks: Mapping[str, Any]) -> ClientKeys:
        known = self._read.get(client_id)
        if known is None or known[0] is not jwks:
            known = (jwks, _keys_in(jwks))
            self._read.put(client_id, known)
        return known[1]

    def _known(self, uri: str) -> _Remote:
        known = self._remote.get(uri)
        if known is None:
            with self._adding:
                known = self._remote.get(uri) or _Remote()
                self._remote.put(uri, known)
        return known

    def _refresh(self, uri: str, known: _Remote, seen: float) -> None:
        with known.lock:
            now = self._monotonic()
            if known.fetched_at > seen or now - known.attempted_at < COOLDOWN:
                return  # another one has asked meanwhile
            known.attempted_at = now
            try:
                known.keys = read_published_keys(wire.json_object(self._fetch(uri)))
                known.fetched_at = now
                if known.keys.refused is not None:
                    log.warning("a client's keys are not taken: %s", known.keys.refused)
            except (OutsideRefused, wire.Unreadable) as error:
                log.warning("a client's keys cannot be fetched: %s", _word(error))


def _keys_in(jwks: Mapping[str, Any]) -> ClientKeys:
    try:
        return read_client_keys(jwks)
    except wire.Unreadable:
        return NO_KEYS


def _word(error: Exception) -> str:
    return "unreadable" if isinstance(error, wire.Unreadable) else str(error)
