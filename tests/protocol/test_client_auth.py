"""Who is asking: client authentication at every OAuth endpoint (RFC 6749 §2.3, §5.2)."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from app.storage.models import ClientSecretRow, OrganizationRow
from tests.support.installation import Credentials
from tests.support.served import eventually
from tests.support.statements import statements

GRANT = {"grant_type": "client_credentials"}
FORM = "application/x-www-form-urlencoded"
ENDPOINTS = ["/oauth/token", "/oauth/introspect", "/oauth/revoke"]
EVERYTHING = {**GRANT, "token": "x"}
"""A body that is complete at each of the three."""


@pytest.fixture(scope="module")
def service(installation):
    return installation.client(["bookings:read", "keyturn:introspect"])


def basic(text):
    data = text if isinstance(text, bytes) else text.encode()
    return {"Authorization": "Basic " + base64.b64encode(data).decode()}


def outcome(response):
    return response.status_code, response.json().get("error")


OK = (200, None)
INVALID_CLIENT = (401, "invalid_client")
INVALID_REQUEST = (400, "invalid_request")


# How a secret may be sent ----------------------------------------------------------------------


@pytest.mark.rfc("6749", "2.3.1")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_by_basic_and_by_body(server, service, path):
    client_id, client_secret = service
    by_body = {"client_id": client_id, "client_secret": client_secret}
    assert server.post(path, data=EVERYTHING, auth=service).status_code == 200
    assert server.post(path, data=EVERYTHING | by_body).status_code == 200


@pytest.mark.rfc("6749", "2.3.1")
def test_basic_is_form_decoded(server, service):
    # Every character may be percent-encoded; libraries differ in which ones they encode.
    everything = ":".join("".join(f"%{ord(c):02x}" for c in part) for part in service)
    careful = ":".join(quote(part, safe="") for part in service)
    for sent in (everything, careful):
        response = server.post("/oauth/token", data=GRANT, headers=basic(sent))
        assert response.status_code == 200


@pytest.mark.rfc("7617", "2")
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
def test_the_schemes_case_does_not_matter(server, service, scheme):
    sent = basic(":".join(service))["Authorization"].replace("Basic", scheme)
    response = server.post("/oauth/token", data=GRANT, headers={"Authorization": sent})
    assert response.status_code == 200


def test_basic_with_the_same_client_id_in_the_body_is_one_method(server, service):
    data = GRANT | {"client_id": service.client_id}
    assert server.post("/oauth/token", data=data, auth=service).status_code == 200


def test_a_client_of_one_secret_method_may_use_the_other(server, installation):
    client = installation.client(token_endpoint_auth_method="client_secret_post")
    assert server.ask(client).status_code == 200


@pytest.mark.rfc("6749", "2.3")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("which", ["the same", "another"])
def test_never_two_methods(server, service, path, which):
    secret = service.client_secret if which == "the same" else "x"
    data = EVERYTHING | {"client_id": service.client_id, "client_secret": secret}
    assert outcome(server.post(path, data=data, auth=service)) == INVALID_REQUEST


def test_another_client_id_in_the_body_is_refused(server, service, installation):
    other = installation.client()
    data = GRANT | {"client_id": other.client_id}
    assert outcome(server.post("/oauth/token", data=data, auth=service)) == INVALID_REQUEST


def test_never_in_the_url(server, service):
    params = {"client_id": service.client_id, "client_secret": service.client_secret}
    response = server.post("/oauth/token", data=GRANT, params=params)
    assert outcome(response) == INVALID_REQUEST
    assert service.client_secret not in response.text


# What does not authenticate ----------------------------------------------------------------------


def malformed(service):
    client_id, secret = service
    right = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {
        "no scheme": right,
        "nothing behind the scheme": "Basic",
        "another scheme": "Bearer " + right,
        "digest": f'Digest username="{client_id}"',
        "negotiate": "Negotiate " + right,
        "no base64": "Basic !!!!",
        "base64 without padding": "Basic " + right.rstrip("=") + "A",
        "a line of its own": "Basic " + right[:20] + "\t" + right[20:],
        "two values": "Basic " + right + " " + right,
        "no colon": "Basic " + base64.b64encode(client_id.encode()).decode(),
        "empty id": "Basic " + base64.b64encode(f":{secret}".encode()).decode(),
        "empty secret": "Basic " + base64.b64encode(f"{client_id}:".encode()).decode(),
        "both empty": "Basic " + base64.b64encode(b":").decode(),
        "not UTF-8": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "half a surrogate": "Basic " + base64.b64encode(b"\xed\xa0\x80:x").decode(),
        "percent-encoded rubbish": "Basic " + base64.b64encode(b"%ff%zz:%").decode(),
        "NUL behind the id": "Basic "
        + base64.b64encode(f"{client_id}\0:{secret}".encode()).decode(),
        "NUL behind the secret": "Basic "
        + base64.b64encode(f"{client_id}:{secret}\0".encode()).decode(),
        "encoded NUL": "Basic " + base64.b64encode(f"{client_id}:{secret}%00".encode()).decode(),
        "a blank behind": "Basic " + base64.b64encode(f"{client_id}:{secret} ".encode()).decode(),
        "a line feed behind": "Basic "
        + base64.b64encode(f"{client_id}:{secret}\n".encode()).decode(),
        "upper case": "Basic "
        + base64.b64encode(f"{client_id}:{secret.upper()}".encode()).decode(),
        "one character less": "Basic "
        + base64.b64encode(f"{client_id}:{secret[:-1]}".encode()).decode(),
        "oversized id": "Basic " + base64.b64encode(b"x" * 6000 + b":y").decode(),
        "oversized secret": "Basic "
        + base64.b64encode(f"{client_id}:".encode() + b"x" * 6000).decode(),
        "id and secret exchanged": "Basic "
        + base64.b64encode(f"{secret}:{client_id}".encode()).decode(),
        "a wildcard": "Basic " + base64.b64encode(f"%:{secret}".encode()).decode(),
        "an SQL wildcard": "Basic " + base64.b64encode(f"client%25:{secret}".encode()).decode(),
        "SQL": "Basic " + base64.b64encode(b"' OR 1=1 --:' OR 1=1 --").decode(),
    }


@pytest.mark.rfc("6749", "5.2")
@pytest.mark.parametrize("case", malformed(Credentials("client_x", "kts_live_y")))
def test_authorization_that_proves_nothing(server, service, case):
    headers = {"Authorization": malformed(service)[case]}
    response = server.post("/oauth/token", data=GRANT, headers=headers)
    assert outcome(response) == INVALID_CLIENT
    assert response.json()["error_description"] == "Client authentication failed"


def test_a_body_secret_that_proves_nothing(server, service):
    client_id, secret = service
    for given in (secret + "x", secret[:-1], secret.upper(), "x", "x" * 6000, secret + " "):
        data = GRANT | {"client_id": client_id, "client_secret": given}
        assert outcome(server.post("/oauth/token", data=data)) == INVALID_CLIENT


@pytest.mark.parametrize(
    "data",
    [
        GRANT,
        GRANT | {"client_id": "client_x"},
        GRANT | {"client_secret": "x"},
        GRANT | {"client_id": "client_x", "client_secret": "x"},
        GRANT | {"client_id": "x" * 6000, "client_secret": "x"},
        GRANT | {"client_id": "😀", "client_secret": "😀"},
        GRANT
        | {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjbGllbnRfeCJ9.",
        },
    ],
)
def test_a_body_that_proves_nothing(server, data):
    assert outcome(server.post("/oauth/token", data=data)) == INVALID_CLIENT


def test_a_client_id_alone_is_no_public_client(server, service):
    data = GRANT | {"client_id": service.client_id}
    assert outcome(server.post("/oauth/token", data=data)) == INVALID_CLIENT


def test_anothers_secret_is_no_secret(server, service, installation):
    other = installation.client()
    assert outcome(server.ask((service.client_id, other.client_secret))) == INVALID_CLIENT


def test_an_api_key_is_no_client_secret(server, service, installation):
    key = installation.api_key()
    assert outcome(server.ask((service.client_id, key.key))) == INVALID_CLIENT
    assert outcome(server.ask((key.id, key.key))) == INVALID_CLIENT


def test_the_hash_of_a_secret_is_no_secret(server, service, installation):
    (digest,) = installation.rows(
        "SELECT digest FROM client_secrets WHERE client_id = :id", id=service.client_id
    )[0]
    for form in (digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode()):
        assert outcome(server.ask((service.client_id, form))) == INVALID_CLIENT


# One answer for every failure --------------------------------------------------------------------


@pytest.fixture(scope="module")
def refused(installation, server):
    """Clients that fail for every reason there is. Some were good, and known as such, before."""
    organization = installation.organization("Suspended", scopes=["a:b"])
    elsewhere = installation.organization("Shrunk", scopes=["a:b"])
    client = installation.client
    cases = {
        "unknown": Credentials("client_01zzzzzzzzzzzzzzzzzzzzzzzz", "kts_live_" + "x" * 39),
        "wrong secret": client()._replace(client_secret="kts_live_" + "x" * 39),
        "disabled": client(),
        "disabled and wrong secret": client(),
        "expired secret": client(),
        "revoked secret": client(),
        "removed": client(),
        "suspended organization": client(["a:b"], organization=organization),
        "removed environment": client(["a:b"], organization=elsewhere, environment="test"),
        "wrong method": client(),
    }
    for name, one in cases.items():
        if name not in ("unknown", "wrong secret"):
            assert server.ask(one).status_code == 200, name
    installation.disable(cases["disabled"].client_id)
    other = cases["disabled and wrong secret"]
    installation.disable(other.client_id)
    cases["disabled and wrong secret"] = other._replace(client_secret="x")
    with installation.desk.store.transaction(installation.operator) as work:
        expired = cases["expired secret"].client_id
        ended_at = datetime.now(UTC) - timedelta(seconds=1)
        for row in work.session.query(ClientSecretRow).filter_by(client_id=expired):
            row.expires_at = ended_at
        work.changed("client", expired)
        shrunk = work.session.get(OrganizationRow, elsewhere)
        shrunk.environments = ["live"]
        work.changed("organization", elsewhere)
    (secret_id,) = installation.rows(
        "SELECT id FROM client_secrets WHERE client_id = :id",
        id=cases["revoked secret"].client_id,
    )[0]
    installation.end_secret(cases["revoked secret"].client_id, secret_id)
    installation.delete_client(cases["removed"].client_id)
    installation.suspend(organization)
    installation.force_client(
        cases["wrong method"].client_id, token_endpoint_auth_method="private_key_jwt"
    )
    return cases


CASES = [
    "unknown",
    "wrong secret",
    "disabled",
    "disabled and wrong secret",
    "expired secret",
    "revoked secret",
    "removed",
    "suspended organization",
    "removed environment",
    "wrong method",
]


def is_refused(response):
    """The answer, once the change has arrived in the process that serves."""
    return response if response.status_code == 401 else None


def without_request_id(response):
    """Status, headers and body, byte by byte, apart from what differs between any two answers."""
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in ("x-request-id", "date")
    }
    return response.status_code, headers, response.content


@pytest.mark.rfc("6749", "5.2")
@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("case", CASES)
def test_every_failure_looks_the_same(server, refused, path, case):
    nobody = server.post(path, data=EVERYTHING, auth=("nobody", "nothing"))
    assert nobody.status_code == 401
    assert nobody.json() == {
        "error": "invalid_client",
        "error_description": "Client authentication failed",
    }
    assert nobody.headers["WWW-Authenticate"].startswith('Basic realm="')
    response = eventually(
        lambda: is_refused(server.post(path, data=EVERYTHING, auth=refused[case]))
    )
    assert without_request_id(response) == without_request_id(nobody)
    client_id, client_secret = refused[case]
    by_body = EVERYTHING | {"client_id": client_id, "client_secret": client_secret}
    assert without_request_id(server.post(path, data=by_body)) == without_request_id(nobody)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_no_credentials_at_all_are_the_same_failure(server, path):
    nobody = server.post(path, data=EVERYTHING, auth=("nobody", "nothing"))
    nothing = server.post(path, data=EVERYTHING)
    assert without_request_id(nothing) == without_request_id(nobody)


def test_what_was_refused_works_again_when_it_may(server, installation):
    organization = installation.organization("Resumed", scopes=["a:b"])
    client = installation.client(["a:b"], organization=organization)
    installation.suspend(organization)
    assert outcome(server.ask(client)) == INVALID_CLIENT
    installation.resume(organization)
    eventually(lambda: outcome(server.ask(client)) == OK)


# Time --------------------------------------------------------------------------------------------


def test_unknown_client_and_wrong_secret_cost_the_same_statements(installation):
    """Not how long, which a loaded machine decides, but what is done."""
    known, unseen = installation.client(), installation.client()
    installation.http.post("/oauth/token", data=GRANT, auth=known)

    def cost(client_id, secret):
        with statements(installation) as made:
            response = installation.http.post("/oauth/token", data=GRANT, auth=(client_id, secret))
        assert outcome(response) == INVALID_CLIENT
        return made

    unknown = cost("client_01zzzzzzzzzzzzzzzzzzzzzzzz", "kts_live_wrong")
    wrong = cost(known.client_id, "kts_live_wrong")
    wrong_and_unseen = cost(unseen.client_id, "kts_live_wrong")
    assert unknown == wrong == wrong_and_unseen
    assert len(unknown) > 0
