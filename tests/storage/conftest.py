"""A second node beside an installation: another process in all but name."""

import pytest

from app import create_app
from app.settings import Settings
from app.wiring import services


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
