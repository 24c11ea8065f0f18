"""The OAuth endpoints' engine: Authlib's framework-free core, subclassed once.

The client credentials grant (RFC 6749 §4.4) and the endpoints (RFC 7662, RFC 7009) are Authlib's
classes; authentication, policy and issuing are ours. Grants are found in a table of our own:
Authlib asks each class and makes an object of hooks, 4 µs a grant. No hooks and no signals: every
phase stands on this screen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Error

from app.errors import InvalidClient, InvalidRequest, OAuthError, UnsupportedGrantType
from app.oauth.client_auth import ClientAuthentication
from app.oauth.request import Exchange, OAuthRequest, OAuthResponse
from app.oauth.subjects import Subjects
from app.policy.decide import decide
from app.policy.limits import Limiter
from app.records import Client, Decision
from app.settings import Settings
from app.storage.directory import Directory
from app.tokens.issuer import Issuer
from app.tokens.journal import TokenJournal
from keyturn.recent import Recent

MEMORABLE = 512
"""Longer questions are answered anew each time, so that the memory of answers stays small."""

_Question = tuple[str, str | None, tuple[str, ...]]
_Answer = tuple[Client, object, Decision]


class TokenServer(AuthorizationServer):  # type: ignore[misc]
    """One token request in, one response or one OAuthError out."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        client_auth: ClientAuthentication,
        issuer: Issuer,
        journal: TokenJournal,
        limiter: Limiter,
        grants: Sequence[Any],
        subjects: Subjects,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._directory = directory
        self._client_auth = client_auth
        self._issuer = issuer
        self._journal = journal
        self._limiter = limiter
        self._subjects = subjects
        self._rate_limit = settings.token_rate_limit
        self._decisions: Recent[_Question, _Answer] = Recent(settings.directory_size)
        self._grants: dict[str, Any] = {grant.GRANT_TYPE: grant for grant in grants}

    # The phases ----------------------------------------------------------------------------

    def create_token_response(self, request: OAuthRequest) -> OAuthResponse:
        """Raises OAuthError (RFC 6749 §5.2) and Unavailable."""
        exchange = Exchange(request)
        try:
            if not request.grant_type:
                raise InvalidRequest("grant_type is missing")
            grant = self._grants.get(request.grant_type)
            if grant is None:
                raise UnsupportedGrantType
            asked = grant(exchange, self)
            asked.validate_token_request()
            status, body, _ = asked.create_token_response()
            return OAuthResponse(status, body, exchange.usage)
        except OAuthError as error:
            client = error.client if isinstance(error, InvalidClient) else exchange.client
            self._journal.refused("token.refused", client, error, request.origin)
            raise

    def authenticate_client(self, exchange: Exchange) -> Client:
        """Who is asking (RFC 6749 §2.3), and is it too often? Raises RateLimited."""
        client, exchange.secret_id = self._client_auth.authenticate(exchange.payload, time.time())
        exchange.client = client
        if self._rate_limit is not None:
            exchange.usage = self._limiter.count(self._rate_limit, f"token:{client.client_id}")
        return client

    def accept_key(self, exchange: Exchange, presented: str) -> None:
        """The API key that asks for a token of its own (RFC 8693), and what it gets."""
        request = exchange.payload
        key = self._subjects.of(presented, request.origin)
        holder = self._subjects.holder(key)
        exchange.client, exchange.key, exchange.secret_id = holder, key, None
        if self._rate_limit is not None:
            exchange.usage = self._limiter.count(self._rate_limit, f"token:{key.id}")
        exchange.decision = decide(
            holder,
            self._directory.organization(key.organization_id),
            self._settings,
            scope=request.scope,
            resources=request.resources,
            held=key.scopes,
        )

    def decide(self, client: Client, request: OAuthRequest) -> Decision:
        """What it gets. Pure, so the answer is kept for as long as the records are the same."""
        organization = self._directory.organization(client.organization_id)
        question = (client.client_id, request.scope, request.resources)
        known = self._decisions.get(question)
        if known is not None and known[0] is client and known[1] is organization:
            return known[2]
        decision = decide(
            client,
            organization,
            self._settings,
            scope=request.scope,
            resources=request.resources,
        )
        if len(request.scope or "") + sum(map(len, request.resources)) <= MEMORABLE:
            self._decisions.put(question, (client, organization, decision))
        return decision

    def issue(self, exchange: Exchange) -> dict[str, object]:
        """The token, and the answer around it (RFC 6749 §5.1)."""
        request, client, decision = exchange.payload, exchange.client, exchange.decision
        if client is None or decision is None:
            raise TypeError("a token is issued to an authenticated client by a decision")
        issued = self._issuer.issue(
            client,
            decision,
            secret_id=exchange.secret_id,
            origin=request.origin,
            actor_type="client" if exchange.key is None else "api_key",
        )
        return {
            "access_token": issued.token,
            "token_type": self._settings.token_type,
            "expires_in": issued.ttl,
            "scope": decision.scope,
        }

    def create_endpoint_response(self, name: str, request: OAuthRequest) -> OAuthResponse:
        """Introspection or revocation. Raises OAuthError and Unavailable."""
        try:
            response: OAuthResponse = super().create_endpoint_response(name, request)
            return response
        except OAuthError as error:
            client = error.client if isinstance(error, InvalidClient) else None
            self._journal.refused(f"{name}.refused", client, error, request.origin)
            raise

    # What Authlib's core asks of us --------------------------------------------------------

    def create_oauth2_request(self, request: Exchange | OAuthRequest) -> Exchange | OAuthRequest:
        return request

    def handle_response(
        self, status: int, body: dict[str, object], headers: object
    ) -> OAuthResponse:
        return OAuthResponse(status, body)

    def handle_error_response(self, request: Exchange, error: OAuth2Error) -> OAuthResponse:
        raise InvalidRequest(detail=str(error.error)) from None

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """No signals: what must happen is a phase above."""
