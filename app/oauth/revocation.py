"""Token revocation (RFC 7009): a client's own tokens, and API keys by possession."""

from __future__ import annotations

import time

from authlib.oauth2.rfc7009 import RevocationEndpoint

from app.errors import InvalidClient, InvalidRequest
from app.oauth.client_auth import ClientAuthentication
from app.oauth.credentials import Credentials
from app.oauth.request import OAuthRequest
from app.records import Actor, Client, Origin
from app.storage.revocations import revoke_key_by_possession, revoke_token
from app.storage.store import Store
from keyturn.errors import InvalidToken
from keyturn.scope import ScopeSet
from keyturn.verify import is_token_shaped

DONE: tuple[int, dict[str, object], None] = (200, {}, None)
"""The one answer, also for a token that is unknown, over or somebody else's (§2.2)."""


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Whoever holds a leaked API key may revoke it: possession is all the proof there is."""

    def __init__(
        self, client_auth: ClientAuthentication, credentials: Credentials, store: Store
    ) -> None:
        super().__init__()
        self._client_auth = client_auth
        self._credentials = credentials
        self._store = store

    def create_endpoint_response(
        self, request: OAuthRequest
    ) -> tuple[int, dict[str, object], None]:
        presented = request.form.get("token", "")
        client = self._caller(request, presented)
        if not presented:
            raise InvalidRequest("token is missing")
        try:
            if is_token_shaped(presented):
                self._revoke_token(client, presented, request.origin)
            else:
                self._revoke_key(client, presented, request.origin)
        except InvalidToken:
            pass  # what is no token of ours, or over, needs no revoking
        return DONE

    def _revoke_token(self, client: Client | None, presented: str, origin: Origin) -> None:
        claims = self._credentials.token(presented).claims
        if client is not None and claims.client_id == client.client_id:
            actor = _actor(client, client.client_id, client.organization_id, origin)
            with self._store.transaction(actor) as work:
                revoke_token(work, claims)

    def _revoke_key(self, client: Client | None, presented: str, origin: Origin) -> None:
        # Of any standing: a disabled key, or a suspended organization's, would open again later.
        key, digest = self._credentials.api_key_of_any_standing(presented)
        actor = _actor(client, key.id, key.organization_id, origin)
        with self._store.transaction(actor) as work:
            revoke_key_by_possession(work, key, digest)

    def _caller(self, request: OAuthRequest, presented: str) -> Client | None:
        """The client; nobody, where an API key speaks for itself and no client is named."""
        try:
            return self._client_auth.authenticate(request, time.time())[0]
        except InvalidClient as error:
            if error.detail == "missing" and self._credentials.is_key_shaped(presented):
                return None
            raise


def _actor(client: Client | None, id: str, organization_id: str, origin: Origin) -> Actor:
    return Actor(
        type="client" if client else "api_key",
        id=client.client_id if client else id,
        organization_id=organization_id,
        is_operator=False,
        scopes=ScopeSet(frozenset()),
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )
