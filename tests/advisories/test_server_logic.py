"""Published mistakes of authorization servers: what is given to whom, and what is remembered.

Each test names the advisory or issue it stands for. The whole tables are in ``tests/protocol``.
"""

import base64
import hashlib
import hmac
import json
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyturn.apikey import DEFAULT_API_KEY
from tests.support.installation import installed
from tests.support.statements import statements
from tests.support.tokens import unverified

GRANT = {"grant_type": "client_credentials"}
INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def api(installation):
    return installation.client(["keyturn:introspect"])


@pytest.fixture(scope="module")
def client(installation):
    return installation.client(["bookings:*"])


@pytest.fixture
def ask(installation, client):
    def request(data=None, by=client, **also):
        return installation.http.post("/oauth/token", data=GRANT | (data or {}), auth=by, **also)

    return request


@pytest.fixture
def introspected(installation, api):
    def request(presented, by=api):
        data = {"token": presented}
        response = installation.http.post("/oauth/introspect", data=data, auth=by)
        assert response.status_code == 200, response.text
        return response.json()

    return request


# Introspection ---------------------------------------------------------------------------------


# Keycloak CVE-2026-37979: introspection told any confidential client everything; CVE-2026-18208:
# the fix forgot the answer's other format.
@pytest.mark.parametrize("accept", ["application/json", "application/token-introspection+jwt"])
def test_introspection_is_for_those_who_may(installation, client, ask, accept):
    token = ask().json()["access_token"]
    response = installation.http.post(
        "/oauth/introspect", data={"token": token}, auth=client, headers={"Accept": accept}
    )
    assert response.status_code == 403
    assert client.client_id not in response.text


# Keycloak CVE-2025-14777, CVE-2026-4630; Zitadel GHSA-f3gh-529w-v32x: one id was checked, another
# was used.
def test_naming_another_client_gives_nothing_of_it(installation, client, ask, introspected):
    other = installation.client()
    token = ask().json()["access_token"]
    response = installation.http.post(
        "/oauth/revoke", data={"token": token, "client_id": client.client_id}, auth=other
    )
    assert response.status_code == 400
    assert introspected(token)["active"] is True
    response = ask({"client_id": client.client_id}, by=other)
    assert response.status_code == 400


def forged(installation, token):
    """Forged tokens by name: the advisories of JOSE libraries, at the server's own door."""
    header, payload, signature = token.split(".")
    claims = unverified(token)
    (jwk, *_) = installation.http.get("/.well-known/jwks.json").json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    public = jwt.PyJWK.from_dict(jwk).key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own = ec.generate_private_key(ec.SECP256R1())
    own_jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(own.public_key()))

    def encoded(value):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def signed(head, key=own, body=None):
        return jwt.encode(body or claims, key, algorithm="ES256", headers=head)

    def keyed(secret, name="HS256"):
        message = f"{encoded({'alg': name, 'typ': 'at+jwt', 'kid': kid})}.{payload}"
        digest = hmac.digest(secret, message.encode(), hashlib.sha256)
        return f"{message}.{encoded(digest)}"

    good = {"typ": "at+jwt", "kid": kid}
    return {
        # CVE-2015-9235
        **{
            f"alg {alg}": f"{encoded({'alg': alg, 'typ': 'at+jwt', 'kid': kid})}.{payload}."
            for alg in ("none", "None", "NONE", "nOnE", "", "none ")
        },
        # CVE-2022-29217, CVE-2024-33663, CVE-2024-37568, CVE-2026-48526
        "HMAC with the PEM": keyed(pem),
        "HMAC with the DER": keyed(der),
        "HMAC with the JWK": keyed(json.dumps(jwk).encode()),
        "HMAC with nothing": keyed(b""),
        # CVE-2018-0114, CVE-2026-27962
        "its own jwk": signed(good | {"jwk": own_jwk}),
        "its own jku": signed(good | {"jku": "https://evil.example/jwks.json"}),
        "its own x5u": signed(good | {"x5u": "https://evil.example/cert.pem"}),
        "its own jwk without kid": signed({"typ": "at+jwt", "jwk": own_jwk}),
        # Somebody else's key under our name, and names that are no names.
        "another key": signed(good),
        "no kid": signed({"typ": "at+jwt"}),
        "a path": signed({"typ": "at+jwt", "kid": "../../../../dev/null"}),
        "SQL": signed({"typ": "at+jwt", "kid": "' UNION SELECT 'x"}),
        # CVE-2025-59420, CVE-2026-32597, PYSEC-2026-178
        "crit": signed(good | {"crit": ["x"], "x": 1}),
        "b64": signed(good | {"crit": ["b64"], "b64": False}),
        # CVE-2022-39227
        "JSON serialisation": json.dumps(
            {"protected": header, "payload": payload, "signature": signature}
        ),
        # CVE-2024-33664 and its kind
        "five parts": f"{encoded({'alg': 'dir', 'enc': 'A256GCM', 'zip': 'DEF'})}..a.b.c",
        # CVE-2022-21449: "psychic signatures"
        "a signature of zeros": f"{header}.{payload}.{encoded(bytes(64))}",
        "no signature": f"{header}.{payload}.",
        # Not what it says it is.
        "an ID token": signed({"typ": "JWT", "kid": kid}),
    }


