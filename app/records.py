"""The immutable values that requests see: what storage reads and every room above passes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from keyturn.acting import acts_for_others
from keyturn.limits.values import UNLIMITED, RateLimits
from keyturn.profiles import DEFAULT_PROFILE
from keyturn.restrictions import Restrictions
from keyturn.scope import Catalogue, Grant, ScopeSet

ACTIVE = "active"
DISABLED = "disabled"
SUSPENDED = "suspended"
EXPIRED = "expired"
ROTATED = "rotated"
REVOKED = "revoked"

SUCCESS = "success"
REFUSED = "refused"
LIMITED = "limited"
"""Outcomes: of events the first two; uses that were one too many are counted by themselves."""
OUTCOMES = (SUCCESS, REFUSED, LIMITED)

ALLOW = "allow"
DENY = "deny"


@dataclass(frozen=True, slots=True)
class Resource:
    """A protected API: an audience, and the scopes it owns (RFC 8707)."""

    identifier: str
    scopes: Grant
    environments: tuple[str, ...] = ()
    """Environments whose tokens it takes; empty: all."""
    profile: str | None = None
    """How errors read there; None: as its organization has it."""


LABELS: Mapping[str, str] = {
    "settings": "Settings",
    "api_keys": "API Keys",
    "create_api_key": "Create API key",
}
"""What the dashboard calls its pages, unless an organization calls them otherwise."""


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant: its standing, its scopes and its resources."""

    id: str
    name: str
    status: str
    is_operator: bool
    environments: tuple[str, ...]
    catalogue: Catalogue
    resources: tuple[Resource, ...] = ()
    profile: str = DEFAULT_PROFILE
    """How errors read to its credentials (C-1)."""
    rate_limits: tuple[RateLimits, ...] = ()
    """Of its plan, and behind them the defaults; the first that says something of a class holds."""
    browser_origin: str = ALLOW
    """What its secret keys do with an ``Origin``, unless they say it: ``allow`` or ``deny``."""
    labels: Mapping[str, str] = field(default_factory=lambda: LABELS)
    """By the names of ``LABELS``, every one."""
    service_keys: str = DENY
    """Whether an API key may act for other organizations, as clients do: ``allow`` or ``deny``."""
    requires_second_factor: bool = False
    """Whether its users need a code beside their password."""

    @property
    def is_active(self) -> bool:
        return self.status == ACTIVE


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One of a client's secrets, as a hash; several may be valid at once."""

    id: str
    digest: bytes = field(repr=False)
    expires_at: float | None
    """Seconds since the epoch, because it is compared on every grant."""
    status_claim: Mapping[str, Any] | None = None
    """What the tokens say that are obtained with it (draft-ietf-oauth-status-list §6.2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Client:
    """An OAuth client (RFC 6749 §2)."""

    client_id: str
    organization_id: str
    environment: str
    grant: Grant
    audiences: tuple[str, ...]
    token_endpoint_auth_method: str
    grant_types: frozenset[str]
    token_ttl: timedelta | None
    status: str
    secrets: tuple[ClientSecret, ...] = field(repr=False)
    status_claim: Mapping[str, Any] | None = None
    """Of tokens that it obtains without a secret."""
    act_as_organizations: tuple[str, ...] = ()
    """Whom a service credential may act for; none: every organization."""
    jwks: Mapping[str, Any] | None = None
    """Its public keys (RFC 7517 §5), or where they are."""
    jwks_uri: str | None = None

    def status_claim_of(self, credential: str | None) -> Mapping[str, Any] | None:
        """What a token says of where it can be revoked: the place of the very secret that was
        shown, for that is what leaks."""
        for secret in self.secrets:
            if secret.id == credential:
                return secret.status_claim
        return self.status_claim


@dataclass(frozen=True, slots=True, eq=False)
class ApiKey:
    """A long-lived API key, without its secret."""

    id: str
    organization_id: str
    environment: str
    """Whether or not its text tells it."""
    kind: str
    scopes: ScopeSet
    status: str
    created_at: datetime
    expires_at: datetime | None
    rotated_to: str | None = None
    allowed_ips: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    missing_origin: str = DENY
    """What a key that is bound to domains does without an Origin: ``allow`` or ``deny``."""
    browser_origin: str | None = None
    """What a secret key does with an ``Origin``; None: as its organization has it."""
    rate_limits: RateLimits = UNLIMITED
    """Its own, in place of the plan's."""
    is_exposed: bool = False
    """Seen where others could read it, and told to its owner."""
    status_claim: Mapping[str, Any] | None = None
    """Where verifiers learn that it has ended; also of the tokens that are obtained with it."""
    act_as_organizations: tuple[str, ...] = ()
    """As of a client."""

    def restrictions_in(self, organization: Organization) -> Restrictions:
        """From where it may be used; ``organization`` is its own."""
        # One that is bound to domains, as publishable keys are, is meant for their pages.
        denied = (self.browser_origin or organization.browser_origin) == DENY
        return Restrictions.of(
            self.allowed_ips,
            self.allowed_domains,
            allow_missing_origin=self.missing_origin == ALLOW,
            server_only=(denied and not self.allowed_domains)
            or acts_for_others(self.scopes.tokens),
        )

    def status_at(self, now: datetime) -> str:
        """The stored status, or what it has become: ``rotated`` at the end of a grace (C-5),
        ``expired`` at the end of its own life."""
        if self.status == ACTIVE and self.expires_at is not None and self.expires_at <= now:
            return ROTATED if self.rotated_to else EXPIRED
        return self.status


@dataclass(frozen=True, slots=True)
class Decision:
    """What a token request gets: computed once, in the form it has in claims and answer."""

    scope: str
    """Flat, literal, sorted."""
    audience: tuple[str, ...]
    ttl: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A signed access token (RFC 9068), and what may be remembered of it."""

    token: str = field(repr=False)
    jti: str
    ttl: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from: what its events say of it."""

    request_id: str | None
    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who carries out an administrative act, and from where."""

    type: str
    """``client``, ``api_key``, ``user`` or ``operator`` (the command line)."""
    id: str
    organization_id: str
    is_operator: bool
    scopes: ScopeSet
    """What it holds, flat: nobody can give what they do not hold."""
    environment: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    acts_from: str | None = None
    """Its own organization, where a service credential acts for another one."""
    act_as_organizations: tuple[str, ...] = ()
    """Whom alone it may act for, and let others act for; none: every organization."""
    submission: bytes | None = None
    """The form by which it acts: what this act makes is remembered with it, and made once."""

    @property
    def home(self) -> str:
        """Where the credential itself lives."""
        return self.acts_from or self.organization_id


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit log (CONTRACT §6)."""

    id: str
    time: datetime
    type: str
    actor_type: str
    actor_id: str | None
    organization_id: str | None
    target_type: str | None = None
    target_id: str | None = None
    outcome: str = SUCCESS
    reason: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A single request at an API, as the usage log shows it (``docs/usage.md``)."""

    id: str
    at: datetime
    credential_type: str
    credential_id: str
    organization_id: str
    method: str
    route: str
    """The template, not the path."""
    status: int
    latency_ms: float | None = None
    ip: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    outcome: str = SUCCESS
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something was changed: whoever holds it in memory lets it go."""

    kind: str
    """``client``, ``api_key``, ``organization``, ``signing_key``, ``status_list`` or
    ``revoked_token``."""
    id: str
