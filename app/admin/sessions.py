"""Sessions: who is signed in, in which browser, and for how long.

The secret is in a cookie, its SHA-256 in the database. It is another one after each proof of who
somebody is, so that whoever knew the one before has nothing.

No connection is held while the directory is asked for the user's organization: what it does not
know it reads on another one, and as many requests as there are connections would wait for each
other. Transactions read it on their own (``home``).
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.admin import fields, rows, users
from app.admin.desk import Desk
from app.admin.roles import ROLES
from app.admin.users import UserView
from app.builtin import administration
from app.errors import NotFound, SignInRefused, Unavailable
from app.ids import new_id
from app.records import ACTIVE, Actor, Organization, Origin
from app.settings import Settings
from app.storage import organizations
from app.storage import sessions as stored
from app.storage import users as people
from app.storage.models import SessionRow, UserRow
from app.storage.store import Store, Transaction
from keyturn.scope import Catalogue, ScopeSet

CODE = "code"
PASSWORD = "password"  # noqa: S105 - what is awaited
SECOND_FACTOR = "second_factor"
"""What a session can be waiting for, in this order; until then it may do nothing else."""

OVER = "This session has ended: sign in again"

CODE_TTL = timedelta(minutes=10)
"""How long a password counts without its code."""
CONFIRMED_FOR = timedelta(minutes=10)
"""How long somebody is taken for themselves, once they have proven it."""
NOTED_EVERY = timedelta(minutes=1)
"""How often it is written down that a session is in use."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody's session, as one request sees it."""

    id: str
    user: UserView
    awaits: str | None
    """``code``, ``password`` (to be chosen), ``second_factor`` (to be set up); None: nothing."""
    looks_at: str | None
    """The organization that somebody of the operator's looks at; None: their own."""
    confirmed_at: datetime | None
    ends_at: datetime
    """At the latest."""

    def is_confirmed(self, now: datetime) -> bool:
        """Whether they have proven a short while ago who they are."""
        return self.confirmed_at is not None and now - self.confirmed_at < CONFIRMED_FOR


@dataclass(frozen=True, slots=True)
class Opened:
    """A session and its new secret, which belongs into a cookie and nowhere else."""

    session: Session
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session in the list of whoever it belongs to."""

    id: str
    ip: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime


def find(desk: Desk, secret: str) -> Session | None:
    """The session of this secret, if it has not ended."""
    with desk.store.reading() as session:
        found = stored.by_digest(session, digest_of(secret))
    if found is None:
        return None
    row, user = found
    organization = desk.directory.organization(user.organization_id)
    if not _stands(desk, row, user, organization):
        return None
    now = desk.clock()
    if now - row.last_seen_at >= NOTED_EVERY:
        # It is no reason to turn somebody away that this cannot be written.
        with suppress(Unavailable), desk.store.begin() as connection:
            stored.seen(connection, row.id, row.last_seen_at, now)
    return of(desk, row, user, organization)


def of(desk: Desk, row: SessionRow, user: UserRow, organization: Organization) -> Session:
    """What a request may know of a session."""
    return Session(
        id=row.id,
        user=users.view(user),
        awaits=_awaited(row, user, organization),
        looks_at=row.looks_at,
        confirmed_at=row.confirmed_at,
        ends_at=row.created_at + desk.settings.session_ttl,
    )


def opened(
    desk: Desk, work: Transaction, user: UserRow, origin: Origin, *, confirmed: bool
) -> Opened:
    """A new session of somebody who was checked; whoever has a second factor owes its code."""
    secret = new_secret(desk)
    row = SessionRow(
        id=new_id("ses"),
        digest=digest_of(secret),
        user_id=user.id,
        awaits_code=user.totp_confirmed_at is not None,
        ip=origin.ip,
        user_agent=origin.user_agent,
        created_at=work.now,
        last_seen_at=work.now,
        confirmed_at=work.now if confirmed else None,
    )
    work.session.add(row)
    return Opened(of(desk, row, user, home(work, user)), secret)


def renewed(desk: Desk, work: Transaction, session: Session, user: UserRow) -> Opened:
    """The same session under a new secret, its owner just proven. Raises SignInRefused."""
    row = stored.get(work.session, user.id, session.id)
    if row is None:
        raise SignInRefused(OVER)
    secret = new_secret(desk)
    row.digest = digest_of(secret)
    row.confirmed_at = work.now
    if row.awaits_code:
        row.awaits_code, row.created_at = False, work.now
    work.session.flush()
    return Opened(of(desk, row, user, home(work, user)), secret)


def list_own(desk: Desk, session: Session) -> tuple[SessionView, ...]:
    """Where the user is signed in, the last used first."""
    with desk.store.reading() as reading:
        user = people.get(reading, session.user.organization_id, session.user.id)
        found = stored.of_user(reading, session.user.id) if user is not None else ()
    organization = desk.directory.organization(session.user.organization_id)
    return tuple(
        rows.view_of(SessionView, row)
        for row in found
        if user is not None and not row.awaits_code and _stands(desk, row, user, organization)
    )


def sign_out(desk: Desk, session: Session, origin: Origin) -> None:
    """End this session. Idempotent."""
    _end(desk, session, origin, only=session.id)


def end_own(desk: Desk, session: Session, session_id: str, origin: Origin) -> None:
    """End one of one's own sessions. Idempotent."""
    _end(desk, session, origin, only=fields.object_id(session_id, "session"))


