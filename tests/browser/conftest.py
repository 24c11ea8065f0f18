"""A browser before a served installation; a page of somebody who is signed in."""

from functools import partial

import pytest

from app.admin import sessions, users
from app.records import Origin
from tests.support import browser as support


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of this worker."""
    try:
        with support.launched() as running:
            yield running
    except support.BrowserMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def page(browser, server):
    """A page of nobody yet."""
    with support.quiet_context(browser, server.url) as context:
        yield context.new_page()


@pytest.fixture
def sign_in(installation, server):
    """Puts somebody's session into a page: a new owner of the operator organization, or whom the
    arguments of ``NewUser`` describe."""

    def begin(page, **also):
        email = f"{installation._name('user').replace(' ', '-')}@example.com"
        new = users.NewUser(**{"email": email, "role": "owner", "name": "Ada Okafor", **also})
        made = users.create(installation.desk, installation.operator, new)
        begun = sessions.sign_in(installation.desk, made.secret, Origin("req_browser"))
        page.context.add_cookies(
            [{"name": "keyturn_session", "value": begun.secret, "url": f"{server.url}/dashboard"}]
        )
        return made.user

    return begin


@pytest.fixture
def signed_in_page(page, sign_in):
    """A page of an owner of the operator organization."""
    sign_in(page)
    return page


@pytest.fixture
def picture(request):
    """``picture(page, name)`` writes screenshots, where ``make screenshots`` asks for them."""
    return partial(support.picture, wanted=request.config.getoption("--screenshots"))
