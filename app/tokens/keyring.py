"""The keyring: which key signs now, and which are published.

A key's life is ``next`` → ``current`` → ``previous`` → ``retired``. The next key is in the JWKS
before it signs; the previous one stays there until its last token has expired.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from app.crypto.master_key import MasterKey
from app.crypto.signing import ALGORITHMS, JwsSigner, generate
from app.errors import Conflict, StartRefused
from app.ports import RandomBytes, Signer
from app.settings import Settings
from app.storage import signing_keys
from app.storage.signing_keys import CURRENT, NEXT, PREVIOUS, PUBLISHED, RETIRED, StoredKey
from app.storage.store import Store, Transaction
from keyturn.jwk import VerificationKey
from keyturn.jwks import FixedKeys

JWKS_MAX_AGE = timedelta(minutes=5)
"""How long whoever has fetched the keys may go by them, and so how long a key is published before
it signs. Longer than verifiers leave between two fetches that unknown keys cause."""

DAMAGED = (
    "A signing key in the database is damaged: restore a backup, or delete its row from "
    "`signing_keys` and run `flask bootstrap`"
)

MARGIN = timedelta(minutes=5)
"""How long a worker that is cut off may go on signing with a replaced key, and clock skew."""


@dataclass(frozen=True, slots=True)
class Published:
    """One reading of the keyring."""

    signer: Signer
    jwks: Mapping[str, Any]
    keys: FixedKeys
    since: Mapping[str, datetime]
    """When the oldest key of each stage entered it."""


class Keyring:
    """Signing keys of this installation; every method may raise Unavailable."""

    def __init__(
        self,
        store: Store,
        master_key: Callable[[], MasterKey],
        settings: Settings,
        random_bytes: RandomBytes,
    ) -> None:
        self._store = store
        self._master_key = master_key
        self._settings = settings
        self._random_bytes = random_bytes
        self._published: Published | None = None
        self._generation = 0
        self._letting_go = threading.Lock()

    # What requests read --------------------------------------------------------------------

    @property
    def signer(self) -> Signer:
        """What signs now."""
        return (self._published or self.published()).signer

    def get(self, kid: str) -> VerificationKey | None:
        """The published key of this id (``keyturn.jwks.KeySource``)."""
        return (self._published or self.published()).keys.get(kid)

    def published(self) -> Published:
        """The keyring as known here, else as the database has it."""
        known = self._published
        if known is not None:
            return known
        generation = self._generation
        try:
            with self._store.reading() as session:
                stored = signing_keys.listed(session, PUBLISHED)
            published = self._read(stored)
        except (ValueError, TypeError, KeyError) as error:
            raise StartRefused(DAMAGED, detail=f"{type(error).__name__}: {error}") from error
        with self._letting_go:
            # A rotation that was told of meanwhile may be newer than what we read: not kept.
            if generation == self._generation:
                self._published = published
        return published

    def _read(self, stored: Sequence[StoredKey]) -> Published:
        """Raises StartRefused, and ValueError, TypeError and KeyError for a row that is no key."""
        current = next((key for key in stored if key.stage == CURRENT), None)
        if current is None or current.private_key is None:
            raise StartRefused("There is no signing key: run `flask bootstrap`")
        jwks = {"keys": [key.public_jwk for key in stored]}
        keys = FixedKeys.of_jwks(jwks, ALGORITHMS)
        signer = JwsSigner(current.kid, current.algorithm, self._decrypted(current))
        known = keys.get(current.kid)
        if known is None or known.alg != current.algorithm:
            raise ValueError(f"{current.kid} is published as no key for {current.algorithm}")
        return Published(signer=signer, jwks=jwks, keys=keys, since=_since(stored))

    def ages(self) -> dict[str, float]:
        """Seconds that the oldest key of each stage has been in it, as known here; never waits."""
        known, now = self._published, self._store.clock()
        return (
            {stage: (now - at).total_seconds() for stage, at in known.since.items()}
            if known
            else {}
        )

    def drop(self, _kid: str = "") -> None:
        """Let go of what is known (called by the feed)."""
        with self._letting_go:
            self._generation += 1
            self._published = None

    def _decrypted(self, key: StoredKey) -> bytes:
        return self._master_key().decrypt(key.private_key or b"", key.kid.encode())

    # What administrators do ----------------------------------------------------------------

    def begin(self, work: Transaction) -> None:
        """Make the first two keys, unless they exist."""
        stages = {key.stage for key in signing_keys.listed(work.session, PUBLISHED)}
        for stage in (CURRENT, NEXT):
            if stage not in stages:
                self._add(work, stage)

    def rotate(
        self,
        work: Transaction,
        *,
        algorithm: str | None = None,
        replacing: str | None = None,
        force: bool = False,
    ) -> str:
        """Let the next key sign, and publish another next one; answers the new current kid.

        Raises Conflict when somebody else rotates at the same time, or has replaced ``replacing``;
        and, unless ``force``, while a verifier may have keys from before the next one was among
        them: it would refuse what that signs.
        """
        keys = {key.stage: key for key in signing_keys.listed(work.session, (CURRENT, NEXT))}
        current, following = keys[CURRENT], keys[NEXT]
        if replacing not in (None, current.kid):
            raise Conflict("The signing key has just been rotated by somebody else")
        if not force:
            self._require_known(work, following)
        moved = signing_keys.move(
            work, current.kid, CURRENT, PREVIOUS, replaced_at=work.now
        ) and signing_keys.move(work, following.kid, NEXT, CURRENT, activated_at=work.now)
        if not moved:
            raise Conflict("The signing key has just been rotated by somebody else")
        self._add(work, NEXT, algorithm)
        for kid in (current.kid, following.kid):
            work.changed("signing_key", kid)
        work.record("signing_key.rotated", "signing_key", following.kid, replaced=current.kid)
        return following.kid

    def _require_known(self, work: Transaction, following: StoredKey) -> None:
        first = signing_keys.listed(work.session)[0]
        known_in = (following.created_at + JWKS_MAX_AGE - work.now).total_seconds()
        # Nobody has keys from before the first ones, and the first next is one of them.
        if following.created_at > first.created_at and known_in > 0:
            raise Conflict(
                f"Verifiers may not know the next key yet: rotate in {ceil(known_in)} s, or force "
                "it, and they may refuse new tokens until then"
            )

    def retire(self, work: Transaction, kid: str, *, reason: str) -> bool:
        """Take a previous key out of the JWKS: what it signed is refused from now on."""
        retired = signing_keys.move(
            work, kid, PREVIOUS, RETIRED, retired_at=work.now, private_key=None
        )
        if retired:
            work.changed("signing_key", kid)
            work.record("signing_key.retired", "signing_key", kid, reason=reason)
        return retired

    def reseal(self, work: Transaction) -> int:
        """Encrypt every private key anew, under the first master key; answers how many.

        What is signed and published stays the same, so nobody has to be told.
        """
        keys = [key for key in signing_keys.listed(work.session) if key.private_key is not None]
        for key in keys:
            sealed = self._master_key().encrypt(
                self._decrypted(key), key.kid.encode(), self._random_bytes
            )
            if not signing_keys.move(work, key.kid, key.stage, key.stage, private_key=sealed):
                raise Conflict("The signing keys have just been rotated by somebody else")
        work.record("signing_key.resealed", "master_key", self._master_key().id, keys=len(keys))
        return len(keys)

    def is_due(self) -> bool:
        """Whether ``keep`` would do something; a plain reading, so that workers do not queue."""
        with self._store.reading() as session:
            keys = signing_keys.listed(session, (CURRENT, PREVIOUS))
        return any(self._has_served(key, self._store.clock()) for key in keys)

    def keep(self, work: Transaction) -> None:
        """The schedule: replace a current key that is old, retire a previous one that is done."""
        for key in signing_keys.listed(work.session, (CURRENT, PREVIOUS)):
            if self._has_served(key, work.now):
                if key.stage == CURRENT:
                    # By its name: on PostgreSQL another worker may have rotated since it was read.
                    self.rotate(work, replacing=key.kid)
                else:
                    self.retire(work, key.kid, reason="expired")

    def _has_served(self, key: StoredKey, now: datetime) -> bool:
        if key.stage == CURRENT:
            began, ttl = key.activated_at, self._settings.signing_key_ttl
        else:
            began, ttl = key.replaced_at, self._settings.max_token_ttl + MARGIN
        return began is not None and now - began >= ttl

    def _add(self, work: Transaction, stage: str, algorithm: str | None = None) -> None:
        pair = generate(algorithm or self._settings.signing_algorithm)
        sealed = self._master_key().encrypt(pair.private_key, pair.kid.encode(), self._random_bytes)
        signing_keys.add(
            work,
            StoredKey(
                kid=pair.kid,
                algorithm=pair.algorithm,
                stage=stage,
                public_jwk=pair.public_jwk,
                private_key=sealed,
                created_at=work.now,
                activated_at=work.now if stage == CURRENT else None,
                replaced_at=None,
                retired_at=None,
            ),
        )
        work.changed("signing_key", pair.kid)
        work.record("signing_key.created", "signing_key", pair.kid, stage=stage)


def _since(stored: Sequence[StoredKey]) -> dict[str, datetime]:
    since: dict[str, datetime] = {}
    for key in stored:
        entered = {CURRENT: key.activated_at, PREVIOUS: key.replaced_at}.get(key.stage)
        at = entered or key.created_at
        since[key.stage] = min(at, since.get(key.stage, at))
    return since
