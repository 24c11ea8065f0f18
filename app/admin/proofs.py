"""Proving who one is: how often it may be tried, and what is said of a failure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from app.admin import sessions
from app.admin.desk import Desk
from app.admin.sessions import Session
from app.errors import Invalid, SignInRefused
from app.policy.limits import Allowance
from app.records import Origin
from app.storage import users
from app.storage.models import UserRow
from keyturn.errors import KeyturnError
from keyturn.limits.values import Limit

REFUSED = "This did not work: check what you have typed, or ask for a new link"

OF_ACCOUNT = (Limit(5, "minute"), Limit(30, "hour"))
"""Failures of one account, wherever they come from: one waits longer, and never for ever."""
MAX_TYPED = 1024
"""Characters of a password that are looked at; more than any that is taken."""


def known_browser(desk: Desk, email: str) -> str:
    """What a browser keeps in which somebody was signed in: by it their failures are counted apart
    from those of strangers, who so cannot keep them out. It gives no other right."""
    nonce = sessions.new_secret(desk)[:22]
    return f"{nonce}.{_mark(desk, nonce, email)}"


def is_known(desk: Desk, email: str, browser: str | None) -> bool:
    """Whether a browser keeps that of this account."""
    nonce, _, mark = (browser or "").partition(".")
    return bool(mark) and mark == _mark(desk, nonce, email)


def of_account(desk: Desk, email: str, browser: str | None) -> Allowance:
    """By whom failures are counted: a known browser of the account, else the account."""
    if browser is not None and is_known(desk, email, browser):
        return _allowance(f"browser:{browser.partition('.')[0]}")
    return _allowance(hashlib.sha256(email.encode("utf-8", "replace")).hexdigest())


@contextmanager
def attempt(desk: Desk, origin: Origin, *also: Allowance) -> Iterator[None]:
    """Counted before it is known how it ends, so that many at once are no more than one after the
    other; what succeeds, and what fails for reasons of ours, is given back. Raises RateLimited."""
    address = Allowance(f"sign-in:{origin.ip}", (desk.settings.sign_in_limit,))
    taken: list[Allowance] = []
    try:
        for allowed in (address, *also):
            desk.limiter.take(allowed)
            taken.append(allowed)
        yield
    except KeyturnError as error:
        if not isinstance(error, SignInRefused):
            _give_back(desk, taken)
        raise
    _give_back(desk, taken)


def refused(
    desk: Desk, user: UserRow | None, reason: str, origin: Origin, says: str = REFUSED
) -> SignInRefused:
    """The error for a failure, which is written into the log of whoever it is about."""
    if user is None:
        desk.journal.sign_in_failed(None, None, reason, origin)
    else:
        desk.journal.sign_in_failed(user.id, user.organization_id, reason, origin)
    return SignInRefused(says)


def require_password(
    desk: Desk, session: Session, password: str, origin: Origin, *, field: str = "password"
) -> None:
    """Whether it is the user who sits there. Raises Invalid, RateLimited, Unavailable."""
    with attempt_again(desk, session, origin, field):
        with desk.store.reading() as reading:
            user = users.get(reading, session.user.organization_id, session.user.id)
        stored = None if user is None else user.password_hash
        if not desk.passwords.matches(stored, password[:MAX_TYPED]):
            raise refused(desk, user, "wrong_password", origin, "This is not your password")


@contextmanager
def attempt_again(desk: Desk, session: Session, origin: Origin, field: str) -> Iterator[None]:
    """The same for somebody who is signed in, whatever they prove it by. What is refused is said at
    the field. Raises Invalid, RateLimited."""
    try:
        # By the session: whoever has none of the user's cannot use this up.
        with attempt(desk, origin, _allowance(session.id)):
            yield
    except SignInRefused as error:
        raise Invalid(error.description, field=field) from None


def _allowance(who: str) -> Allowance:
    return Allowance(f"sign-in:{who}", OF_ACCOUNT)


def _mark(desk: Desk, nonce: str, email: str) -> str:
    return desk.sealing.mark(f"browser\n{nonce}\n{email}")


def _give_back(desk: Desk, taken: list[Allowance]) -> None:
    for allowed in taken:
        desk.limiter.give_back(allowed)
