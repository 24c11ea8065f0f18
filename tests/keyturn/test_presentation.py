"""A profile as the issuer has it: asked off the request path, kept while the issuer is away."""

import flask
import pytest

from app.admin import resources
from keyturn import DEFAULT_API_KEY, Guard, Verifier, VerifierUnavailable
from keyturn.flask import register_refusals, require_scope
from keyturn.presentation import LIFETIME, PAUSE, IssuerProfile
from tests.support.served import eventually

API = "https://styled.example"


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def asker(installation):
    return installation.client(["keyturn:introspect"])


@pytest.fixture
def styled(installation):
    """``styled(profile)``: what the issuer has for the API."""
    id = installation.resource(API)

    def say(profile):
        changes = resources.ResourceChanges(profile=profile)
        resources.update(installation.desk, installation.operator, id, changes)

    say("astrocal")
    yield say
    resources.delete(installation.desk, installation.operator, id)


@pytest.fixture
def verifier(server, asker):
    with Verifier(server.url, API, *asker) as made:
        yield made


@pytest.mark.row("S0-13", "S3-10")
def test_refusals_read_as_the_issuer_says(verifier, styled):
    app = flask.Flask(__name__)
    register_refusals(app, profile=IssuerProfile(verifier, API))

    @app.get("/")
    @require_scope(Guard(verifier))
    def view():
        raise AssertionError

    client = app.test_client()
    assert client.get("/").mimetype == "application/problem+json"  # nobody waits for the issuer
    expected = {"error": {"code": "unauthorized",
                          "message": "Missing or invalid Authorization header"}}  # fmt: skip
    headers = {"Authorization": f"Bearer {DEFAULT_API_KEY.generate('live')}"}
    assert eventually(lambda: client.get("/").json == expected)
    assert client.get("/", headers=headers).json == expected


def test_it_is_asked_again_in_time(verifier, styled):
    clock = Clock()
    profile = IssuerProfile(verifier, API, monotonic=clock)
    assert profile.refresh() == profile() == "astrocal"
    styled("oauth")
    assert profile() == "astrocal"

    def later():  # the server learns of it a moment after we did it
        clock.now += LIFETIME
        return profile()

    assert eventually(lambda: later() == "oauth")


def test_while_the_issuer_is_away_it_stays(verifier, styled):
    clock = Clock()
    profile = IssuerProfile(verifier, API, monotonic=clock)
    profile.refresh()
    asked, get = [], verifier.issuer_api.get

    def away(path):
        asked.append(path)
        raise VerifierUnavailable(detail="away")

    verifier.issuer_api.get = away
    clock.now += LIFETIME
    assert profile() == "astrocal"
    assert eventually(lambda: len(asked) == 1 and not profile._asking.locked())
    assert profile() == "astrocal"
    assert len(asked) == 1
    with pytest.raises(VerifierUnavailable):
        profile.refresh()
    verifier.issuer_api.get = get
    styled("oauth")

    def later():
        clock.now += PAUSE + LIFETIME
        return profile()

    assert eventually(lambda: later() == "oauth")


def test_what_the_library_does_not_know_is_not_taken(verifier, styled):
    profile = IssuerProfile(verifier, API, default="oauth")
    verifier.issuer_api.get = lambda path: (200, {"profile": "of tomorrow"})
    with pytest.raises(VerifierUnavailable):
        profile.refresh()
    assert profile() == "oauth"


def test_what_cannot_be_set_up(verifier):
    with pytest.raises(ValueError, match="client_id"):
        IssuerProfile(Verifier("https://auth.example.com", API), API)
    with pytest.raises(ValueError, match="default"):
        IssuerProfile(verifier, API, default="shiny")
