"""How refusals read: one closed set of reasons, six documentations (C-1)."""

import pytest
from flask import Flask

from keyturn import (
    PROFILES,
    CredentialMalformed,
    CredentialMissing,
    Failure,
    InsufficientScope,
    InvalidToken,
    Reason,
    RestrictionRefused,
    VerifierUnavailable,
    present,
)
from keyturn.flask import failure, register_refusals
from keyturn.profiles import NAMEABLE

STRANGE = [reason for reason in Reason if reason not in NAMEABLE]


def told(refused, profile, request_id=None):
    return present(Failure.of(refused, request_id), PROFILES[profile])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("reason", STRANGE)
def test_without_the_whole_secret_every_cause_reads_the_same(profile, reason):
    assert told(InvalidToken(reason), profile) == told(InvalidToken(Reason.UNKNOWN), profile)


def test_a_cause_is_named_by_whoever_documents_it():
    named = {
        name
        for name in PROFILES
        for reason in NAMEABLE
        if told(InvalidToken(reason), name) != told(InvalidToken(Reason.UNKNOWN), name)
    }
    assert named == {"reservekit"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "refused",
    [
        CredentialMissing(),
        CredentialMalformed(),
        *map(InvalidToken, Reason),
        InsufficientScope("a:b"),
        RestrictionRefused(Reason.ORIGIN_MISMATCH),
        RestrictionRefused(Reason.IP_NOT_ALLOWED),
        VerifierUnavailable(),
    ],
    ids=lambda refused: f"{type(refused).__name__}-{refused.reason}",
)
def test_a_profile_changes_the_words_and_not_the_status(profile, refused):
    presented = told(refused, profile)
    assert presented.status == refused.status
    assert refused.detail not in str(presented.body) or not refused.detail


MISSING = "No API key provided. Include your API key in the Authorization header."


@pytest.mark.parametrize(
    ("profile", "media_type", "body"),
    [
        (
            "bookingscheduler",
            "application/json",
            {"success": False, "error": {"code": "UNAUTHORIZED", "message": MISSING}},
        ),
        (
            "reservekit",
            "application/json",
            {"error": {"code": "missing", "message": "Authorization header is missing"}},
        ),
        (
            "oauth",
            "application/json",
            {
                "error": "invalid_token",
                "error_description": "The access token or API key is missing or not valid",
            },
        ),
        (
            "problem+json",
            "application/problem+json",
            {
                "type": "about:blank",
                "title": "Unauthorized",
                "status": 401,
                "detail": "Authorization header is missing",
                "code": "missing",
                "request_id": "req_1",
            },
        ),
    ],
)
def test_envelopes(profile, media_type, body):
    presented = told(CredentialMissing(), profile, "req_1")
    assert (presented.status, presented.media_type, presented.body) == (401, media_type, body)


def app_with(profile):
    app = Flask("shop")
    register_refusals(app, request_id=lambda: "req_1", profile=profile)

    @app.get("/refused")
    def refused():
        raise InvalidToken(Reason.REVOKED)

    @app.get("/gone")
    def gone():
        return failure(404, "not_found", "No such thing", details=[{"field": "id"}])

    return app.test_client()


@pytest.mark.row("S0-16")
def test_every_other_error_has_the_same_envelope():
    response = app_with("bookingscheduler").get("/gone")
    assert response.status_code == 404
    assert response.json == {
        "success": False,
        "error": {"code": "NOT_FOUND", "message": "No such thing", "details": [{"field": "id"}]},
    }
    assert response.headers["X-Request-Id"] == "req_1"


def test_a_profile_for_each_request():
    chosen = ["reservekit", "astrocal"]
    api = app_with(lambda: chosen.pop(0))
    assert api.get("/refused").json["error"]["message"] == "API key revoked"
    assert api.get("/refused").json["error"]["code"] == "unauthorized"


def test_only_profiles_that_exist():
    with pytest.raises(ValueError, match="profile: one of"):
        app_with("nosuch")
