"""private_key_jwt: a client signs that it is itself (RFC 7521 §4.2, RFC 7523 §2.2, §3)."""

import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import Conflict
from tests.support.assertions import JWT_BEARER, SigningKey, claims, proof
from tests.support.installation import installed

GRANT = {"grant_type": "client_credentials"}
METHOD = "private_key_jwt"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def key():
    return SigningKey(kid="one")


@pytest.fixture(scope="module")
def signing(installation, key):
    """The id of a client that signs with ``key``."""
    return signer(installation, key.jwks)


def signer(installation, jwks, **also):
    scopes = ["bookings:read", "keyturn:introspect"]
    made = installation.client(scopes, token_endpoint_auth_method=METHOD, jwks=jwks, **also)
    assert made.client_secret == ""
    return made.client_id


@pytest.fixture
def issuer(installation):
    return installation.services.settings.issuer


@pytest.fixture
def ask(installation):
    def send(assertion, path="/oauth/token", **also):
        return installation.http.post(path, data={**GRANT, **proof(assertion), **also})

    return send


def outcome(response):
    return response.status_code, response.json().get("error")


REFUSED = (401, "invalid_client")


def why(installation, client_id):
    """The reason in the owner's log."""
    installation.services.shipper.ship_now()
    found = installation.rows(
        "SELECT reason FROM audit_events WHERE actor_id = :id AND outcome = 'refused'"
        " ORDER BY id DESC",
        id=client_id,
    )
    return found[0].reason if found else None


@pytest.mark.rfc("7523", "2.2")
@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256", "PS256"])
@pytest.mark.parametrize("kid", [None, "k"])
def test_a_signature_is_proof(installation, issuer, ask, algorithm, kid):
    key = SigningKey(algorithm, kid=kid)
    client = signer(installation, key.jwks)
    response = ask(key.sign(claims(client, issuer)))
    assert response.status_code == 200, response.text
    assert response.json()["scope"] == "bookings:read keyturn:introspect"


@pytest.mark.rfc("7523", "3")
@pytest.mark.parametrize("audience", ["", "/oauth/token", "called"])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_at_every_endpoint_and_for_each_audience(ask, key, signing, issuer, path, audience):
    named = issuer + (path if audience == "called" else audience)
    assert ask(key.sign(claims(signing, named)), path, token="x").status_code == 200


def test_a_setting_narrows_the_audience(tmp_path, key):
    with installed(tmp_path / "narrow", KEYTURN_ASSERTION_AUDIENCE="issuer") as narrow:
        client, issuer = signer(narrow, key.jwks), narrow.services.settings.issuer
        for audience, status in ((issuer, 200), (issuer + "/oauth/token", 401)):
            data = GRANT | proof(key.sign(claims(client, audience)))
            assert narrow.http.post("/oauth/token", data=data).status_code == status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"typ": "JWT"}, 200),
        ({"typ": "jwt"}, 200),
        ({"typ": "client-authentication+jwt"}, 200),
        ({"typ": None}, 200),
        ({"typ": "at+jwt"}, 401),
        ({"kid": None}, 200),
        ({"kid": "another"}, 401),
        ({"x5t": "abc"}, 200),
    ],
)
def test_headers(ask, key, signing, issuer, header, status):
    assert ask(key.sign(claims(signing, issuer), header)).status_code == status


