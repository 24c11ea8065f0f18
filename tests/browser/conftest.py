"""A browser before a served installation; a page of somebody who is signed in."""

from functools import partial

import pytest

from tests.support import browser as support
from tests.support import people


@pytest.fixture(scope="module")
def browser():
    """One Chromium for a module's tests. Not for all: while Playwright is there, its event loop
    runs in this thread, and ``asyncio.run`` of other tests does not."""
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
        person = people.signed_in(installation, **also)
        page.context.add_cookies(
            [
                {"name": name, "value": value, "url": f"{server.url}/dashboard"}
                for name, value in person.cookies.items()
            ]
        )
        return person.user

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