FORGED = [
    "alg none",
    "alg None",
    "alg NONE",
    "alg nOnE",
    "alg ",
    "alg none ",
    "HMAC with the PEM",
    "HMAC with the DER",
    "HMAC with the JWK",
    "HMAC with nothing",
    "its own jwk",
    "its own jku",
    "its own x5u",
    "its own jwk without kid",
    "another key",
    "no kid",
    "a path",
    "SQL",
    "crit",
    "b64",
    "JSON serialisation",
    "five parts",
    "a signature of zeros",
    "no signature",
    "an ID token",
]


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_token_is_inactive(installation, ask, introspected, case):
    token = ask().json()["access_token"]
    cases = forged(installation, token)
    assert list(cases) == FORGED
    assert introspected(token)["active"] is True
    assert introspected(cases[case]) == INACTIVE


# fastapi-zitadel-auth #156: good keys evicted by random kids; PyJWT PYSEC-2026-177: each unknown
# kid was one more fetch.
def test_random_kids_cost_nothing_and_evict_nothing(installation, ask, introspected):
    token = ask().json()["access_token"]
    own = ec.generate_private_key(ec.SECP256R1())
    assert introspected(token)["active"] is True
    with statements(installation) as made:
        for _ in range(50):
            headers = {"typ": "at+jwt", "kid": uuid.uuid4().hex}
            forgery = jwt.encode(unverified(token), own, algorithm="ES256", headers=headers)
            assert introspected(forgery) == INACTIVE
        assert introspected(token)["active"] is True
    assert made == []


# Authlib CVE-2025-61920: a header of 500 MB; Keycloak CVE-2025-2559: a cache that lived as long as
# the token said.
def test_an_oversized_token_is_refused_unread(introspected):
    started = time.process_time()
    for size in (20_000, 60_000):
        assert introspected("e" * size + "." + "e" * 100 + ".e") == INACTIVE
    assert time.process_time() - started < 1


# GitHub's checksums are for scanners: a server that accepts on the checksum accepts forgeries.
def test_a_right_checksum_is_no_key(introspected):
    assert introspected(DEFAULT_API_KEY.generate("live")) == INACTIVE


# A cached verdict served after the revocation.
def test_what_was_good_a_moment_ago(installation, client, ask, introspected):
    token = ask().json()["access_token"]
    key = installation.api_key()
    assert introspected(token)["active"]
    assert introspected(key.key)["active"]
    installation.http.post("/oauth/revoke", data={"token": token}, auth=client)
    installation.revoke_key(key.id)
    assert introspected(token) == INACTIVE
    assert introspected(key.key) == INACTIVE


# Tokens ----------------------------------------------------------------------------------------


