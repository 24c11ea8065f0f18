"""A second node beside an installation: a process in all but name; and a dead one's journal."""

import pytest

from app import create_app
from app.settings import Settings
from app.storage.journal import Journal
from app.wiring import services
from tests.storage.journals import LIMIT


@pytest.fixture
def another_node():
    """Services of their own over the same database; nothing runs in their background."""
    made = []

    def node(installation, **environ):
        app = create_app(Settings.from_env({**installation.environ, **environ}))
        made.append(app)
        return services(app)

    yield node
    for app in made:
        services(app).store.engine.dispose()


@pytest.fixture
def journal(any_installation):
    """A journal of another, dead process in the installation's directory."""
    made = Journal(str(any_installation.journal_dir), LIMIT)
    yield made
    made.close()
