"""The dashboard over HTTP, in this process: people who are signed in, and forms as a browser sends
them."""

import pytest

from tests.support import people
from tests.support.pages import Site


@pytest.fixture
def site(installation):
    """``site()`` is a browser of somebody new who is signed in: an owner of the operator
    organization, or whom the arguments of ``NewUser`` describe."""
    opened = []

    def begin(**also):
        person = people.signed_in(installation, **also)
        opened.append(Site(installation, person.opened.secret, person.user))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


@pytest.fixture
def stranger(installation):
    """A browser of somebody who is not signed in."""
    opened = Site(installation)
    yield opened
    opened.close()


@pytest.fixture
def a_while_ago(installation):
    """An owner who has proven who they are longer ago than that counts."""
    person = people.signed_in(installation)
    site = Site(installation, person.opened.secret, person.user)
    site.proven_a_while_ago()
    yield site
    site.close()