def end_others(desk: Desk, session: Session, origin: Origin) -> None:
    """End every session of one's own but this one."""
    _end(desk, session, origin, but=session.id)


def _end(
    desk: Desk,
    session: Session,
    origin: Origin,
    *,
    only: str | None = None,
    but: str | None = None,
) -> None:
    with desk.store.transaction(self_of(session, origin)) as work:
        ended = stored.end(work.session, session.user.id, only=only, but=but)
        if ended:
            work.record("user.signed_out", "user", session.user.id, sessions=list(ended))


def look_at(desk: Desk, session: Session, organization_id: str | None, origin: Origin) -> None:
    """Let somebody of the operator's look at an organization; None: their own again.

    What they may do there is what the use cases let them. Raises NotFound, SignInRefused.
    """
    own = desk.directory.organization(session.user.organization_id)
    with desk.store.transaction(self_of(session, origin)) as work:
        row = stored.get(work.session, session.user.id, session.id)
        if row is None:
            raise SignInRefused(OVER)
        if organization_id is not None:
            if not own.is_operator:
                raise NotFound("organization")
            rows.organization_row(work, organization_id, "share")
        row.looks_at = organization_id


def forget_ended(store: Store, settings: Settings) -> None:
    """Remove what has ended by itself (upkeep)."""
    now = store.clock()
    with store.begin() as connection:
        stored.forget(connection, now - settings.session_ttl, now - settings.session_idle)


def actor_of(desk: Desk, session: Session, origin: Origin) -> Actor:
    """The user as an actor: the role's grant, as far as the organization can hold it; of a session
    that waits for something, nothing at all."""
    organization: Organization = desk.directory.organization(session.user.organization_id)
    held = Catalogue(administration(operator=organization.is_operator)).expand(
        ROLES[session.user.role]
    )
    return _actor(
        session,
        origin,
        held if session.awaits is None else ScopeSet(frozenset()),
        is_operator=organization.is_operator,
    )


def self_of(session: Session, origin: Origin) -> Actor:
    """The user as an actor in their own matters, for which no scope is needed."""
    return _actor(session, origin, ScopeSet(frozenset()), is_operator=False)


def _actor(session: Session, origin: Origin, scopes: ScopeSet, *, is_operator: bool) -> Actor:
    return Actor(
        type="user",
        id=session.user.id,
        organization_id=session.user.organization_id,
        is_operator=is_operator,
        scopes=scopes,
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )


def home(work: Transaction, user: UserRow) -> Organization:
    """The user's organization, as this transaction sees it."""
    found = organizations.existing(work.session, user.organization_id)
    return organizations.record(work.session, found)


def may_sign_in(user: UserRow, organization: Organization) -> bool:
    """Whether this user, and their organization, are in use."""
    return user.status == ACTIVE and organization.is_active


def own_row(work: Transaction, session: Session) -> UserRow:
    """The session's user, locked. Raises SignInRefused."""
    row = people.get(work.session, session.user.organization_id, session.user.id, lock=True)
    if row is None:
        raise SignInRefused(OVER)
    return row


def new_secret(desk: Desk) -> str:
    """256 random bits for a cookie or a link."""
    return urlsafe_b64encode(desk.random_bytes(32)).rstrip(b"=").decode()


def digest_of(secret: str) -> bytes:
    """What is kept of a secret of ours."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _stands(desk: Desk, row: SessionRow, user: UserRow, organization: Organization) -> bool:
    now, settings = desk.clock(), desk.settings
    life = CODE_TTL if row.awaits_code else settings.session_ttl
    return (
        now - row.created_at < life
        and now - row.last_seen_at < settings.session_idle
        and may_sign_in(user, organization)
    )


def _awaited(row: SessionRow, user: UserRow, organization: Organization) -> str | None:
    if row.awaits_code:
        return CODE
    if user.password_hash is None:
        return PASSWORD
    if organization.requires_second_factor and user.totp_confirmed_at is None:
        return SECOND_FACTOR
    return None
