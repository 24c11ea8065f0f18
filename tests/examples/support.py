"""The booking API of `examples/` in this process, and what its README promises."""

import re
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

from examples.bookings import guard
from examples.bookings.app import Settings, create_app
from examples.bookings.declare import CATALOGUE, read_catalogue
from tests.support import forked
from tests.support.installation import process_environ

README = CATALOGUE.with_name("README.md")
AUDIENCE = read_catalogue()["resource"]["identifier"]
SCOPES = frozenset(one["name"] for one in read_catalogue()["scopes"])
_ROW = re.compile(r"\| (GET|POST|PUT|PATCH|DELETE) \| `([^`]+)` \| ([^|]+) \|")


class Route(NamedTuple):
    method: str
    path: str
    scopes: frozenset[str]
    """None: public."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ROUTES = [
    Route(method, path, frozenset(re.findall(r"`([^`]+)`", scopes)))
    for method, path, scopes in _ROW.findall(README.read_text(encoding="utf-8"))
]
"""As the README promises: what people read is what is tested."""
GUARDED = [route for route in ROUTES if route.scopes]


def declare(installation, *arguments):
    """`python -m examples.bookings.declare`, as its users run it."""
    environ = process_environ(installation.environ)
    return forked.run(arguments, environ, module="examples.bookings.declare")


class Bookings:
    """The API in this process; its questions go to the server over HTTP."""

    def __init__(self, app, server, installation, organization):
        self.app = app
        self.http = app.test_client()
        self.server = server
        self.installation = installation
        self.organization = organization
        self._tokens = {}

    def call(self, method, path, credential=None, **also):
        headers = {"Authorization": f"Bearer {credential}"} if credential else {}
        return self.http.open(
            path, method=method, headers=headers | also.pop("headers", {}), **also
        )

    def token(self, scopes, environment="live", organization=None):
        """An access token of a new client that holds exactly these scopes."""
        wanted = (frozenset(scopes), environment, organization or self.organization)
        if wanted not in self._tokens:
            client = self.installation.client(
                sorted(scopes), environment=environment, organization=wanted[2]
            )
            self._tokens[wanted] = self.server.token(client)
        return self._tokens[wanted]

    def key(self, scopes=(), environment="live", organization=None, **also):
        return self.installation.api_key(
            sorted(scopes),
            environment=environment,
            organization=organization or self.organization,
            **also,
        )

    def shelf(self, environment="live", organization=None):
        store = self.app.extensions[guard.STORE]
        return store.shelf(organization or self.organization, environment)

    def request_for(self, route, environment="live"):
        """A path and a body with which this route has something to do."""
        shelf = self.shelf(environment)
        slot = max(shelf.slots(), key=lambda slot: slot.free)
        place = {
            "experience_id": slot.experience_id,
            "starts_at": slot.starts_at.isoformat(),
        }
        ids = {
            "/v1/experiences/{id}": slot.experience_id,
            "/v1/properties/{id}": next(iter(shelf.properties)),
            "/v1/bookings/{id}": shelf.book(slot.experience_id, slot.starts_at, 1, "Ada").id
            if route.path == "/v1/bookings/{id}"
            else "",
        }
        bodies = {
            "POST": {**place, "guests": 1, "name": "Grace"},
            "PUT": {**place, "capacity": 1000},
            "PATCH": {"status": "cancelled"},
        }
        path = route.path.replace("{id}", ids.get(route.path, ""))
        body = bodies.get(route.method)
        return SimpleNamespace(path=path, also={} if body is None else {"json": body})

    def ask(self, route, credential, environment="live"):
        request = self.request_for(route, environment)
        return self.call(route.method, request.path, credential, **request.also)


@contextmanager
def bookings_api(installation, server, organization, **settings):
    asker = installation.client(["keyturn:introspect", "keyturn:organizations:read"])
    app = create_app(
        Settings(server.url, AUDIENCE, asker.client_id, asker.client_secret, **settings)
    )
    app.testing = True
    try:
        yield Bookings(app, server, installation, organization)
    finally:
        app.extensions[guard.VERIFIER].close()


def organization_with_catalogue(installation, name):
    organization = installation.organization(name)
    declared = declare(installation, "--org", name)
    assert declared.returncode == 0, declared.stderr
    assert declared.stdout.count("declared") == 14, declared.stdout
    return organization
