"""Passwords of people: Argon2id (RFC 9106), so few at once that a flood cannot eat the memory."""

from __future__ import annotations

import threading
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Unavailable
from app.ports import RandomBytes


class Cost(NamedTuple):
    """What one hash takes. OWASP asks for 46 MiB once; this is twice: some 95 ms on a slow core."""

    memory: int = 46 * 1024
    """KiB."""
    rounds: int = 2
    lanes: int = 1


COST = Cost()
AT_ONCE = 2
"""Hashes at the same time in one worker: 92 MiB at most."""
WAITING = 8
"""Those that may wait for one; the next are turned away, and the worker's threads stay free."""

_SALT_BYTES = 16
_HASH_BYTES = 32


class Passwords:
    """Hashes and compares. Every method may raise Unavailable when too many ask at once."""

    def __init__(self, random_bytes: RandomBytes, cost: Cost = COST) -> None:
        self._hasher = PasswordHasher(
            time_cost=cost.rounds,
            memory_cost=cost.memory,
            parallelism=cost.lanes,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
            type=Type.ID,
        )
        self._nobodys = _of_nobody(cost, random_bytes)
        self._working = threading.BoundedSemaphore(AT_ONCE)
        self._admitted = threading.BoundedSemaphore(AT_ONCE + WAITING)

    def hash(self, password: str) -> str:
        """What is stored of a password: parameters, salt and hash in one line."""
        with self._turn():
            return self._hasher.hash(_as_typed_anywhere(password))

    def matches(self, stored: str | None, password: str) -> bool:
        """Whether this is the password. ``None``, somebody without one, takes as long."""
        with self._turn():
            try:
                return self._hasher.verify(stored or self._nobodys, _as_typed_anywhere(password))
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, stored: str) -> bool:
        """Whether it was hashed at another cost than new ones are."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise Unavailable("Too many people sign in at once", detail="passwords", retry_after=2)
        try:
            with self._working:
                yield
        finally:
            self._admitted.release()


def _as_typed_anywhere(password: str) -> bytes:
    """One spelling for what keyboards spell differently (NIST SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace")


def _of_nobody(cost: Cost, random_bytes: RandomBytes) -> str:
    """A hash of no password that takes the same work to compare with."""
    salt, digest = (b64encode(random_bytes(n)).rstrip(b"=") for n in (_SALT_BYTES, _HASH_BYTES))
    parameters = f"m={cost.memory},t={cost.rounds},p={cost.lanes}"
    return f"$argon2id$v=19${parameters}${salt.decode()}${digest.decode()}"
