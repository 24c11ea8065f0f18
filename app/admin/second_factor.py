"""One's own second factor: an authenticator app, set up by its QR code, and recovery codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.admin import codes, proofs, sessions
from app.admin.desk import Desk
from app.admin.sessions import Opened, Session
from app.crypto import totp
from app.errors import Conflict, Invalid
from app.records import Origin
from app.storage import users


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app is told, until a code has proven that it was."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The session goes on; the codes are shown here and never again."""

    opened: Opened
    recovery_codes: tuple[str, ...] = field(repr=False)


def begin(desk: Desk, session: Session, origin: Origin) -> None:
    """Make a secret for an app. Raises Conflict where a second factor is in use."""
    with desk.store.transaction(sessions.self_of(session, origin)) as work:
        user = sessions.own_row(work, session)
        if user.totp_confirmed_at is not None:
            raise Conflict("There is a second factor already: turn it off first")
        user.totp_secret = desk.sealing.seal(totp.new_secret(), user.id)


def enrolment(desk: Desk, session: Session) -> Enrolment | None:
    """What was begun, and is not confirmed yet."""
    with desk.store.reading() as reading:
        user = users.get(reading, session.user.organization_id, session.user.id)
        if user is None or user.totp_secret is None or user.totp_confirmed_at is not None:
            return None
        secret = desk.sealing.open(user.totp_secret, user.id)
    # A colon parts issuer and account in the label, whatever they say.
    here = urlsplit(desk.settings.issuer).netloc.replace(":", " ")
    return Enrolment(secret, totp.uri(secret, session.user.email, f"Keyturn {here}"))


def confirm(desk: Desk, session: Session, code: str, origin: Origin) -> Enrolled:
    """From now on sign-in asks for a code. Raises Conflict, and Invalid for a wrong code."""
    with desk.store.transaction(sessions.self_of(session, origin)) as work:
        user = sessions.own_row(work, session)
        if user.totp_secret is None or user.totp_confirmed_at is not None:
            raise Conflict("Begin with a new QR code")
        if not codes.accept_of_app(desk, work, user, code):
            raise Invalid("This is not the code of now: is the app's clock right?", field="code")
        user.totp_confirmed_at = work.now
        made = codes.new_recovery_codes(desk, user)
        work.record("user.second_factor_enabled", "user", user.id)
        return Enrolled(sessions.renewed(desk, work, session, user), made)


def turn_off(desk: Desk, session: Session, password: str, origin: Origin) -> Opened:
    """Ask for no code any more. Raises Invalid, RateLimited."""
    proofs.require_password(desk, session, password, origin)
    with desk.store.transaction(sessions.self_of(session, origin)) as work:
        user = sessions.own_row(work, session)
        if user.totp_confirmed_at is not None:
            work.record("user.second_factor_disabled", "user", user.id)
        codes.forget(user)
        return sessions.renewed(desk, work, session, user)


def renew_recovery_codes(desk: Desk, session: Session, origin: Origin) -> tuple[str, ...]:
    """Ten new ones, shown here and never again; those before them end. Raises Conflict."""
    with desk.store.transaction(sessions.self_of(session, origin)) as work:
        user = sessions.own_row(work, session)
        if user.totp_confirmed_at is None:
            raise Conflict("There is no second factor")
        work.record("user.recovery_codes_made", "user", user.id)
        return codes.new_recovery_codes(desk, user)


def recovery_codes_left(desk: Desk, session: Session) -> int:
    """How many have not been used."""
    with desk.store.reading() as reading:
        user = users.get(reading, session.user.organization_id, session.user.id)
        return 0 if user is None else len(user.recovery_digests)
