"""The directory: clients, keys and organizations as immutable records, read once and kept.

A grant reads nothing from the database once its client is known here. Entries leave when the
feed says so; nothing is guarded by a time to live alone.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, Text, cast, select

from app.key_templates import key_templates, secret_template
from app.observe.tally import HitRate
from app.records import DENY, ApiKey, Client, ClientSecret, Organization
from app.settings import Settings
from app.storage.feed import Feed
from app.storage.models import (
    ApiKeyRow,
    ClientRow,
    ClientSecretRow,
    OrganizationRow,
    PlanRow,
    ResourceRow,
    RevokedTokenRow,
    ScopeRow,
    StatusEntryRow,
)
from app.storage.organizations import assembled
from app.storage.statuses import status_list_uri
from app.storage.store import Store
from keyturn.apikey import KeyTemplate
from keyturn.limits.values import RateLimits
from keyturn.recent import Recent
from keyturn.scope import Grant, ScopeSet
from keyturn.status_list import StatusReference

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Templates:
    """How credentials can look, of all organizations."""

    keys: tuple[KeyTemplate, ...]
    secrets: KeyTemplate


class Directory:
    """Cached reads -> records. Every method may raise Unavailable."""

    def __init__(self, store: Store, feed: Feed, settings: Settings) -> None:
        self._store = store
        self._feed = feed
        self._clients: Recent[str, Client] = Recent(settings.directory_size)
        self._keys: Recent[bytes, ApiKey] = Recent(settings.directory_size)
        self._digests: Recent[str, bytes] = Recent(settings.directory_size)
        self._organizations: Recent[str, Organization] = Recent(settings.directory_size)
        self._revoked: dict[str, float] | None = None
        self._templates: _Templates | None = None
        self._key_prefix = settings.key_prefix
        self._issuer = settings.issuer
        self._max_token_ttl = settings.max_token_ttl.total_seconds()
        self.client_lookups, self.key_lookups = HitRate(), HitRate()
        self._generation = 0
        self._letting_go = threading.Lock()

    # Reads ---------------------------------------------------------------------------------

    def client(self, client_id: str) -> Client | None:
        """The client as known here, else as the database has it."""
        return self.known_client(client_id) or self.client_now(client_id)

    def known_client(self, client_id: str) -> Client | None:
        """The client as known here; nothing is read."""
        self._feed.require_fresh()
        return self.client_lookups.noted(self._clients.get(client_id))

    def client_now(self, client_id: str) -> Client | None:
        """The client as the database has it at this moment."""
        return self._read(self._clients, client_id, lambda: self._load_client(client_id))

    def api_key(self, digest: bytes) -> ApiKey | None:
        """The API key with this SHA-256, as known here, else as the database has it."""
        return self.known_api_key(digest) or self.api_key_now(digest)

    def known_api_key(self, digest: bytes) -> ApiKey | None:
        """The API key as known here; nothing is read."""
        self._feed.require_fresh()
        return self.key_lookups.noted(self._keys.get(digest))

    def api_key_now(self, digest: bytes) -> ApiKey | None:
        """The API key as the database has it at this moment."""
        return self._read(self._keys, digest, lambda: self._load_api_key(digest))

    def api_key_of(self, key_id: str) -> ApiKey | None:
        """The API key with this id; its SHA-256 never changes, so that is kept beside."""
        digest = self._digests.get(key_id)
        if digest is None:
            with self._store.connect() as connection:
                digest = connection.execute(_DIGEST, {"key_id": key_id}).scalar()
            if digest is None:
                return None
            self._digests.put(key_id, bytes(digest))
        return self.api_key(bytes(digest))

    def organization(self, organization_id: str) -> Organization:
        """The organization of a client or key; it exists, because the database says so."""
        known = self._organizations.get(organization_id)
        if known is None:
            known = self._read(
                self._organizations,
                organization_id,
                lambda: self._load_organization(organization_id),
            )
            if known is None:
                raise LookupError(f"no organization {organization_id}")
        return known

    def key_templates(self) -> tuple[KeyTemplate, ...]:
        """How API keys can look here: every template that some organization has or has had."""
        return self._looks().keys

    def secret_template(self) -> KeyTemplate:
        """How client secrets can look here, in every organization's environments."""
        return self._looks().secrets

    def templates(self) -> tuple[KeyTemplate, ...]:
        """Of both."""
        looks = self._looks()
        return (*looks.keys, looks.secrets)

    def _looks(self) -> _Templates:
        self._feed.require_fresh()
        return self._templates or self._load_templates()

    def is_revoked(self, jti: str) -> bool:
        """Whether this token was revoked before its time (RFC 7009)."""
        self._feed.require_fresh()
        revoked = self._revoked
        if revoked is None:
            revoked = self._load_revoked()
        return jti in revoked

    def _read(self, cache: Recent[Any, V], key: Any, load: Callable[[], V | None]) -> V | None:
        generation = self._generation
        record = load()
        with self._letting_go:
            # A change that arrived meanwhile may be newer than what we read: do not keep it.
            if record is not None and generation == self._generation:
                cache.put(key, record)
        return record

    # Letting go (called by the feed) -------------------------------------------------------

    def drop_client(self, client_id: str) -> None:
        self._drop(self._clients, client_id)

    def drop_api_key(self, digest: str) -> None:
        self._drop(self._keys, bytes.fromhex(digest))

    def drop_organization(self, organization_id: str) -> None:
        self._templates = None
        self._drop(self._organizations, organization_id)

    def note_revoked(self, jti: str) -> None:
        with self._letting_go:
            self._generation += 1
            if self._revoked is not None:
                # Its own expiry is not worth a read: no token outlives the longest life.
                self._revoked[jti] = time.time() + self._max_token_ttl

    def drop_everything(self) -> None:
        with self._letting_go:
            self._generation += 1
            self._clients.clear()
            self._keys.clear()
            self._organizations.clear()
            self._templates = None
            self._revoked = None

    def _drop(self, cache: Recent[Any, Any], key: Any) -> None:
        with self._letting_go:
            self._generation += 1
            cache.drop(key)

    # Loads ---------------------------------------------------------------------------------

    def _load_client(self, client_id: str) -> Client | None:
        with self._store.connect() as connection:
            row = connection.execute(_CLIENT, {"client_id": client_id}).one_or_none()
            # Also of a client that does not exist, or the time would tell that it does not.
            secrets = connection.execute(_SECRETS, {"client_id": client_id}).all()
        if row is None:
            return None
        return Client(
            client_id=row.client_id,
            organization_id=row.organization_id,
            environment=row.environment,
            grant=Grant.of(row.scopes),
            audiences=tuple(row.audiences),
            token_endpoint_auth_method=row.token_endpoint_auth_method,
            grant_types=frozenset(row.grant_types),
            token_ttl=None if row.token_ttl is None else timedelta(seconds=row.token_ttl),
            status=row.status,
            secrets=tuple(
                ClientSecret(
                    s.id,
                    bytes(s.digest),
                    s.expires_at and s.expires_at.timestamp(),
                    status_claim(self._issuer, s),
                )
                for s in secrets
            ),
            status_claim=status_claim(self._issuer, row),
            act_as_organizations=tuple(row.act_as_organizations or ()),
            jwks=row.jwks,
            jwks_uri=row.jwks_uri,
        )

    def _load_api_key(self, digest: bytes) -> ApiKey | None:
        with self._store.connect() as connection:
            row = connection.execute(_API_KEY, {"digest": digest}).one_or_none()
        return None if row is None else api_key_record(row, status_claim(self._issuer, row))

    def _load_organization(self, organization_id: str) -> Organization | None:
        bound = {"organization_id": organization_id}
        with self._store.connect() as connection:
            row = connection.execute(_ORGANIZATION, bound).one_or_none()
            if row is None:
                return None
            scopes = connection.execute(_SCOPES, bound).all()
            resources = connection.execute(_RESOURCES, bound).all()
        return assembled(row, scopes, resources, row.plan_limits or ())

    def _load_templates(self) -> _Templates:
        generation = self._generation
        with self._store.connect() as connection:
            rows = connection.execute(_TEMPLATES).all()
        keys = tuple(
            dict.fromkeys(
                template
                for row in rows
                for template in key_templates(
                    self._key_prefix,
                    json.loads(row.environments),
                    json.loads(row.departures),
                    json.loads(row.former),
                )
            )
        )
        environments = {name for row in rows for name in json.loads(row.environments)}
        templates = _Templates(keys, secret_template(self._key_prefix, sorted(environments)))
        with self._letting_go:
            if generation == self._generation:
                self._templates = templates
        return templates

    def _load_revoked(self) -> dict[str, float]:
        generation = self._generation
        with self._store.connect() as connection:
            rows = connection.execute(_REVOKED, {"now": datetime.now(UTC)})
            revoked = {row.jti: row.expires_at.timestamp() for row in rows}
        with self._letting_go:
            if generation == self._generation:
                self._revoked = revoked
        return revoked

    def forget_expired(self, now: float) -> None:
        """Drop the revoked tokens that have expired since."""
        if self._revoked is not None:
            for jti in [jti for jti, expires_at in list(self._revoked.items()) if expires_at < now]:
                self._revoked.pop(jti, None)