@pytest.mark.rfc("7523", "3")
@pytest.mark.parametrize(
    ("also", "reason"),
    [
        ({"aud": "https://other.example"}, "wrong_audience"),
        ({"aud": ["ISSUER"]}, "wrong_audience"),
        ({"aud": "ISSUER/"}, "wrong_audience"),
        ({"aud": "ISSUER.evil.example"}, "wrong_audience"),
        ({"aud": "ISSUER/oauth"}, "wrong_audience"),
        ({"aud": None}, "wrong_audience"),
        ({"exp": None}, "malformed"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": -61}, "expired"),
        ({"exp": 3700}, "too_long"),
        ({"exp": 60, "iat": -3600}, "too_long"),
        ({"iat": 120, "exp": 180}, "not_yet_valid"),
        ({"nbf": 120}, "not_yet_valid"),
        ({"jti": None}, "malformed"),
        ({"jti": ""}, "malformed"),
        ({"jti": 7}, "malformed"),
        ({"jti": "x" * 257}, "malformed"),
    ],
)
def test_claims_that_are_not_good(installation, ask, key, signing, issuer, also, reason):
    now = int(time.time())
    said = {}
    for name, value in also.items():
        if name in ("exp", "iat", "nbf") and isinstance(value, int):
            value = now + value
        if name == "aud" and value is not None:
            value = json.loads(json.dumps(value).replace("ISSUER", issuer))
        said[name] = value
    response = ask(key.sign(claims(signing, issuer, **said)))
    assert outcome(response) == REFUSED
    assert response.json()["error_description"] == "Client authentication failed"
    assert why(installation, signing) == reason


@pytest.mark.parametrize(
    "also", [{"iat": None}, {"exp": 3600}, {"exp": -30}, {"nbf": 30}, {"jti": "x" * 256}]
)
def test_claims_that_are_good_enough(ask, key, signing, issuer, also):
    now = int(time.time())
    said = {name: now + value if name in ("exp", "nbf") else value for name, value in also.items()}
    assert ask(key.sign(claims(signing, issuer, **said))).status_code == 200


@pytest.mark.rfc("7521", "4.2")
@pytest.mark.parametrize(
    "wrong",
    [
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion_type": ""},
        {"client_assertion": ""},
        {"client_assertion": "a.b"},
        {"client_assertion": "a.b.c.d.e"},
        {"client_assertion": "é.é.é"},
        {"client_assertion": "x" * 9000},
        {"client_id": "client_other"},
    ],
)
def test_what_is_no_assertion(installation, key, signing, issuer, wrong):
    data = GRANT | proof(key.sign(claims(signing, issuer))) | wrong
    assert outcome(installation.http.post("/oauth/token", data=data)) == REFUSED


def test_its_own_client_id_may_stand_beside(ask, key, signing, issuer):
    assert ask(key.sign(claims(signing, issuer)), client_id=signing).status_code == 200


@pytest.mark.parametrize("also", [{"iss": "x"}, {"sub": "x"}, {"iss": None}, {"sub": None}])
def test_issuer_and_subject_are_the_client(ask, key, signing, issuer, also):
    assert outcome(ask(key.sign(claims(signing, issuer, **also)))) == REFUSED


@pytest.mark.rfc("6749", "2.3")
def test_one_method_a_request(installation, key, signing, issuer):
    other = installation.client()
    data = GRANT | proof(key.sign(claims(signing, issuer)))
    by_basic = installation.http.post("/oauth/token", data=data, auth=other)
    assert outcome(by_basic) == (400, "invalid_request")
    by_body = data | {"client_secret": other.client_secret}
    assert outcome(installation.http.post("/oauth/token", data=by_body))[0] == 400


def test_who_signs_has_no_other_way_and_nobody_else_has_this_one(
    installation, ask, key, signing, issuer
):
    with pytest.raises(Conflict):
        installation.secret(signing)
    before = installation.client()
    installation.force_client(
        before.client_id, token_endpoint_auth_method=METHOD, jwks=SigningKey().jwks
    )
    answer = installation.http.post("/oauth/token", data=GRANT, auth=before)
    assert outcome(answer) == REFUSED
    ordinary = installation.client()
    assert outcome(ask(key.sign(claims(ordinary.client_id, issuer)))) == REFUSED


@pytest.mark.rfc("7523", "3")
def test_an_assertion_is_good_once(any_installation, key):
    issuer, http = any_installation.services.settings.issuer, any_installation.http
    client = signer(any_installation, key.jwks)
    other = signer(any_installation, key.jwks)
    data = GRANT | proof(key.sign(claims(client, issuer)))

    def send(_):
        return http.post("/oauth/token", data=data).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))) == [200, *[401] * 7]
    # The same jti in another assertion is a replay as well; with another client it is not.
    jti = f"jti {next(NUMBERS)}"
    for name, status in ((client, 200), (client, 401), (other, 200)):
        again = GRANT | proof(key.sign(claims(name, issuer, jti=jti, exp=int(time.time()) + 90)))
        assert http.post("/oauth/token", data=again).status_code == status
    assert why(any_installation, client) == "replayed"


def test_once_between_nodes_that_share_redis(tmp_path, redis_url, key):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with installed(tmp_path / "one", url, KEYTURN_REDIS_URL=redis_url) as one:
        client, issuer = signer(one, key.jwks), one.services.settings.issuer
        data = GRANT | proof(key.sign(claims(client, issuer)))
        assert one.http.post("/oauth/token", data=data).status_code == 200
        assert one.http.post("/oauth/token", data=data).status_code == 401


def test_without_its_memory_it_takes_nothing(tmp_path, key):
    with installed(tmp_path / "lost", KEYTURN_REDIS_URL="redis://127.0.0.1:1/0") as lost:
        client, issuer = signer(lost, key.jwks), lost.services.settings.issuer
        data = GRANT | proof(key.sign(claims(client, issuer)))
        answer = lost.http.post("/oauth/token", data=data)
        assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (503, True)


def test_marks_are_forgotten_when_nothing_could_be_replayed(installation, ask, key, signing):
    replays, store = installation.services, installation.services.store
    assert replays.settings.redis_url is None
    ask(key.sign(claims(signing, installation.services.settings.issuer)))
    installation.services.upkeep.once()
    assert installation.rows("SELECT count(*) AS n FROM counters")[0].n > 0
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE counters SET ends_at = '2020-01-01 00:00:00.000000'")
    installation.services.upkeep.once()
    assert installation.rows("SELECT count(*) AS n FROM counters")[0].n == 0


def test_metadata_says_so(installation):
    found = installation.http.get("/.well-known/oauth-authorization-server").json()
    for endpoint in ("token", "introspection", "revocation"):
        assert found[f"{endpoint}_endpoint_auth_methods_supported"] == [
            "client_secret_basic", "client_secret_post", METHOD
        ]  # fmt: skip
        assert found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] == [
            "ES256", "EdDSA", "RS256", "PS256"
        ]  # fmt: skip


def test_a_changed_key_counts_at_once(installation, ask, key, issuer):
    client = signer(installation, key.jwks)
    assert ask(key.sign(claims(client, issuer))).status_code == 200
    new = SigningKey("EdDSA", kid="two")
    admin = {"Authorization": f"Bearer {installation.api_key(['keyturn:*']).key}"}
    changed = installation.http.patch(
        f"/v1/clients/{client}", json={"jwks": new.jwks}, headers=admin
    )
    assert changed.json()["jwks"] == new.jwks
    assert outcome(ask(key.sign(claims(client, issuer)))) == REFUSED
    assert ask(new.sign(claims(client, issuer))).status_code == 200
    assert JWT_BEARER in proof("x").values()
