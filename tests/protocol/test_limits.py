"""The token endpoint's limits (RFC 6585 §4, RFC 9110 §10.2.3)."""

import pytest

from tests.support.installation import installed


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


def test_without_a_limit_nothing_is_said_of_one(installation):
    answer = ask(installation, installation.client())
    assert not [name for name in answer.headers if "ratelimit" in name.lower()]


def test_a_limit_that_is_none_stops_the_start():
    from app.errors import StartRefused
    from app.settings import Settings

    with pytest.raises(StartRefused, match="KEYTURN_TOKEN_RATE_LIMIT"):
        Settings.from_env({"KEYTURN_TOKEN_RATE_LIMIT": "many"})
