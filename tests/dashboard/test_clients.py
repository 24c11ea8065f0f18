"""Clients: what the pages refuse, what they keep, and that nothing is made twice."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from app.admin import clients

NEW = {"name": "New", "scopes": ["bookings:read"], "environment": "live"}
SECRET = re.compile(r'<code id="secret">([^<]+)</code>')


def created(site, **typed):
    """The page that is shown once, and the client's id."""
    page = site.send("/clients/new", **{**NEW, "name": "Billing", **typed})
    assert page.status_code == 200, page.text
    return page, re.search("client_0[0-9a-z]+", page.text)[0]


def test_a_client_is_made_and_its_secret_is_shown_once(installation, site):
    ada = site()
    page, client_id = created(ada, environment="test", token_ttl="120", description="For invoices")
    secret = SECRET.search(page.text)[1]
    answer = installation.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret)
    )
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 120)
    shown = ada.get(f"/clients/{client_id}")
    assert secret not in shown.text
    assert {"Billing", "For invoices"} <= set(re.findall("Billing|For invoices", shown.text))


def test_a_form_that_is_sent_twice_makes_one_client(installation, site):
    ada = site()
    form = {**ada.form("/clients/new"), **NEW, "name": "Twice"}
    first, second = (ada.post("/clients/new", form) for _ in range(2))
    made = installation.rows("SELECT client_id FROM clients WHERE name = 'Twice'")
    assert len(made) == 1
    assert SECRET.search(first.text)
    assert (second.status_code, second.headers["Location"]) == (
        303,
        f"/dashboard/clients/{made[0][0]}",
    )
    assert "was done already" in ada.get(f"/clients/{made[0][0]}").text
    # Somebody else's form may have the same token, by chance or on purpose.
    other = site()
    own = {**form, "csrf_token": other.form("/clients/new")["csrf_token"]}
    assert other.post("/clients/new", own).status_code == 200


