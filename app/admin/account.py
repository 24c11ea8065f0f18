"""One's own account: name and password, and proving who one is before something weighty."""

from __future__ import annotations

from app.admin import codes, fields, proofs, sessions
from app.admin.desk import Desk
from app.admin.sessions import Opened, Session
from app.errors import Conflict
from app.policy.passwords import require_good
from app.records import Origin
from app.storage import sessions as stored

WRONG_CODE = "This is not the code of now, or it was used: wait for the next one"


def choose_password(
    desk: Desk, session: Session, password: str, origin: Origin, *, name: str | None = None
) -> Opened:
    """The first password, or the first after a reset. Raises Invalid, Conflict."""
    if session.awaits != sessions.PASSWORD:
        raise Conflict("There is a password already")
    name = session.user.name if name is None else fields.name(name)
    return _set_password(desk, session, password, origin, name, "user.password_chosen")


def change_password(
    desk: Desk, session: Session, present: str, password: str, origin: Origin
) -> Opened:
    """Another password; every other session ends. Raises Invalid, RateLimited."""
    proofs.require_password(desk, session, present, origin, field="present")
    return _set_password(
        desk, session, password, origin, session.user.name, "user.password_changed"
    )


def rename(desk: Desk, session: Session, name: str, origin: Origin) -> None:
    """What the user is called. Raises Invalid."""
    name = fields.name(name)
    with desk.store.transaction(sessions.self_of(session, origin)) as work:
        user = sessions.own_row(work, session)
        if user.name != name:
            user.name, user.updated_at = name, work.now
            work.record("user.updated", "user", user.id, changed=["name"])


def confirm(desk: Desk, session: Session, password: str, origin: Origin) -> Opened:
    """Be taken for oneself for the next minutes, by the password. Raises Invalid, RateLimited."""
    proofs.require_password(desk, session, password, origin)
    with desk.store.transaction(sessions.self_of(session, origin)) as work:
        return sessions.renewed(desk, work, session, sessions.own_row(work, session))


def confirm_by_code(desk: Desk, session: Session, code: str, origin: Origin) -> Opened:
    """The same by a code of the app, which works once, here or at sign-in, and only where the app
    is the second factor already. Raises Invalid, RateLimited."""
    with (
        proofs.attempt_again(desk, session, origin, "code"),
        desk.store.transaction(sessions.self_of(session, origin)) as work,
    ):
        user = sessions.own_row(work, session)
        if user.totp_confirmed_at is None or not codes.accept_of_app(desk, work, user, code):
            raise proofs.refused(desk, user, "wrong_code", origin, WRONG_CODE)
        return sessions.renewed(desk, work, session, user)


def _set_password(
    desk: Desk, session: Session, password: str, origin: Origin, name: str, event: str
) -> Opened:
    require_good(password, email=session.user.email, name=name)
    hashed = desk.passwords.hash(password)
    with desk.store.transaction(sessions.self_of(session, origin)) as work:
        user = sessions.own_row(work, session)
        user.password_hash, user.name, user.updated_at = hashed, name, work.now
        # A link that was not used yet would be a second way in.
        user.sign_in_digest = user.sign_in_expires_at = None
        stored.end(work.session, user.id, but=session.id)
        work.record(event, "user", user.id)
        return sessions.renewed(desk, work, session, user)
