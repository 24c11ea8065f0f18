"""A private key, given where a public one belongs, is refused and stays nowhere: in no page,
answer, log or table."""

import json

import pytest

from app.storage.models import Base
from tests.support.assertions import SigningKey
from tests.support.pages import form_of
from tests.support.people import PASSWORD

KEYS = {"EC": SigningKey("ES256"), "Ed25519": SigningKey("EdDSA"), "RSA": SigningKey("RS256")}
EC, PUBLIC = KEYS["EC"].private_jwk, KEYS["EC"].jwk
SHARED = {"kty": "oct", "k": "b3VyIHNoYXJlZCBzZWNyZXQ"}
SETS = {
    **{name: {"keys": [key.private_jwk]} for name, key in KEYS.items()},
    "shared secret": {"keys": [SHARED]},
    "beside a public one": {"keys": [PUBLIC, EC]},
    "no set": EC,
    "elsewhere in a set": {"keys": [PUBLIC], "ours": {"kept": [EC]}},
}
TEXTS = {name: json.dumps(jwks) for name, jwks in SETS.items()} | {
    "a list": json.dumps([EC]),
    "a text": json.dumps(EC["d"]),
    "cut off": json.dumps({"keys": [EC]})[:-2],
    "Python": repr({"keys": [EC]}),
    "said twice": f'{{"keys": [{json.dumps(EC)}], "keys": []}}',
}
PRIVATE = {
    jwk[name]
    for jwk in (SHARED, *(key.private_jwk for key in KEYS.values()))
    for name in ("d", "p", "q", "dp", "dq", "qi", "k")
    if name in jwk
}
SIGNS = {"token_endpoint_auth_method": "private_key_jwt"}
NEW = {"name": "New", "scopes": ["bookings:read"], "environment": "live", **SIGNS}
SAYS = "jwks holds a private key"


def leaked(text):
    return [one for one in PRIVATE if one in text]


@pytest.fixture(autouse=True)
def nowhere(installation, caplog):
    """Whatever a test here does."""
    caplog.set_level("DEBUG")
    yield
    tables = [str(installation.rows(f"SELECT * FROM {table}")) for table in Base.metadata.tables]
    assert leaked(caplog.text + "".join(tables)) == []


@pytest.mark.parametrize("pasted", TEXTS)
@pytest.mark.parametrize(
    "also",
    [{}, {"name": ""}, {"token_endpoint_auth_method": "client_secret_basic", "name": ""}],
    ids=["refused", "refused for its name", "of a client that does not sign"],
)
def test_a_form_does_not_show_it_again(installation, site, pasted, also):
    ada, made = site(), installation.client().client_id
    for path in ("/clients/new", f"/clients/{made}/edit"):
        page = ada.send(path, **{**NEW, "jwks": TEXTS[pasted], **also})
        assert page.status_code == 400
        assert leaked(page.text) == []
        assert (SAYS in page.text) is (pasted in SETS and not also)
        # What is shown in its place is refused as well.
        assert ada.post(path, {**form_of(page), **NEW}).status_code == 400


@pytest.mark.parametrize("pasted", TEXTS)
def test_it_does_not_wait_until_the_password_is_confirmed(a_while_ago, pasted):
    asked = a_while_ago.send("/clients/new", **NEW, jwks=TEXTS[pasted])
    assert asked.status_code == 403
    assert leaked(asked.text) == []
    page = a_while_ago.post("/clients/new", {**form_of(asked), "confirm_password": PASSWORD})
    assert page.status_code == 400
    assert 'id="jwks-wrong"' in page.text
    assert (SAYS in page.text) is (pasted in SETS)


def test_a_public_one_waits_and_is_shown_again(a_while_ago):
    asked = a_while_ago.send(
        "/clients/new", **{**NEW, "name": ""}, jwks=json.dumps(KEYS["EC"].jwks)
    )
    page = a_while_ago.post("/clients/new", {**form_of(asked), "confirm_password": PASSWORD})
    assert json.loads(form_of(page)["jwks"][0]) == KEYS["EC"].jwks


@pytest.mark.parametrize(
    "nested", ["[" * 5_000, '{"keys":' * 900 + "1" + "}" * 900], ids=["lists", "objects"]
)
def test_what_is_nested_too_deeply_is_refused(site, nested):
    page = site().send("/clients/new", **NEW, jwks=nested)
    assert page.status_code == 400
    assert 'id="jwks-wrong"' in page.text


@pytest.mark.parametrize("pasted", SETS)
def test_the_api_does_not_say_it_again(installation, pasted):
    credential = installation.api_key(["keyturn:*"]).key
    headers = {"Authorization": f"Bearer {credential}"}
    made = f"/v1/clients/{installation.client().client_id}"
    body = {**SIGNS, "jwks": SETS[pasted]}
    new = {"name": "New", "scopes": ["bookings:read"]}
    for method, path, sent in (("POST", "/v1/clients", {**new, **body}), ("PATCH", made, body)):
        refused = installation.http.request(method, path, json=sent, headers=headers)
        assert refused.status_code == 400
        assert SAYS in refused.json()["error"]["message"]
        assert leaked(refused.text) == []


@pytest.mark.parametrize("pasted", TEXTS)
def test_the_command_line_does_not_say_it_again(installation, tmp_path, pasted):
    file = tmp_path / "jwks.json"
    file.write_text(TEXTS[pasted])
    runner, made = installation.app.test_cli_runner(), installation.client().client_id
    create = ("create", "--name", "New", "--scope", "bookings:read")
    for words in (create, ("update", made)):
        refused = runner.invoke(
            args=["client", *words, "--auth-method", "private_key_jwt", "--jwks", str(file)]
        )
        assert refused.exit_code == 1
        assert leaked(refused.output + refused.stderr) == []
        assert (SAYS in refused.stderr) is (pasted in SETS)