# Keycloak CVE-2026-9704: token exchange dropped the subject token and answered as if it were a
# client credentials grant.
@pytest.mark.parametrize(
    ("grant_type", "error"),
    [
        ("urn:ietf:params:oauth:grant-type:token-exchange", "invalid_request"),  # RFC 8693 §2.2.2
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:saml2-bearer", "unsupported_grant_type"),
        ("urn:openid:params:grant-type:ciba", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:uma-ticket", "unsupported_grant_type"),
        ("password", "unsupported_grant_type"),
        ("refresh_token", "unsupported_grant_type"),
    ],
)
def test_what_is_no_good_grant_fails_and_never_degrades(ask, grant_type, error):
    data = {
        "grant_type": grant_type,
        "subject_token": "x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "assertion": "x",
        "username": "x",
        "password": "x",
        "refresh_token": "x",
    }
    response = ask(data)
    assert (response.status_code, response.json()["error"]) == (400, error)


# Seen by trying peers: a scope dropped to nothing is a token for nothing, and nobody is told.
def test_a_scope_is_never_dropped_in_silence(ask):
    for scope in ("reports:read", "bookings:read reports:read"):
        response = ask({"scope": scope})
        assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


# httpx_auth #97: a cache of tokens without the client in its key.
def test_two_clients_with_the_same_question_get_their_own_answers(installation, ask):
    one = installation.client(["bookings:read"])
    two = installation.client(["bookings:read", "reports:read"])
    for _ in range(3):
        assert ask(by=one).json()["scope"] == "bookings:read"
        assert ask(by=two).json()["scope"] == "bookings:read reports:read"
        claims = [unverified(ask(by=who).json()["access_token"]) for who in (one, two)]
        assert [found["sub"] for found in claims] == [one.client_id, two.client_id]


# The same, within one client: an answer outlived the grant that it was made from.
def test_a_kept_decision_ends_with_its_grant(installation, ask):
    client = installation.client(["bookings:read", "bookings:cancel"])
    assert ask({"scope": "bookings:cancel"}, by=client).status_code == 200
    installation.force_client(client.client_id, scopes=["bookings:read"])
    assert ask({"scope": "bookings:cancel"}, by=client).json()["error"] == "invalid_scope"
    assert ask(by=client).json()["scope"] == "bookings:read"


# Keycloak CVE-2026-4634: scopes as a denial of service.
def test_a_heavy_scope_is_light_work(ask):
    ask()
    started = time.process_time()
    for scope in (" ".join(f"b{n}:*" for n in range(5000)), "bookings:" + "*:" * 10000):
        assert ask({"scope": scope}).status_code == 400
    assert time.process_time() - started < 1


# Keycloak CVE-2026-79651: caches keyed by what a request says.
def test_nothing_grows_by_what_strangers_say(tmp_path):
    with installed(tmp_path / "small", KEYTURN_DIRECTORY_SIZE="16") as small:
        client = small.client(["bookings:*", "keyturn:introspect"])
        found = small.services
        for number in range(150):
            small.http.post("/oauth/token", data=GRANT, auth=(f"client_{number}", "x"))
            small.http.post("/oauth/introspect", data={"token": f"t{number}"}, auth=client)
            data = GRANT | {"scope": f"bookings:s{number}"}
            small.http.post("/oauth/token", data=data, auth=client)
        held = (found.directory._clients, found.directory._keys, found.server._decisions)
        assert all(len(one) <= 16 for one in held)


# Registration ----------------------------------------------------------------------------------


# MITREid CVE-2021-26715, Keycloak CVE-2026-1180: open registration, and fetching what it names.
@pytest.mark.parametrize("path", ["/oauth/register", "/register", "/connect/register"])
def test_nobody_registers_a_client_unasked(installation, path):
    metadata = installation.http.get("/.well-known/oauth-authorization-server").json()
    response = installation.http.post(
        path, json={"redirect_uris": ["https://x"], "jwks_uri": "http://169.254.169.254/"}
    )
    if "registration_endpoint" in metadata:
        assert response.status_code in (401, 404)
    else:
        assert response.status_code == 404


# Logs ------------------------------------------------------------------------------------------


# Keycloak CVE-2026-7571: tokens in logs; Authlib's core writes them at debug level.
def test_no_secret_and_no_token_is_logged(installation, client, api, ask, caplog):
    key = installation.api_key()
    with caplog.at_level("DEBUG"):
        token = ask().json()["access_token"]
        for presented in (token, key.key):
            installation.http.post("/oauth/introspect", data={"token": presented}, auth=api)
            installation.http.post("/oauth/revoke", data={"token": presented}, auth=client)
        ask(by=(client.client_id, "wrong-but-secret"))
        installation.http.post(
            "/oauth/token", data=GRANT, params={"client_secret": client.client_secret}
        )
        ask({"client_secret": client.client_secret})
    ours = [one for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]
    logged = " ".join(one.getMessage() for one in ours)
    for secret in (client.client_secret, key.key, token, "wrong-but-secret"):
        assert secret not in logged
