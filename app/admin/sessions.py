"""Sign-in by a one-time secret, and the session that it becomes.

A user has one secret at a time: the link's until it is used, then the session's. Both are kept as
SHA-256, with an end; a reset ends them at once.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.admin import rows
from app.admin.desk import Desk
from app.admin.roles import ROLES
from app.admin.users import UserView
from app.builtin import administration
from app.errors import Forbidden
from app.records import ACTIVE, Actor, Organization, Origin
from app.storage import users
from app.storage.models import UserRow
from keyturn.scope import Catalogue

SESSION_TTL = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in user; the secret belongs into a cookie and nowhere else."""

    user: UserView
    secret: str = field(repr=False)
    expires_at: datetime


def sign_in(desk: Desk, secret: str, origin: Origin) -> Session:
    """Turn the link's secret into a session's; it works once. Raises Forbidden."""
    now = desk.clock()
    with desk.store.reading() as session:
        found = users.by_sign_in(session, _digest(secret))
        if found is None or not _stands(found, now):
            raise Forbidden("This sign-in link has been used, has expired, or was never given out")
        user = rows.view_of(UserView, found)
    fresh = urlsafe_b64encode(desk.random_bytes(32)).rstrip(b"=").decode()
    with desk.store.transaction(actor_of(desk, user, origin)) as work:
        row = users.by_sign_in(work.session, _digest(secret), lock=True)
        if row is None:
            raise Forbidden("This sign-in link has been used, has expired, or was never given out")
        row.sign_in_digest = _session_digest(fresh)
        row.sign_in_expires_at = work.now + SESSION_TTL
        row.last_sign_in_at = work.now
        work.record("user.signed_in", "user", row.id, organization_id=row.organization_id)
        return Session(rows.view_of(UserView, row), fresh, row.sign_in_expires_at)


def signed_in(desk: Desk, secret: str) -> UserView | None:
    """Whose session this is, if it has not ended."""
    with desk.store.reading() as session:
        row = users.by_sign_in(session, _session_digest(secret))
        if row is None or not _stands(row, desk.clock()):
            return None
        return rows.view_of(UserView, row)


def sign_out(desk: Desk, user: UserView, origin: Origin) -> None:
    """End the user's session. Idempotent."""
    with desk.store.transaction(actor_of(desk, user, origin)) as work:
        row = users.get(work.session, user.organization_id, user.id, lock=True)
        if row is not None and row.sign_in_digest is not None:
            row.sign_in_digest = row.sign_in_expires_at = None
            work.record("user.signed_out", "user", row.id, organization_id=row.organization_id)


def actor_of(desk: Desk, user: UserView, origin: Origin) -> Actor:
    """The user as an actor: the role's grant, as far as the organization can hold it."""
    organization: Organization = desk.directory.organization(user.organization_id)
    held = Catalogue(administration(operator=organization.is_operator)).expand(ROLES[user.role])
    return Actor(
        type="user",
        id=user.id,
        organization_id=user.organization_id,
        is_operator=organization.is_operator,
        scopes=held,
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )


def _stands(row: UserRow, now: datetime) -> bool:
    return (
        row.status == ACTIVE and row.sign_in_expires_at is not None and row.sign_in_expires_at > now
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _session_digest(secret: str) -> bytes:
    # Another digest than a link's: a link that was not used yet is no session.
    return _digest("session:" + secret)