@pytest.mark.parametrize(
    ("typed", "field", "says"),
    [
        ({"name": ""}, "name", "required"),
        ({"name": "\u202egnp"}, "name", "control character"),
        ({"scopes": []}, "scopes", "Give scopes or a preset"),
        ({"scopes": ["nowhere:read"]}, "scopes", "not a valid choice"),
        ({"scopes": [], "wildcards": "nowhere:*"}, "wildcards", "Unknown scope"),
        ({"environment": ""}, "environment", "Choose one"),
        ({"environment": "moon"}, "environment", "valid choice"),
        ({"token_ttl": "soon"}, "token_ttl", "integer"),
        ({"token_ttl": "1"}, "token_ttl", "between"),
        ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method", "valid choice"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(site, typed, field, says):
    page = site().send("/clients/new", **{**NEW, "name": "Kept", **typed})
    assert page.status_code == 400
    wrong = re.search(rf'id="{field}-wrong">([^<]*)<', page.text)
    assert wrong
    assert says in wrong[1]
    assert typed.get("name", "Kept") in page.text


def test_scopes_one_does_not_hold_are_not_given(site):
    page = site(role="developer").send(
        "/clients/new", **{**NEW, "name": "Mighty", "scopes": ["keyturn:users:write"]}
    )
    assert page.status_code == 403
    assert "You cannot give what you do not hold" in page.text
    assert 'value="Mighty"' in page.text


def test_an_auditor_reads_and_finds_nothing_to_press(installation, site):
    client_id = installation.client().client_id
    auditor = site(role="auditor")
    for path in ("/clients", f"/clients/{client_id}"):
        page = auditor.get(path)
        assert page.status_code == 200
        assert not re.search(">(New client|New secret|Delete|Disable)<", page.text)
    form = {"csrf_token": auditor.form("/account/password")["csrf_token"], **NEW}
    for refused in (auditor.get("/clients/new"), auditor.post("/clients/new", form)):
        assert refused.status_code == 403
        assert "keyturn:clients:write" in refused.text


def test_another_organizations_client_does_not_exist(installation, site):
    client_id = installation.client().client_id
    elsewhere = site(role="owner", organization_id=installation.organization())
    for path in ("", "/edit", "/delete", "/secrets/new", "/secrets/sec_x/end"):
        assert elsewhere.get(f"/clients/{client_id}{path}").status_code == 404
    assert client_id not in elsewhere.get("/clients").text
    form = elsewhere.form("/clients/new")
    for path in ("/edit", "/delete", "/status", "/secrets/new"):
        assert elsewhere.post(f"/clients/{client_id}{path}", form).status_code == 404
    assert installation.rows("SELECT status FROM clients WHERE client_id = :id", id=client_id) == [
        ("active",)
    ]


def test_a_list_is_paged_and_filtered(installation, site):
    organization = installation.organization(scopes=["a:b"])
    for number in range(60):
        installation.client(
            ["a:b"],
            name=f"Numbered {number:02}",
            organization=organization,
            environment="test" if number < 5 else "live",
        )
    ada = site(organization_id=organization)
    first = ada.get("/clients").text
    older = re.search(r'href="/dashboard/clients\?cursor=([^"]+)"', first)[1]
    second = ada.get("/clients", cursor=older).text
    assert first.count("Numbered") == 50
    assert second.count("Numbered") == 10
    assert ada.get("/clients", environment="test").text.count("Numbered") == 5
    assert ada.get("/clients", status="disabled").text.count("Numbered") == 0
    assert ada.get("/clients", cursor="no such").status_code == 400


def test_what_is_changed_is_changed_and_nothing_else(installation, site):
    installation.preset("reading", ["bookings:read"])
    made = installation.client(["bookings:*", "reports:read"], name="Before")
    # A developer may leave what they could not give: nothing of it is said anew.
    ada = site(role="developer")
    answer = ada.send(f"/clients/{made.client_id}/edit", name="After")
    assert answer.status_code == 303, answer.text
    found = clients.show(installation.desk, installation.operator, made.client_id)
    assert (found.name, set(found.scopes)) == ("After", {"bookings:*", "reports:read"})
    owner = site()
    both = owner.send(f"/clients/{made.client_id}/edit", preset="reading")
    assert "either scopes or a preset" in both.text
    owner.send(f"/clients/{made.client_id}/edit", preset="reading", scopes=[], wildcards="")
    found = clients.show(installation.desk, installation.operator, made.client_id)
    assert (found.preset, found.scopes) == ("reading", ("bookings:read",))


def test_a_client_is_disabled_enabled_and_deleted(installation, site):
    made = installation.client()
    ada = site()

    def token():
        return installation.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=made
        ).status_code

    for status in (401, 200):
        path = f"/clients/{made.client_id}"
        assert ada.press(path, f"{path}/status").status_code == 303
        assert token() == status
    assert ada.send(f"/clients/{made.client_id}/delete").status_code == 303
    assert token() == 401
    assert ada.get(f"/clients/{made.client_id}").status_code == 404


def test_without_any_preset_a_client_is_changed_as_well(installation, site):
    """There is nothing to choose from then, so no preset is sent."""
    organization = installation.organization(scopes=["tours:read"])
    made = installation.client(["tours:read"], organization=organization)
    ada, path = site(organization_id=organization), f"/clients/{made.client_id}/edit"
    assert "preset" not in ada.form(path)
    assert ada.send(path, name="After").status_code == 303
    assert "After" in ada.get("/clients").text


def test_a_secret_follows_another_and_one_is_ended(installation, site):
    made = installation.client()
    ada = site()
    page = ada.send(f"/clients/{made.client_id}/secrets/new", grace="stay", note="Second")
    fresh = SECRET.search(page.text)[1]

    def works(secret):
        form = {"grant_type": "client_credentials"}
        auth = (made.client_id, secret)
        return installation.http.post("/oauth/token", data=form, auth=auth).status_code == 200

    assert (works(fresh), works(made.client_secret)) == (True, True)
    shown = ada.get(f"/clients/{made.client_id}").text
    assert "Second" in shown
    ended = re.findall(rf"/clients/{made.client_id}/secrets/(sec_\w+)/end", shown)[-1]
    ada.send(f"/clients/{made.client_id}/secrets/{ended}/end")
    assert (works(fresh), works(made.client_secret)) == (True, False)
    ada.send(f"/clients/{made.client_id}/secrets/new", grace="0")
    assert not works(fresh)


PROGRAMS = {
    "curl": ["sh", "-c"],
    "Python": [sys.executable, "-c"],
    "Node": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("language", PROGRAMS)
def test_the_examples_work_as_they_are_pasted(installation, server, site, language):
    if shutil.which(PROGRAMS[language][0]) is None:
        pytest.skip(f"no {language} here")
    page, client_id = created(site())
    secret = SECRET.search(page.text)[1]
    with installation.app.test_request_context():
        from app.web.dashboard.examples import token_requests

        client = clients.show(installation.desk, installation.operator, client_id)
        organization = installation.desk.directory.organization(installation.organization_id)
        examples = dict(token_requests(client, organization, server.url))
    done = subprocess.run(
        [*PROGRAMS[language], examples[language]],
        env={**os.environ, "KEYTURN_CLIENT_SECRET": secret},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", done.stdout), done.stdout


JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
SIGNS = {"token_endpoint_auth_method": "private_key_jwt"}


@pytest.mark.parametrize(
    ("typed", "field"),
    [({}, "jwks"), ({"jwks": "{"}, "jwks"), ({"jwks": "[]"}, "jwks"), ({"jwks": "{}"}, "jwks"),
     ({"jwks_uri": "http://keys.example"}, "jwks_uri")],
)  # fmt: skip
def test_a_client_that_signs_needs_its_keys(site, typed, field):
    page = site().send("/clients/new", **{**NEW, **SIGNS, **typed})
    assert page.status_code == 400
    assert f'id="{field}-wrong"' in page.text


def test_a_client_that_signs_has_no_secret_and_may_have_one_later(installation, site):
    ada = site()
    page, client_id = created(ada, **SIGNS, jwks=json.dumps({"keys": [JWK]}))
    assert SECRET.search(page.text) is None
    assert "ClientKey" in page.text
    found = clients.show(installation.desk, installation.operator, client_id)
    assert found.jwks == {"keys": [JWK]}
    # Sent as it is, nothing changes; by another method the keys go.
    assert ada.send(f"/clients/{client_id}/edit").status_code == 303
    assert clients.show(installation.desk, installation.operator, client_id) == found
    ada.send(f"/clients/{client_id}/edit", token_endpoint_auth_method="client_secret_post")
    assert clients.show(installation.desk, installation.operator, client_id).jwks is None


def test_names_are_text_not_markup(installation, site):
    installation.client(name="<script>alert(1)</script>")
    page = site().get("/clients").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("area", ["clients", "api-keys"])
def test_a_name_is_searched_for(installation, site, area):
    organization = installation.organization(scopes=["a:b"])
    for name in ("Searched for", "Something else"):
        installation.client(["a:b"], name=name, organization=organization)
        installation.api_key(["a:b"], name=name, organization=organization)
    page = site(organization_id=organization).get(f"/{area}", search="search").text
    assert ("Searched for" in page, "Something else" in page) == (True, False)
    assert 'value="search"' in page
