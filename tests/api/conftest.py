"""Credentials, organizations and objects for the management API's tests."""

import itertools

import pytest

from app.admin import plans, users
from app.builtin import administration
from tests.api.support import Api, Description, Tenant

COUNT = itertools.count(1)


@pytest.fixture(scope="module")
def description(installation):
    return Description(installation.http.get("/v1/openapi.json").json())


@pytest.fixture(scope="module")
def api(installation, description):
    """``api(credential)``; without one, a stranger."""
    return lambda credential=None: Api(installation, description, credential)


@pytest.fixture(scope="module")
def token(installation):
    """``token(scopes, …)``: an access token of a new client."""

    def make(scopes, *, form=(), **also):
        response = installation.http.post(
            "/oauth/token",
            auth=tuple(installation.client(scopes, **also)),
            data={"grant_type": "client_credentials", **dict(form)},
        )
        assert response.status_code == 200, response.text
        return response.json()["access_token"]

    return make


@pytest.fixture(scope="module")
def operator(installation, api):
    """The operator organization; its administrator may do everything, everywhere."""
    key = installation.api_key(["keyturn:*"]).key
    return Tenant(installation.organization_id, api(key), key)


@pytest.fixture(scope="module")
def tenant(installation, api):
    """``tenant()``: another organization, with an administrator of its own."""

    def make():
        organization = installation.organization(scopes=["rooms:read", "rooms:write"])
        key = installation.api_key(["keyturn:*", "rooms:*"], organization=organization).key
        return Tenant(organization, api(key), key)

    return make


class Things(dict):
    """The variables of the paths: one new object of each kind, made when it is first asked for."""

    def __init__(self, installation, organization_id):
        number = next(COUNT)
        super().__init__(organization_id=organization_id, number=number, kid="no-such-key")
        self._made_by = installation
        self._own = {"organization": organization_id}
        operating = organization_id == installation.organization_id
        self._scope = "bookings:read" if operating else "rooms:read"

    def __missing__(self, name):
        self[name] = found = getattr(self, f"_{name}")()
        return found

    def _client_id(self):
        return self._made_by.client([self._scope], **self._own).client_id

    def _secret_id(self):
        return self._made_by.secret(self["client_id"], **self._own).id

    def _key_id(self):
        return self._made_by.api_key([self._scope], **self._own).id

    def _scope_name(self):
        return self._made_by.scope(f"extra:{self['number']}", **self._own)

    def _preset(self):
        return self._made_by.preset(f"preset-{self['number']}", [self._scope], **self._own)

    def _resource_id(self):
        return self._made_by.resource(f"https://{self['number']}.example", **self._own)

    def _user_id(self):
        new = users.NewUser(
            email=f"u{self['number']}@example.com",
            role="auditor",
            organization_id=self["organization_id"],
        )
        return users.create(self._made_by.desk, self._made_by.operator, new).user.id

    def _plan_id(self):
        new = plans.NewPlan(name=f"plan {self['number']}")
        return plans.create(self._made_by.desk, self._made_by.operator, new).id


@pytest.fixture(scope="module")
def things(installation):
    """``things(organization_id)``: one new object of every kind in an organization."""
    return lambda organization_id: Things(installation, organization_id)


@pytest.fixture(scope="session")
def every_scope():
    return set(administration(operator=True))