def status_claim(issuer: str, row: Row[Any]) -> Mapping[str, Any] | None:
    """Where verifiers find out about a credential, as tokens say it; None while it has no place."""
    if row.list_number is None:
        return None
    return StatusReference(status_list_uri(issuer, row.list_number), row.position).claim


def api_key_record(row: Row[Any] | ApiKeyRow, claim: Mapping[str, Any] | None = None) -> ApiKey:
    """An API key's row as the record that requests see."""
    return ApiKey(
        id=row.id,
        organization_id=row.organization_id,
        environment=row.environment,
        kind=row.kind,
        scopes=ScopeSet.of(row.scopes),
        status=row.status,
        created_at=row.created_at,
        expires_at=row.expires_at,
        rotated_to=row.rotated_to,
        allowed_ips=tuple(row.allowed_ips),
        allowed_domains=tuple(row.allowed_domains),
        missing_origin=row.missing_origin or DENY,
        browser_origin=row.browser_origin,
        rate_limits=RateLimits.of(row.rate_limits),
        is_exposed=row.exposed_at is not None,
        status_claim=claim,
        act_as_organizations=tuple(row.act_as_organizations or ()),
    )


def _statements() -> tuple[Any, ...]:
    from sqlalchemy import bindparam

    client, secret, key = ClientRow.__table__, ClientSecretRow.__table__, ApiKeyRow.__table__
    organization, scope = OrganizationRow.__table__, ScopeRow.__table__
    plan, entry = PlanRow.__table__, StatusEntryRow.__table__
    resource, revoked = ResourceRow.__table__, RevokedTokenRow.__table__

    def placed(credential: Any, subject_id: Any) -> Any:
        place = select(credential, entry.c.list_number, entry.c.position)
        return place.outerjoin(entry, entry.c.subject_id == subject_id)

    return (
        placed(client, client.c.client_id).where(client.c.client_id == bindparam("client_id")),
        placed(secret, secret.c.id)
        .where(secret.c.client_id == bindparam("client_id"), secret.c.revoked_at.is_(None))
        .order_by(secret.c.id.desc()),
        placed(key, key.c.id).where(key.c.digest == bindparam("digest")),
        select(key.c.digest).where(key.c.id == bindparam("key_id")),
        select(organization, plan.c.rate_limits.label("plan_limits"))
        .outerjoin(plan, plan.c.id == organization.c.plan_id)
        .where(organization.c.id == bindparam("organization_id")),
        select(scope).where(scope.c.organization_id == bindparam("organization_id")),
        select(resource)
        .where(resource.c.organization_id == bindparam("organization_id"))
        .order_by(resource.c.identifier),
        select(revoked).where(revoked.c.expires_at > bindparam("now")),
        # As text: PostgreSQL cannot tell whether two JSON values are the same.
        select(
            cast(organization.c.environments, Text).label("environments"),
            cast(organization.c.key_template, Text).label("departures"),
            cast(organization.c.former_key_templates, Text).label("former"),
        ).distinct(),
    )


(
    _CLIENT,
    _SECRETS,
    _API_KEY,
    _DIGEST,
    _ORGANIZATION,
    _SCOPES,
    _RESOURCES,
    _REVOKED,
    _TEMPLATES,
) = _statements()
