"""API keys as the subjects of tokens: which can be exchanged, and as whom (RFC 8693 §2.1)."""

from __future__ import annotations

from datetime import timedelta

from app.builtin import TOKEN_CLASS
from app.errors import InvalidRequest, KeyRefused
from app.oauth.credentials import Credentials, counted
from app.policy.limits import Failures
from app.ports import Clock
from app.records import ACTIVE, ApiKey, Client, Origin
from app.settings import Settings
from app.tokens.journal import TokenJournal, seen
from keyturn.errors import InvalidToken, Reason
from keyturn.scope import Grant

REFUSED = "The subject token is not an API key that is valid here"
"""Whatever the cause (§2.2.2 has one code for all); the owner finds it in the activity log."""


class Subjects:
    """Reads subject tokens, and says whose token is issued."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        failures: Failures,
        journal: TokenJournal,
        clock: Clock,
    ) -> None:
        self._token_ttl = settings.token_ttl
        self._credentials = credentials
        self._failures = failures
        self._journal = journal
        self._clock = clock

    def of(self, presented: str, origin: Origin) -> ApiKey:
        """The key. Raises InvalidRequest, and RateLimited for an address that guesses."""
        try:
            key = counted(
                self._failures,
                origin,
                lambda before: self._credentials.api_key(presented, before),
            ).key
        except KeyRefused as refused:
            said = seen(TOKEN_CLASS, origin.ip)
            self._journal.key_refused(refused.key, refused.reason, origin, details=said)
            raise InvalidRequest(REFUSED, detail=str(refused.reason)) from None
        except InvalidToken as refused:
            raise InvalidRequest(REFUSED, detail=str(refused.reason)) from None
        if key.allowed_ips or key.allowed_domains:
            # Whoever checks the token offline knows nothing of the key's bounds.
            raise InvalidRequest("A key that is bound to addresses or domains gets no token")
        return key

    def holder(self, key: ApiKey) -> Client:
        """The key as a client: no right, no environment and no moment more than it has."""
        ttl = self._token_ttl
        if key.expires_at is not None:
            ttl = min(ttl, key.expires_at - self._clock())
        if ttl < timedelta(seconds=1):
            raise InvalidRequest(REFUSED, detail=str(Reason.EXPIRED))
        return Client(
            client_id=key.id,
            organization_id=key.organization_id,
            environment=key.environment,
            grant=Grant.of(key.scopes),
            audiences=(),
            token_endpoint_auth_method="none",  # noqa: S106 - a name of the registry
            grant_types=frozenset(),
            token_ttl=ttl,
            status=ACTIVE,
            secrets=(),
            status_claim=key.status_claim,
        )
