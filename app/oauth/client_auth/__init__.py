"""Client authentication (RFC 6749 §2.3): exactly one method a request, one answer for failure."""

from __future__ import annotations

from typing import Protocol

from app.errors import InvalidClient, InvalidRequest
from app.oauth.request import OAuthRequest
from app.policy.limits import Failures
from app.records import ACTIVE, Client
from app.storage.directory import Directory


class Presented(Protocol):
    """What a method has found in the request: a claim to be a client, not yet believed."""

    @property
    def client_id(self) -> str: ...

    @property
    def failure(self) -> str:
        """Why it proves nothing, in a word for the client's owner."""

    def proves(self, client: Client, now: float) -> str | None:
        """The id of the credential that it proves, or None. Raises Unavailable."""


class ClientAuthMethod(Protocol):
    """One method, by its IANA name (``token_endpoint_auth_method``)."""

    @property
    def name(self) -> str: ...

    @property
    def accepts(self) -> frozenset[str]:
        """Registered methods of clients that may use it."""

    def is_used(self, request: OAuthRequest) -> bool:
        """Whether the request presents a credential of this kind."""

    def read(self, request: OAuthRequest) -> Presented:
        """Raises InvalidClient and InvalidRequest."""


class ClientAuthentication:
    """Finds the one method used, and the client it proves."""

    def __init__(
        self,
        methods: tuple[ClientAuthMethod, ...],
        directory: Directory,
        failures: Failures,
    ) -> None:
        self.methods = methods
        self._directory = directory
        self._failures = failures

    def authenticate(self, request: OAuthRequest, now: float) -> tuple[Client, str]:
        """The client, and the id of the credential that proved it.

        Raises InvalidClient for every failure; an unknown client costs what a wrong secret costs:
        one reading of the database. (That reading also finds a secret that another node has made
        a moment ago.) Raises RateLimited for an address that fails too often.
        """
        used = [method for method in self.methods if method.is_used(request)]
        if len(used) > 1:
            raise InvalidRequest("More than one client authentication method was used")
        if not used:
            raise InvalidClient(detail="missing")
        presented = used[0].read(request)
        client = self._directory.known_client(presented.client_id)
        credential = presented.proves(client, now) if client else None
        if client is None or credential is None:
            self._failures.require_few(request.origin.ip)
            client = self._directory.client_now(presented.client_id)
            credential = presented.proves(client, now) if client else None
            if client is None or credential is None:
                self._failures.note(request.origin.ip)
                reason = "unknown" if client is None else presented.failure
                raise InvalidClient(detail=reason, client=client)
        self._require_standing(client, used[0])
        return client, credential

    def _require_standing(self, client: Client, method: ClientAuthMethod) -> None:
        organization = self._directory.organization(client.organization_id)
        if client.status != ACTIVE:
            raise InvalidClient(detail="disabled", client=client)
        if not organization.is_active:
            raise InvalidClient(detail="organization_suspended", client=client)
        if client.environment not in organization.environments:
            raise InvalidClient(detail="environment_mismatch", client=client)
        if client.token_endpoint_auth_method not in method.accepts:
            raise InvalidClient(detail="wrong_method", client=client)
