"""Token revocation (RFC 7009): a client's own tokens; keys and client secrets by possession."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from authlib.oauth2.rfc7009 import RevocationEndpoint

from app.admin import client_secrets
from app.builtin import REVOKE_CLASS
from app.errors import InvalidClient, InvalidRequest
from app.oauth.client_auth import ClientAuthentication
from app.oauth.credentials import Credentials, counted
from app.oauth.request import OAuthRequest
from app.policy.limits import Failures
from app.records import Actor, Client, Origin
from app.storage import clients
from app.storage.revocations import revoke_key_by_possession, revoke_token
from app.storage.store import Store
from app.tokens.uses import UsesInMemory
from keyturn.apikey import key_digest
from keyturn.errors import InvalidToken, Reason
from keyturn.scope import ScopeSet
from keyturn.verify import is_token_shaped

DONE: tuple[int, dict[str, object], None] = (200, {}, None)
"""The one answer, also for a token that is unknown, over or somebody else's (§2.2)."""


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Whoever holds a leaked API key or client secret may revoke it: possession is all the proof
    there is."""

    def __init__(
        self,
        client_auth: ClientAuthentication,
        credentials: Credentials,
        failures: Failures,
        store: Store,
        uses: UsesInMemory,
    ) -> None:
        super().__init__()
        self._uses = uses
        self._client_auth = client_auth
        self._credentials = credentials
        self._failures = failures
        self._store = store

    def create_endpoint_response(
        self, request: OAuthRequest
    ) -> tuple[int, dict[str, object], None]:
        presented = request.form.get("token", "")
        try:
            client, secret_id = self._client_auth.authenticate(request, time.time())
        except InvalidClient as error:
            if error.detail != "missing" or not presented or is_token_shaped(presented):
                raise
            self._revoke_by_possession(presented, request.origin, error)
            return DONE
        self._uses.note(
            "client",
            client.client_id,
            client.organization_id,
            REVOKE_CLASS,
            ip=request.origin.ip,
            secret_id=secret_id,
        )
        if not presented:
            raise InvalidRequest("token is missing")
        # What is no credential of ours, or over, needs no revoking.
        with suppress(InvalidToken):
            if is_token_shaped(presented):
                self._revoke_token(client, presented, request.origin)
            else:
                self._revoke(client, presented, request.origin)
        return DONE

    def _revoke_token(self, client: Client, presented: str, origin: Origin) -> None:
        claims = self._credentials.token(presented).claims
        if claims.client_id == client.client_id:
            with self._store.transaction(_by_client(client, origin)) as work:
                revoke_token(work, claims)

    def _revoke_by_possession(self, presented: str, origin: Origin, missing: InvalidClient) -> None:
        """Nobody is named: what is none of ours counts against the address, and is answered like
        one of ours as far as it looks like it. Raises RateLimited and what is ``missing``."""
        try:
            counted(
                self._failures,
                origin,
                lambda before: self._revoke(None, presented, origin, before),
            )
        except InvalidToken:
            if not self._credentials.has_our_form(presented):
                raise missing from None

    def _revoke(
        self,
        client: Client | None,
        presented: str,
        origin: Origin,
        before_reading: Callable[[], None] = lambda: None,
    ) -> None:
        """A client secret or an API key, by possession. Raises InvalidToken for what is neither."""
        by = _by_client(client, origin) if client is not None else None
        if self._credentials.is_secret_shaped(presented):
            before_reading()
            self._revoke_secret(by, key_digest(presented), origin)
            return
        # Of any standing: a disabled key, or a suspended organization's, would open again later.
        key, digest = self._credentials.api_key_of_any_standing(presented, before_reading)
        itself = _actor("api_key", key.id, key.organization_id, origin)
        with self._store.transaction(by or itself) as work:
            revoke_key_by_possession(work, key, digest)

    def _revoke_secret(self, by: Actor | None, digest: bytes, origin: Origin) -> None:
        with self._store.reading() as session:
            found = clients.by_secret(session, digest)
        if found is None:
            raise InvalidToken(Reason.UNKNOWN)
        itself = _actor("client", found[0].client_id, found[0].organization_id, origin)
        with self._store.transaction(by or itself) as work:
            found = clients.by_secret(work.session, digest, lock=True)
            if found is not None:
                client_secrets.end(work, *found, "by_possession")


def _by_client(client: Client, origin: Origin) -> Actor:
    return _actor("client", client.client_id, client.organization_id, origin)


def _actor(type: str, id: str, organization_id: str, origin: Origin) -> Actor:
    return Actor(
        type=type,
        id=id,
        organization_id=organization_id,
        is_operator=False,
        scopes=ScopeSet(frozenset()),
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )
