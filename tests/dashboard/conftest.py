"""The dashboard over HTTP, in this process: people who are signed in, and forms as a browser sends
them."""

import pytest

from app.admin import sessions, users
from app.records import Origin
from tests.support.pages import Site


@pytest.fixture
def site(installation):
    """``site()`` is a browser of somebody new who is signed in: an owner of the operator
    organization, or whom the arguments of ``NewUser`` describe."""
    opened = []

    def begin(**also):
        email = f"{installation._name('user').replace(' ', '-')}@example.com"
        new = users.NewUser(**{"email": email, "role": "owner", **also})
        made = users.create(installation.desk, installation.operator, new)
        begun = sessions.sign_in(installation.desk, made.secret, Origin("req_tests"))
        opened.append(Site(installation, begun.secret, made.user))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()
