"""``private_key_jwt``: the client signs that it is itself (RFC 7521 §4.2, RFC 7523 §2.2, §3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from app.crypto.client_keys import ALGORITHMS
from app.errors import InvalidClient
from app.oauth.client_auth.keys import KeysOfClients
from app.oauth.request import OAuthRequest
from app.ports import ReplayGuard
from app.records import Client
from keyturn import wire

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LENGTH = 8 * 1024
MAX_JTI = 256
LIFETIME = 3600
"""Seconds an assertion may live."""
LEEWAY = 60
"""Seconds that two clocks may differ."""

# What changes how a JWT is read, and is not implemented here (RFC 7515 §4.1.11, RFC 7797 §7, RFC
# 7516). Keys in the header (jwk, jku, x5c, x5u) change nothing: none is ever read from there.
_REFUSED = frozenset({"crit", "b64", "zip", "enc"})
_TYPES = frozenset({"jwt", "client-authentication+jwt"})


class PrivateKeyJwt:
    """An assertion in the body, signed by a key that is registered for the client."""

    name = "private_key_jwt"
    accepts = frozenset({name})
    signing_algorithms = ALGORITHMS

    def __init__(
        self, keys: KeysOfClients, replays: ReplayGuard, issuer: str, *, issuer_alone: bool
    ) -> None:
        """``issuer_alone``: no endpoint is taken as audience (draft-ietf-oauth-rfc7523bis §4)."""
        self._keys = keys
        self._replays = replays
        self._issuer = issuer
        self._issuer_alone = issuer_alone

    def is_used(self, request: OAuthRequest) -> bool:
        return "client_assertion" in request.form or "client_assertion_type" in request.form

    def read(self, request: OAuthRequest) -> PresentedAssertion:
        """Raises InvalidClient. Nothing in it is believed yet, not even who it is about."""
        form = request.form
        assertion = form.get("client_assertion", "")
        if form.get("client_assertion_type") != JWT_BEARER or len(assertion) > MAX_LENGTH:
            raise InvalidClient(detail="malformed")
        try:
            signed, _, signature = assertion.encode("ascii").rpartition(b".")
            protected, dot, payload = signed.partition(b".")
            if not dot or b"." in payload:
                raise InvalidClient(detail="malformed")
            header = wire.json_object(wire.base64url(protected))
            claims = wire.json_object(wire.base64url(payload))
            parts = _Signed(signed, wire.base64url(signature), header, claims)
            client_id = wire.text(claims, "sub")
        except (wire.Unreadable, UnicodeEncodeError):
            raise InvalidClient(detail="malformed") from None
        if claims.get("iss") != client_id or request.client_id not in (None, client_id):
            raise InvalidClient(detail="malformed")
        audiences = {self._issuer}
        if not self._issuer_alone:
            audiences |= {self._issuer + "/oauth/token", self._issuer + request.endpoint}
        return PresentedAssertion(client_id, parts, audiences, self._keys, self._replays)


@dataclass(frozen=True, slots=True)
class _Signed:
    message: bytes
    signature: bytes
    header: dict[str, Any]
    claims: dict[str, Any]


@dataclass(slots=True)
class PresentedAssertion:
    """An assertion, as sent."""

    client_id: str
    signed: _Signed = field(repr=False)
    audiences: Collection[str]
    keys: KeysOfClients = field(repr=False)
    replays: ReplayGuard = field(repr=False)
    failure: str = "malformed"
    """Why it proves nothing: a word for the client's owner."""
    proven: str | None = None
    """Once is enough: it must not be found to be its own replay."""

    def proves(self, client: Client, now: float) -> str | None:
        """The key that made it, by name, if it may be believed. Raises Unavailable."""
        if self.proven is None:
            self.failure = self._refusal(client, now)
        return self.proven

    def _refusal(self, client: Client, now: float) -> str:
        # The order matters: the form, then the signature, and what it says only after that. A
        # stranger learns nothing by it, and uses up no jti.
        header = self.signed.header
        algorithm, kid, type = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
        if not _REFUSED.isdisjoint(header) or not isinstance(kid, str | None):
            return "malformed"
        if not isinstance(type, str) or type.lower() not in _TYPES:
            return "wrong_type"
        if algorithm not in ALGORITHMS:
            return "unsupported_algorithm"
        signature = (algorithm, kid, self.signed.message, self.signed.signature)
        keys = self.keys.of(client)
        signer = keys.signer(*signature)
        if signer is None and (newer := self.keys.again(client)) is not None:
            keys, signer = newer, newer.signer(*signature)
        if signer is None:
            return keys.refused or "bad_signature"
        refusal = self._wrong_claim(now)
        if refusal is None:
            jti, until = self.signed.claims["jti"], now + LIFETIME + 2 * LEEWAY
            # For as long as any assertion could live, so that none outlives its mark.
            if not self.replays.is_first(f"{client.client_id} {jti}", until):
                return "replayed"
            self.proven = f"jwk:{signer.kid or signer.key.alg}"
        return refusal or ""

    def _wrong_claim(self, now: float) -> str | None:
        """What is wrong with what was signed (RFC 7523 §3)."""
        claims = self.signed.claims
        if not isinstance(claims.get("aud"), str) or claims["aud"] not in self.audiences:
            return "wrong_audience"
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
            return "malformed"
        try:
            ends = wire.instant(claims, "exp")
            begins = wire.optional_instant(claims, "nbf")
            issued = wire.optional_instant(claims, "iat")
        except wire.Unreadable:
            return "malformed"
        if ends <= now - LEEWAY:
            return "expired"
        if ends > now + LIFETIME + LEEWAY or (issued is not None and ends > issued + LIFETIME):
            return "too_long"
        if max(begins or 0, issued or 0) > now + LEEWAY:
            return "not_yet_valid"
        return None
