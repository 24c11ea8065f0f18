"""Signed statements about the audit chains: checkpoints at intervals, a manifest per export.

Each is a JWS by the key that signs tokens, told apart by its ``typ``; a checkpoint names the hash
of the one before it, so that they are a chain themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from app.ports import Signer
from app.settings import Settings
from app.storage import checkpoints as stored
from app.storage.canonical import canonical
from app.storage.checkpoints import Checkpoint
from app.storage.store import Store
from app.storage.streams import Stream
from app.tokens.keyring import Keyring

CHECKPOINT_TYPE = "audit-checkpoint+jwt"
MANIFEST_TYPE = "audit-manifest+jwt"
FORMAT = 1
"""Of exports; of whatever a manifest and the lines behind it look like."""

AT_ONCE = 50
"""Chains that are held at the same time while they are signed."""


class Checkpoints:
    """Makes signed statements; every method may raise Unavailable."""

    def __init__(self, store: Store, keyring: Keyring, settings: Settings) -> None:
        self._store = store
        self._keyring = keyring
        self._issuer = settings.issuer
        self._interval = settings.checkpoint_interval

    def make_due(self) -> None:
        """One for every chain that has moved, once an interval, whoever else tries the same."""
        now, kid = self._store.clock(), self._keyring.signer.kid
        with self._store.connect() as connection:
            due = stored.any_due(connection, before=now - self._interval, kid=kid)
        if due:
            self._make(now, before=now - self._interval)

    def make_now(self) -> list[Checkpoint]:
        """One for every chain that has moved at all since its last."""
        now = self._store.clock()
        return self._make(now, before=now)

    def _make(self, now: datetime, *, before: datetime) -> list[Checkpoint]:
        signer = self._keyring.signer
        made: list[Checkpoint] = []
        while True:
            # Each chain once, or one that is written to all the time would keep us here for ever.
            after = made[-1].stream if made else ""
            with self._store.begin() as connection:
                due = stored.take_due(connection, after, AT_ONCE, before=before, kid=signer.kid)
                some = [self._signed(signer, stream, now) for stream in due]
                if some:
                    stored.write(connection, some)
            made += some
            if not some:
                return made

    def _signed(self, signer: Signer, stream: Stream, now: datetime) -> Checkpoint:
        claims = {
            "iss": self._issuer,
            "iat": int(now.timestamp()),
            "stream": stream.stream,
            "number": stream.checkpoint + 1,
            "previous": stream.checkpoint_hash.hex(),
            "count": stream.sequence,
            "head": stream.head_hash.hex(),
        }
        return Checkpoint(
            stream=stream.stream,
            number=stream.checkpoint + 1,
            sequence=stream.sequence,
            head_hash=stream.head_hash,
            time=now,
            kid=signer.kid,
            jws=signer.sign_as(CHECKPOINT_TYPE, canonical(claims)),
        )

    def manifest(self, streams: Iterable[Mapping[str, Any]], *, everything: bool) -> str:
        """The signed first line of an export: which chains, from where to where."""
        claims = {
            "iss": self._issuer,
            "iat": int(self._store.clock().timestamp()),
            "format": FORMAT,
            "everything": everything,
            "streams": list(streams),
        }
        return self._keyring.signer.sign_as(MANIFEST_TYPE, canonical(claims))
