"""A user name and a password in a URL are refused, and stay nowhere: in no page, answer, log or
table."""

import pytest

from app.storage.models import Base
from tests.support.fields import Fields
from tests.support.pages import form_of
from tests.support.people import PASSWORD

SECRET = "s3same"
TYPED = [
    f"https://ada:{SECRET}@keys.example/jwks",
    f"https://:{SECRET}@keys.example/jwks",
    f"https://{SECRET}@keys.example",
    f"https://ada:p@{SECRET}@keys.example/jwks",
    f"https://ada:{SECRET}/open@keys.example/jwks",
    f"https://ada:{SECRET}#open@keys.example/jwks",
    f"HTTPS://ada:{SECRET}@[keys.example",
    f"http://ada:{SECRET}@keys.example",
    f"https:/ada:{SECRET}@keys.example",
    f"ada:{SECRET}@keys.example",
]
SIGNS = {"token_endpoint_auth_method": "private_key_jwt"}
CLIENT = {"name": "New", "scopes": ["bookings:read"], "environment": "live", **SIGNS}
KEY = {"name": "New", "scopes": ["bookings:read"], "environment": "live"}
FORMS = [
    ("/clients/new", "jwks_uri", CLIENT),
    ("/clients/{client}/edit", "jwks_uri", CLIENT),
    ("/api-keys/new", "allowed_domains", KEY),
    ("/api-keys/{key}/edit", "allowed_domains", KEY),
    ("/resources/new", "identifier", {"name": "New"}),
]
"""Every field for a URL, or for what one could take for one."""
API = [
    ("/v1/clients", "jwks_uri", {"name": "New", "scopes": ["bookings:read"], **SIGNS}),
    ("/v1/api-keys", "allowed_domains", {"name": "New", "scopes": ["bookings:read"]}),
    ("/v1/resources", "identifier", {}),
]


def cases(places):
    """Each of them with everything typed; but an absolute URI may have a scheme called «ada»."""
    return [
        pytest.param(*place, typed, id=f"{place[0].strip('/').replace('/', ' ')} {number}")
        for place in places
        for number, typed in enumerate(TYPED)
        if place[1] != "identifier" or "/" in typed
    ]


@pytest.fixture(autouse=True)
def nowhere(installation, caplog):
    """Whatever a test here does."""
    caplog.set_level("DEBUG")
    yield
    tables = [str(installation.rows(f"SELECT * FROM {table}")) for table in Base.metadata.tables]
    assert SECRET not in caplog.text + "".join(tables)


@pytest.fixture(scope="module")
def made(installation):
    """A client and a key to be changed."""
    client, key = installation.client(["bookings:read"]), installation.api_key(["bookings:read"])
    return {"client": client.client_id, "key": key.id}


@pytest.mark.parametrize(("path", "field", "also", "typed"), cases(FORMS))
def test_a_form_refuses_it_and_does_not_show_it_again(site, made, path, field, also, typed):
    ada, path = site(), path.format(**made)
    page = ada.send(path, **also, **{field: typed})
    assert page.status_code == 400
    assert Fields(page.text).wrong(field)
    assert SECRET not in page.text
    assert "keys.example" in form_of(page)[field][0]
    # What is shown in its place is refused as well.
    again = ada.post(path, {**form_of(page), **also})
    assert again.status_code == 400
    assert Fields(again.text).wrong(field)
    unnamed = ada.send(path, **{**also, "name": "", field: typed})
    assert SECRET not in unnamed.text


@pytest.mark.parametrize(("path", "field", "also", "typed"), cases([FORMS[0], FORMS[2]]))
def test_it_does_not_wait_until_the_password_is_confirmed(a_while_ago, path, field, also, typed):
    asked = a_while_ago.send(path, **also, **{field: typed})
    assert asked.status_code == 403
    assert SECRET not in asked.text
    page = a_while_ago.post(path, {**form_of(asked), "confirm_password": PASSWORD})
    assert page.status_code == 400
    assert Fields(page.text).wrong(field)


def test_the_inspector_does_not_show_it_again(installation, site, made):
    key = installation.api_key(["bookings:read"], allowed_domains=["shop.example"]).key
    page = site().send("/inspector", key=key, origin=TYPED[0])
    assert page.status_code == 200
    assert "not from https://****@keys.example/jwks" in page.text
    assert SECRET not in page.text


@pytest.mark.parametrize(
    "typed",
    ["https://keys.example/@ada/jwks", "https://keys.example:8443/jwks?of=ada@b", "urn:keys:a@b"],
)
def test_what_is_no_user_name_is_shown_again(site, made, typed):
    page = site().send("/clients/new", **{**CLIENT, "name": "", "jwks_uri": typed})
    assert form_of(page)["jwks_uri"] == [typed]


@pytest.mark.parametrize(("path", "field", "also", "typed"), cases(API))
def test_the_api_does_not_say_it_again(installation, path, field, also, typed):
    headers = {"Authorization": f"Bearer {installation.api_key(['keyturn:*']).key}"}
    sent = {**also, field: [typed] if field == "allowed_domains" else typed}
    refused = installation.http.post(path, json=sent, headers=headers)
    assert refused.status_code == 400
    assert field in refused.text
    assert SECRET not in refused.text
