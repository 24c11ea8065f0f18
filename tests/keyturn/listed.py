"""Tokens with a place on a status list, and verifiers that look there."""

from datetime import timedelta

from keyturn import CredentialRefused, Verifier
from tests.keyturn.support import (
    AUDIENCE,
    FakeIssuer,
    good_token,
)

LIST = FakeIssuer.LIST
REVOKED = ("revoked", 401)


def made_for(issuer, time, **also):
    settings = {"status_interval": timedelta(hours=1), "timeout": timedelta(seconds=2), **also}
    clocks = {} if time is None else {"clock": time.now, "monotonic": time.monotonic}
    return Verifier(issuer.url, AUDIENCE, "api", "secret", **clocks, **settings)


def token(issuer, idx=7, **also):
    return "Bearer " + good_token(iss=issuer.url, **{"status": issuer.place(idx), **also})


def refused(verifier, presented):
    """(reason, HTTP status) of a refusal; None where there is none."""
    try:
        verifier.verify(presented)
    except CredentialRefused as error:
        return str(error.reason), error.status
    return None
