"""The token endpoint's limits (RFC 6585 §4, RFC 9110 §10.2.3)."""

import secrets

import pytest

from keyturn.apikey import KeyTemplate
from tests.support.installation import installed

TEMPLATE = KeyTemplate(prefix="kt")


@pytest.fixture
def limited(tmp_path):
    with installed(
        tmp_path / "limited",
        KEYTURN_TOKEN_RATE_LIMIT="3/day",
        KEYTURN_FAILED_AUTHENTICATION_LIMIT="2/day",
        KEYTURN_COUNTERS_FILE=str(tmp_path / "counters"),
    ) as made:
        yield made


def ask(installation, client, **headers):
    form = {"grant_type": "client_credentials"}
    return installation.http.post("/oauth/token", data=form, auth=client, headers=headers)


def test_n_pass_and_no_more(limited):
    client, other = limited.client(), limited.client()
    answers = [ask(limited, client) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert ask(limited, other).status_code == 200
    assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
    refused = answers[-1]
    assert refused.json()["error"] == "rate_limited"
    assert refused.headers["RateLimit-Policy"] == '"day";q=3;w=86400'
    wait = int(refused.headers["Retry-After"])
    assert f'"day";r=0;t={wait}' == refused.headers["RateLimit"]


def test_failing_too_often_is_refused_alike_for_known_and_unknown(limited):
    client = limited.client()
    wrong = (client.client_id, client.client_secret[:-1] + "x")
    for _ in range(2):
        assert ask(limited, wrong).status_code == 401
    known, unknown = ask(limited, wrong), ask(limited, ("client_nobody", "x"))
    assert (known.status_code, unknown.status_code) == (429, 429)
    assert known.json() == unknown.json()


def test_a_stranger_locks_nobody_out(limited):
    client = limited.client()
    assert ask(limited, client).status_code == 200
    for _ in range(5):
        ask(limited, (client.client_id, "wrong"))
    assert ask(limited, client).status_code == 200


def me(installation, credential):
    return installation.http.get("/v1/me", headers={"Authorization": f"Bearer {credential}"})


STRANGE = {
    "a key of nobody": lambda key, jwt: TEMPLATE.generate("live", random_bytes=secrets.token_bytes),
    "a mistyped key": lambda key, jwt: key[:-1] + ("0" if key[-1] != "0" else "1"),
    "anything": lambda key, jwt: "x" * 40,
    "a token with another signature": lambda key, jwt: jwt[:-8] + "AAAAAAAA",
    "a token of somebody else": lambda key, jwt: "eyJhbGciOiJub25lIn0.e30.",
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_failing_too_often_at_the_management_api(limited, strange):
    key = limited.api_key(["keyturn:clients:read"]).key
    jwt = ask(limited, limited.client()).json()["access_token"]
    answers = [me(limited, strange(key, jwt)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "rate_limited"
    assert 0 < int(refused.headers["Retry-After"]) <= 86400
    assert "WWW-Authenticate" not in refused.headers


def test_failures_count_together_wherever_they_are(limited):
    assert me(limited, "x" * 40).status_code == 401
    assert ask(limited, ("client_nobody", "x")).status_code == 401
    assert me(limited, "x" * 40).status_code == 429
    assert ask(limited, ("client_nobody", "x")).status_code == 429


def test_what_is_known_passes_beside_failures(limited):
    key = limited.api_key(["keyturn:clients:read"])
    late = limited.api_key(["keyturn:clients:read"])
    assert me(limited, key.key).status_code == 200
    for _ in range(5):
        me(limited, "x" * 40)
    assert me(limited, key.key).status_code == 200
    # What would have to be looked up first may as well be a guess.
    assert me(limited, late.key).status_code == 429


def test_an_old_credential_is_no_guess(limited):
    revoked = limited.api_key(["keyturn:clients:read"])
    limited.revoke_key(revoked.id)
    assert [me(limited, revoked.key).status_code for _ in range(4)] == [401] * 4
    assert limited.http.get("/v1/me").status_code == 401  # nor is it, to present nothing
    assert me(limited, "x" * 40).status_code == 401


def test_without_a_limit_nothing_is_said_of_one(installation):
    answer = ask(installation, installation.client())
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


def test_a_limit_that_is_none_stops_the_start():
    from app.errors import StartRefused
    from app.settings import Settings

    with pytest.raises(StartRefused, match="KEYTURN_TOKEN_RATE_LIMIT"):
        Settings.from_env({"KEYTURN_TOKEN_RATE_LIMIT": "many"})
