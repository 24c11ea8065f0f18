"""Small things under the master key: sealed, so that only we read them, or marked as ours."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable

from app.crypto.master_key import MasterKey
from app.ports import RandomBytes

_MARKS = b"keyturn marks"


class Sealing:
    """Every method may raise StartRefused: there is no master key, or another one."""

    def __init__(self, master_key: Callable[[], MasterKey], random_bytes: RandomBytes) -> None:
        self._master_key = master_key
        self._random_bytes = random_bytes

    def seal(self, plain: str, owner: str) -> bytes:
        """Encrypted; ``owner`` binds it to whom it belongs, so that it opens for nobody else."""
        return self._master_key().encrypt(plain.encode(), owner.encode(), self._random_bytes)

    def open(self, sealed: bytes, owner: str) -> str:
        """What was sealed for this owner, under this master key or an older one."""
        return self._master_key().decrypt(sealed, owner.encode()).decode()

    def mark(self, text: str) -> str:
        """By which we know again what we gave away (HMAC-SHA256)."""
        key = self._master_key().derived(b"", _MARKS)
        return urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode()[:43]
