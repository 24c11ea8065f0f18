"""What a use case works with."""

from __future__ import annotations

from dataclasses import dataclass

from app.crypto.passwords import Passwords
from app.crypto.sealing import Sealing
from app.policy.limits import Limiter
from app.ports import Clock, RandomBytes
from app.settings import Settings
from app.storage.directory import Directory
from app.storage.store import Store
from app.tokens.checkpoints import Checkpoints
from app.tokens.journal import TokenJournal
from app.tokens.keyring import Keyring

SECRET_METHODS = ("client_secret_basic", "client_secret_post")
"""Client authentication methods that present a client secret (RFC 6749 §2.3.1)."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The dependencies of every use case; the composition root makes one."""

    store: Store
    directory: Directory
    settings: Settings
    clock: Clock
    random_bytes: RandomBytes
    keyring: Keyring
    checkpoints: Checkpoints
    journal: TokenJournal
    limiter: Limiter
    passwords: Passwords
    sealing: Sealing
    auth_methods: tuple[str, ...] = SECRET_METHODS
    """Values of ``token_endpoint_auth_method`` that a client may have: those that are enabled."""
