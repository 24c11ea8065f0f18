"""Token revocation (RFC 7009): a client's own tokens, and API keys by possession."""

from __future__ import annotations

import time

from authlib.oauth2.rfc7009 import RevocationEndpoint

from app.errors import InvalidClient, InvalidRequest
from app.oauth.client_auth import ClientAuthentication
from app.oauth.credentials import Credentials, FoundKey
from app.oauth.request import OAuthRequest
from app.records import Actor, Client, Origin
from app.storage.revocations import revoke_key_by_possession, revoke_token
from app.storage.store import Store
from keyturn.errors import InvalidToken
from keyturn.scope import ScopeSet

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
            found = self._credentials.find(presented)
        except InvalidToken:
            return DONE
        if isinstance(found, FoundKey):
            actor = _actor(client, found.key.id, found.key.organization_id, request.origin)
            with self._store.transaction(actor) as work:
                revoke_key_by_possession(work, found.key, found.digest)
        elif client is not None and found.claims.client_id == client.client_id:
            actor = _actor(client, client.client_id, client.organization_id, request.origin)
            with self._store.transaction(actor) as work:
                revoke_token(work, found.claims)
        return DONE

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
