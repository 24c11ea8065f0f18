"""People who are signed in, by the use cases that the sign-in pages call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pyotp

from app.admin import account, second_factor, sign_in, users
from app.admin.sessions import Opened
from app.admin.users import UserView
from app.records import Origin
from tests.support.installation import Installation

PASSWORD = "violet harbour twelve kites"
ORIGIN = Origin("req_tests", "127.0.0.1", "tests")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has chosen ``PASSWORD``, and their session."""

    user: UserView
    opened: Opened

    @property
    def cookies(self) -> dict[str, str]:
        return {"keyturn_session": self.opened.secret}


def invited(installation: Installation, **also: Any) -> users.SignIn:
    """A new user of the operator organization, or as the arguments of ``NewUser`` say."""
    email = f"{installation._name('user').replace(' ', '-')}@example.com"
    new = users.NewUser(**{"email": email, "role": "owner", "name": "Ada Okafor", **also})
    return users.create(installation.desk, installation.operator, new)


def signed_in(installation: Installation, **also: Any) -> Person:
    """The same, who has followed the link and chosen a password just now."""
    made = invited(installation, **also)
    begun = sign_in.by_link(installation.desk, made.secret, ORIGIN)
    opened = account.choose_password(installation.desk, begun.session, PASSWORD, ORIGIN)
    return Person(opened.session.user, opened)


def enrolled(installation: Installation, **also: Any) -> tuple[Person, pyotp.TOTP, tuple[str, ...]]:
    """The same with a second factor: the person, the app, and the recovery codes. The app's code of
    now was not used."""
    person, desk = signed_in(installation, **also), installation.desk
    second_factor.begin(desk, person.opened.session, ORIGIN)
    begun = second_factor.enrolment(desk, person.opened.session)
    assert begun is not None
    app = pyotp.TOTP(begun.secret)
    code = app.at(int(desk.clock().timestamp()) - app.interval)
    made = second_factor.confirm(desk, person.opened.session, code, ORIGIN)
    return replace(person, opened=made.opened), app, made.recovery_codes
