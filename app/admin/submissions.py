"""Forms that are sent twice: what one has made is remembered with it, for as long as a page that
holds it may lie open."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from app.admin.desk import Desk
from app.records import Actor
from app.storage import submissions
from app.storage.store import Store

KEPT = timedelta(days=7)


def digest(actor: Actor, token: str) -> bytes:
    """What a form is known by: its random token, in this person's hands."""
    return hashlib.sha256(f"{actor.id} {token}".encode("utf-8", "replace")).digest()


def made(desk: Desk, digest: bytes) -> str | None:
    """The id of what the form has made; None: nothing yet."""
    with desk.store.reading() as session:
        return submissions.made(session, digest)


def forget(store: Store) -> None:
    """Remove what nobody sends again. Raises Unavailable."""
    submissions.forget(store, store.clock() - KEPT)
