"""Token introspection (RFC 7662), for JWTs and API keys alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from app.builtin import INTROSPECT, INTROSPECT_CLASS, INTROSPECTED_CLASS, ORGANIZATIONS_READ
from app.errors import InsufficientRight, InvalidRequest, KeyRefused
from app.oauth.acting import ActingForOthers
from app.oauth.client_auth import ClientAuthentication
from app.oauth.credentials import Credentials, FoundKey, FoundToken
from app.oauth.request import OAuthRequest
from app.observe.tally import Tally
from app.policy.decide import owners
from app.policy.limits import all_limits
from app.records import DENY, ApiKey, Client, Organization, Origin
from app.settings import Settings
from app.storage.directory import Directory
from app.tokens.journal import TokenJournal
from app.tokens.uses import UsesInMemory
from keyturn.acting import ACT_AS_ORGANIZATION, Acting
from keyturn.errors import CredentialRefused, InvalidToken, Reason
from keyturn.verify import is_token_shaped

EXPOSURES = (Reason.IN_QUERY, Reason.INSECURE_TRANSPORT, Reason.SERVER_ONLY)

Flag = Callable[[ApiKey, bytes, str, Origin], None]
"""Marks a key that was seen where others can read it."""

INACTIVE: dict[str, Any] = {"active": False}
"""All that is said of a token that is unknown, over, revoked or another organization's (§2.2)."""


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """The caller is a client that holds ``keyturn:introspect``."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        client_auth: ClientAuthentication,
        credentials: Credentials,
        acting: ActingForOthers,
        journal: TokenJournal,
        tally: Tally,
        uses: UsesInMemory,
        flag: Flag,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._directory = directory
        self._client_auth = client_auth
        self._credentials = credentials
        self._acting = acting
        self._journal = journal
        self._tally = tally
        self._uses = uses
        self._flag = flag

    def create_endpoint_response(self, request: OAuthRequest) -> tuple[int, dict[str, Any], None]:
        client, secret_id = self._client_auth.authenticate(request, time.time())
        organization = self._directory.organization(client.organization_id)
        if INTROSPECT not in organization.catalogue.expand(client.grant):
            raise InsufficientRight
        presented = request.form.get("token")
        if not presented:
            raise InvalidRequest("token is missing")
        self._uses.note(
            "client",
            client.client_id,
            client.organization_id,
            INTROSPECT_CLASS,
            ip=request.origin.ip,
            secret_id=secret_id,
            exercised=INTROSPECT,
        )
        kind = "token" if is_token_shaped(presented) else "api_key"
        try:
            found = self._credentials.find(presented)
        except InvalidToken as error:
            self._tally.verified(kind, error.reason)
            return 200, self._inactive(request, client, organization, error), None
        if not self._may_see(client, organization, found.organization):
            self._tally.verified(kind, "another_organization")
            return 200, INACTIVE, None
        self._tally.verified(kind, "active")
        if request.form.get("organization") and ACT_AS_ORGANIZATION in found.scopes:
            return 200, self._for_another(request, client, found), None
        if isinstance(found, FoundToken):
            holder = "client" if found.key is None else "api_key"
            self._uses.note(
                holder, found.claims.client_id, found.organization.id, INTROSPECTED_CLASS
            )
            return 200, self._token(found), None
        if (how := request.form.get("exposed")) in EXPOSURES:
            # Our own parameter (§2.1 allows them): the resource server refused it, and tells us.
            self._flag(found.key, found.digest, how, request.origin)
            return 200, self._api_key(found), None
        self._journal.key_used(found.key, ("client", client.client_id), request.origin)
        return 200, self._api_key(found), None

    def _for_another(
        self, request: OAuthRequest, client: Client, found: FoundToken | FoundKey
    ) -> dict[str, Any]:
        """What a service credential is where it acts; ``organization`` and ``mode`` are our own
        parameters, and so is the reason for a refusal, as above."""
        form = request.form
        answer = self._token(found) if isinstance(found, FoundToken) else self._api_key(found)
        asker = ("client", client.client_id)
        service = self._acting.service(found, found.scopes)
        try:
            said = Acting.read(form["organization"], form.get("mode") or None)
            standing = self._acting.stand(service, said, request.origin, asker)
        except CredentialRefused as refused:
            asked = form.get("include_reason") == "true"
            return {**INACTIVE, "reason": str(refused.reason)} if asked else INACTIVE
        return answer | {
            "org": standing.organization.id,
            "env": standing.environment,
            "scope": str(standing.scopes),
            # RFC 8693 §4.1: who really acts.
            "act": {"sub": service.id, "org": service.organization.id},
        }

    def _inactive(
        self, request: OAuthRequest, client: Client, own: Organization, error: InvalidToken
    ) -> dict[str, Any]:
        """No more than that (§2.2), but for an API of the same organization that asks about a
        whole key: it may tell whoever presented it, and the event tells the owner."""
        if not isinstance(error, KeyRefused):
            return INACTIVE
        its = self._directory.organization(error.key.organization_id)
        if not self._may_see(client, own, its):
            return INACTIVE
        asker = ("client", client.client_id)
        self._journal.key_refused(error.key, error.reason, request.origin, asker)
        asked = request.form.get("include_reason") == "true"
        return {**INACTIVE, "reason": str(error.reason)} if asked else INACTIVE

    def _may_see(self, client: Client, own: Organization, its: Organization) -> bool:
        return its is own or its.id == own.id or self._sees_all(client, own)

    def _sees_all(self, client: Client, own: Organization) -> bool:
        return own.is_operator and ORGANIZATIONS_READ in own.catalogue.expand(client.grant)

    def _token(self, found: FoundToken) -> dict[str, Any]:
        answer = {**found.claims.raw, "active": True, "token_type": "Bearer"}
        answer |= _limits(found.organization, found.key)
        if found.key is None:
            return {**answer, "credential": "client"}
        answer |= {"credential": "api_key", "kind": found.key.kind}
        return answer | _bounds(found.organization, found.key)

    def _api_key(self, found: FoundKey) -> dict[str, Any]:
        key = found.key
        audience = owners(found.organization.resources, key.scopes, key.environment) or (
            self._settings.audience,
        )
        answer: dict[str, Any] = {
            "active": True,
            "token_type": "Bearer",
            "credential": "api_key",
            "client_id": key.id,
            "sub": key.id,
            "jti": key.id,
            "iss": self._settings.issuer,
            "aud": audience[0] if len(audience) == 1 else audience,
            "scope": str(key.scopes),
            "iat": int(key.created_at.timestamp()),
            "org": key.organization_id,
            "env": key.environment,
            "kind": key.kind,
        }
        if key.expires_at is not None:
            answer["exp"] = int(key.expires_at.timestamp())
        if key.status_claim is not None:
            answer["status"] = key.status_claim
        return answer | _bounds(found.organization, key) | _limits(found.organization, key)


def _bounds(organization: Organization, key: ApiKey) -> dict[str, Any]:
    """From where it may be used, as it is now."""
    bounds: dict[str, Any] = {}
    if key.allowed_ips:
        bounds["allowed_ips"] = list(key.allowed_ips)
    if key.allowed_domains:
        bounds["allowed_domains"] = list(key.allowed_domains)
        bounds["missing_origin"] = key.missing_origin
    if key.restrictions_in(organization).server_only:
        bounds["browser_origin"] = DENY
    return bounds


def _limits(organization: Organization, key: ApiKey | None) -> dict[str, Any]:
    """How often it may be used, for an API that counts by itself."""
    limits = all_limits(organization, key)
    return {"rate_limits": limits.kept()} if limits.entries else {}
