"""Signing keys: what the operator may see of them and do with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.admin import codes
from app.admin.desk import Desk
from app.admin.rights import require_operator
from app.builtin import SIGNING_KEYS_READ, SIGNING_KEYS_WRITE
from app.errors import Conflict, Invalid, NotFound
from app.records import Actor
from app.storage import signing_keys as stored
from app.storage.signing_keys import RETIRED, StoredKey


@dataclass(frozen=True, slots=True)
class SigningKeyView:
    """A signing key as administrators see it: never the private half."""

    kid: str
    algorithm: str
    stage: str
    created_at: datetime
    activated_at: datetime | None
    replaced_at: datetime | None
    retired_at: datetime | None


def list_all(desk: Desk, actor: Actor) -> tuple[SigningKeyView, ...]:
    """Every key there has been, the oldest first. Raises Forbidden."""
    require_operator(actor, SIGNING_KEYS_READ)
    with desk.store.reading() as session:
        return tuple(_view(key) for key in stored.listed(session))


def rotate(
    desk: Desk, actor: Actor, *, algorithm: str | None = None, force: bool = False
) -> SigningKeyView:
    """Let the next key sign from now on. ``algorithm`` is that of the key that comes after it.

    Raises Forbidden, Invalid, and Conflict when somebody else rotates at the same time, or when
    verifiers may not know the next key yet; ``force`` lets it sign all the same.
    """
    require_operator(actor, SIGNING_KEYS_WRITE)
    with desk.store.transaction(actor) as work:
        try:
            kid = desk.keyring.rotate(work, algorithm=algorithm, force=force)
        except ValueError as error:
            raise Invalid(str(error), field="algorithm") from None
        return next(_view(key) for key in stored.listed(work.session) if key.kid == kid)


def retire(desk: Desk, actor: Actor, kid: str, *, reason: str = "by_hand") -> SigningKeyView:
    """Refuse from now on what a previous key has signed. Idempotent.

    Raises Forbidden, NotFound, and Conflict for a key that is still needed.
    """
    require_operator(actor, SIGNING_KEYS_WRITE)
    with desk.store.transaction(actor) as work:
        retired = desk.keyring.retire(work, kid, reason=reason)
        key = next((_view(key) for key in stored.listed(work.session) if key.kid == kid), None)
        if key is None:
            raise NotFound("signing key")
        if not retired and key.stage != RETIRED:
            raise Conflict(f"The key is {key.stage}: rotate first, then retire it")
        return key


def reseal(desk: Desk, actor: Actor) -> int:
    """Encrypt the private keys under the first of two master keys, and what else is sealed; answers
    how many keys there are.

    Raises Forbidden, StartRefused, and Conflict when somebody else rotates at the same time.
    """
    require_operator(actor, SIGNING_KEYS_WRITE)
    with desk.store.transaction(actor) as work:
        codes.reseal(desk, work)
        return desk.keyring.reseal(work)


def _view(key: StoredKey) -> SigningKeyView:
    return SigningKeyView(**{name: getattr(key, name) for name in SigningKeyView.__slots__})
