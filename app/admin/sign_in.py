"""Sign-in: by the one-time link, or by address and password; then by the second factor's code.

Whatever is wrong – no such address, the password, the code, a user or organization that is not in
use – there is one answer and the same work behind it.
"""

from __future__ import annotations

from app.admin import codes, proofs, sessions
from app.admin.desk import Desk
from app.admin.proofs import MAX_TYPED, attempt, of_account, refused
from app.admin.sessions import Opened, Session, digest_of
from app.records import Actor, Origin
from app.storage import users
from app.storage.models import UserRow
from app.storage.store import Transaction
from keyturn.scope import ScopeSet

BAD_LINK = "This sign-in link has been used, has expired, or was never given out"


def by_link(desk: Desk, secret: str, origin: Origin) -> Opened:
    """Turn a link's secret into a session; it works once. Raises SignInRefused, RateLimited."""
    digest = digest_of(secret)
    with attempt(desk, origin):
        with desk.store.reading() as session:
            found = users.by_sign_in(session, digest)
        if found is None:
            raise refused(desk, None, "no_such_link", origin, BAD_LINK)
        with desk.store.transaction(_self(found, origin)) as work:
            user = users.by_sign_in(work.session, digest, lock=True)
            if (
                user is None
                or user.sign_in_expires_at is None
                or user.sign_in_expires_at <= work.now
                or not sessions.may_sign_in(user, sessions.home(work, user))
            ):
                raise refused(desk, found, "link_over", origin, BAD_LINK)
            user.sign_in_digest = user.sign_in_expires_at = None
            return _let_in(desk, work, user, origin, confirmed=False)


def by_password(
    desk: Desk, email: str, password: str, origin: Origin, *, browser: str | None = None
) -> Opened:
    """Open a session, which waits for the code where there is a second factor.

    ``browser`` is what the browser keeps (``proofs.known_browser``). Raises SignInRefused,
    RateLimited, Unavailable.
    """
    email, password = email.strip().lower()[:MAX_TYPED], password[:MAX_TYPED]
    with attempt(desk, origin, of_account(desk, email, browser)):
        with desk.store.reading() as session:
            user = users.by_email(session, email) if email.isprintable() else None
        is_usable = user is not None and sessions.may_sign_in(
            user, desk.directory.organization(user.organization_id)
        )
        stored = user.password_hash if user is not None and is_usable else None
        if not desk.passwords.matches(stored, password) or user is None or stored is None:
            raise refused(desk, user, "wrong_password" if is_usable else "not_in_use", origin)
        fresh = desk.passwords.hash(password) if desk.passwords.is_outdated(stored) else stored
        with desk.store.transaction(_self(user, origin)) as work:
            row = users.get(work.session, user.organization_id, user.id, lock=True)
            if (
                row is None
                or row.password_hash != stored
                or not sessions.may_sign_in(row, sessions.home(work, row))
            ):
                raise refused(desk, user, "changed_meanwhile", origin)
            row.password_hash = fresh
            return _let_in(desk, work, row, origin, confirmed=True)


def by_code(
    desk: Desk, session: Session, code: str, origin: Origin, *, browser: str | None = None
) -> Opened:
    """Show the second factor: a code of the app, or a recovery code, each of which works once.

    Raises SignInRefused, RateLimited.
    """
    with (
        attempt(desk, origin, of_account(desk, session.user.email, browser)),
        desk.store.transaction(sessions.self_of(session, origin)) as work,
    ):
        user = sessions.own_row(work, session)
        if not codes.accept(desk, work, user, code):
            raise refused(desk, user, "wrong_code", origin, proofs.REFUSED)
        made = sessions.renewed(desk, work, session, user)
        if session.awaits == sessions.CODE:
            _signed_in(work, user)
        return made


def _let_in(
    desk: Desk, work: Transaction, user: UserRow, origin: Origin, *, confirmed: bool
) -> Opened:
    made = sessions.opened(desk, work, user, origin, confirmed=confirmed)
    if made.session.awaits != sessions.CODE:
        _signed_in(work, user)
    return made


def _signed_in(work: Transaction, user: UserRow) -> None:
    user.last_sign_in_at = work.now
    work.record("user.signed_in", "user", user.id)


def _self(user: UserRow, origin: Origin) -> Actor:
    return Actor(
        type="user",
        id=user.id,
        organization_id=user.organization_id,
        is_operator=False,
        scopes=ScopeSet(frozenset()),
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )
