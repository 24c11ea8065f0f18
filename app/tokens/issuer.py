"""Issue an access token (RFC 9068 §2): decision → claims → signature, and the event of it."""

from __future__ import annotations

import time

import orjson

from app.ids import new_jti
from app.records import Client, Decision, IssuedToken, Origin
from app.settings import Settings
from app.tokens.journal import TokenJournal
from app.tokens.keyring import Keyring


class Issuer:
    """Makes signed access tokens; writes nothing but one line of the journal."""

    def __init__(self, settings: Settings, keyring: Keyring, journal: TokenJournal) -> None:
        self._issuer = settings.issuer
        self._keyring = keyring
        self._journal = journal

    def issue(
        self,
        client: Client,
        decision: Decision,
        *,
        secret_id: str | None,
        origin: Origin,
        actor_type: str = "client",
    ) -> IssuedToken:
        """The event is in the journal before the token leaves. Raises Unavailable."""
        nanoseconds = time.time_ns()
        now = nanoseconds // 1_000_000_000
        audience: str | tuple[str, ...] = decision.audience
        if len(audience) == 1:
            # As a string, not an array of one: there are verifiers that read nothing else.
            audience = audience[0]
        jti = new_jti()
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": client.client_id,
            "aud": audience,
            "exp": now + decision.ttl,
            "iat": now,
            "jti": jti,
            "client_id": client.client_id,
            "scope": decision.scope,
            "org": client.organization_id,
            "env": client.environment,
        }
        if actor_type != "client":
            # Whose it is, for whoever verifies it offline; introspection calls it the same.
            claims["credential"] = actor_type
        status = client.status_claim_of(secret_id)
        if status is not None:
            claims["status"] = status
        token = self._keyring.signer.sign(orjson.dumps(claims))
        details = {
            "secret_id": secret_id,
            "scope": decision.scope,
            "aud": audience,
            "exp": now + decision.ttl,
            "env": client.environment,
        }
        self._journal.issued(nanoseconds, client, jti, origin, details, actor_type)
        return IssuedToken(token, jti, decision.ttl)
