"""Who calls the management API: a token or an API key of ours becomes an Actor (RFC 6750)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from flask import current_app, g, request

from app.admin.desk import Desk
from app.apikeys.exposure import flag
from app.builtin import MANAGEMENT
from app.errors import Invalid, KeyRefused
from app.oauth.credentials import FoundKey, FoundToken, counted
from app.policy.limits import allowance
from app.records import Actor, ApiKey, Origin
from app.tokens.journal import seen
from app.web.exposure import tell_owner
from app.wiring import Services, services
from keyturn.acting import Acting, acting
from keyturn.authorization import read_credential
from keyturn.claims import meant_for
from keyturn.errors import CredentialExposed, InvalidToken, Reason, RestrictionRefused
from keyturn.exposure import credential_in_url
from keyturn.scope import ScopeSet

_UNCOUNTED = frozenset({"/v1/leases", "/v1/usage/reports"})
"""What APIs ask and report of those who use them takes nothing of their own limits: else they would
be refused when they are used most."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The actor, and when its credential ends."""

    actor: Actor
    expires_at: datetime | None


def actor() -> Actor:
    """Who makes the current request."""
    return caller().actor


def caller() -> Caller:
    """The same, with what ``/v1/me`` says beside."""
    return cast("Caller", g.caller)


def desk() -> Desk:
    """What the use cases work with."""
    return services(current_app).desk


def admit() -> None:
    """Before every view: who is it, and is the URL in order? Raises CredentialRefused, Invalid."""
    if request.method == "OPTIONS":
        return  # says which methods there are, and nothing else
    found = services(current_app)
    _require_hidden(found, g.origin)
    try:
        g.caller = _identify(found, request.headers.get("Authorization"), g.origin)
    except KeyRefused as refused:
        g.profile = found.directory.organization(refused.key.organization_id).profile
        _note_refusal(refused.key, refused.reason, g.origin)
        raise
    _check_query()


def _note_refusal(key: ApiKey, reason: Reason, origin: Origin) -> None:
    desk().journal.key_refused(key, reason, origin, details=seen(MANAGEMENT, origin.ip))


def _require_hidden(found: Services, origin: Origin) -> None:
    """No credential in the URL, and none over plain HTTP where the issuer is https.

    Raises CredentialExposed; the key's owner is told.
    """
    credential = credential_in_url(_url(), found.directory.templates())
    reason = Reason.IN_QUERY
    authorization = request.headers.get("Authorization")
    if credential is None and authorization is not None and not g.is_secure:
        if not found.settings.issuer.startswith("https:"):
            return
        credential, reason = read_credential(authorization), Reason.INSECURE_TRANSPORT
    if credential is None:
        return
    tell_owner(found, credential, reason, origin)
    raise CredentialExposed(reason)


def _url() -> str:
    return f"{request.path}?{request.query_string.decode('ascii', 'replace')}"


def _identify(found: Services, authorization: str | None, origin: Origin) -> Caller:
    credential = read_credential(authorization)
    presented = counted(
        found.failures, origin, lambda before: found.credentials.find(credential, before)
    )
    g.profile = presented.organization.profile
    if isinstance(presented, FoundToken):
        known, key = _by_token(found, presented, origin), presented.key
    else:
        key = presented.key
        try:
            known = _by_key(presented, key, key.scopes, origin)
        except RestrictionRefused as refused:
            if refused.reason is Reason.SERVER_ONLY:  # whoever has the page has the key
                flag(found.store, key, presented.digest, str(refused.reason), origin)
            raise
    g.credential = known.actor.type, known.actor.id, presented.organization.id
    if request.path not in _UNCOUNTED:
        # Once a request, and for whoever may be here at all: a key in wrong hands uses nothing up.
        allowed = allowance(known.actor.id, MANAGEMENT, presented.organization, key)
        g.usages = found.limiter.take(allowed)
    return _for_another(found, presented, known, origin)


def _for_another(
    found: Services, presented: FoundToken | FoundKey, known: Caller, origin: Origin
) -> Caller:
    """Who it is in the organization that its headers name; for anybody but a service credential
    they change nothing."""
    names, headers, actor = found.settings.acting_headers, request.headers, known.actor
    said = acting(
        actor.scopes.tokens,
        headers.get(names.organization),
        headers.get(names.mode),
        headers.get("Origin"),
    )
    if said is None:
        return known
    own = found.acting.mode_header(said.organization)
    if own in headers:
        said = Acting.read(said.organization, headers[own])
    service = found.acting.service(presented, actor.scopes)
    standing = found.acting.stand(service, said, origin)
    g.profile = standing.organization.profile
    return replace(
        known,
        actor=replace(
            actor,
            organization_id=standing.organization.id,
            is_operator=False,
            scopes=standing.scopes,
            environment=standing.environment,
            acts_from=actor.organization_id,
        ),
    )


def _by_token(found: Services, presented: FoundToken, origin: Origin) -> Caller:
    claims, organization = presented.claims, presented.organization
    # What is meant for a resource alone was handed to that resource, which must not be able to
    # administer us with it. Scopes below `keyturn:` have the default audience by themselves.
    ours = frozenset({found.settings.audience, found.settings.issuer})
    if not meant_for(claims.aud, ours):
        raise InvalidToken(Reason.WRONG_AUDIENCE, detail=f"meant for {claims.aud!a}")
    if claims.cnf is not None:
        # Bound to a key or a certificate that a bearer does not show: it may be a stolen one.
        raise InvalidToken(Reason.PROOF_REQUIRED, detail=f"{claims.jti!a} is bound")
    ends_at = datetime.fromtimestamp(claims.exp, UTC)
    if presented.key is not None:
        return replace(_by_key(presented, presented.key, claims.scope, origin), expires_at=ends_at)
    client = found.directory.client(claims.client_id)
    if client is None:
        raise InvalidToken(Reason.DISABLED)
    # A right that was taken from the client is gone at once, and not when its token ends.
    held = organization.catalogue.expand(client.grant)
    return Caller(
        _actor(
            "client",
            client.client_id,
            presented,
            claims.scope.narrowed_to(held),
            client.environment,
            origin,
            client.act_as_organizations,
        ),
        ends_at,
    )


def _by_key(
    presented: FoundToken | FoundKey, key: ApiKey, scopes: ScopeSet, origin: Origin
) -> Caller:
    """By the key itself, or by a token that was obtained with it."""
    restrictions = key.restrictions_in(presented.organization)
    try:
        restrictions.check(origin.ip, request.headers.get("Origin"))
    except RestrictionRefused as refused:
        _note_refusal(key, refused.reason, origin)
        raise
    held = scopes.narrowed_to(key.scopes)
    actor = _actor(
        "api_key", key.id, presented, held, key.environment, origin, key.act_as_organizations
    )
    return Caller(actor, key.expires_at)


def _actor(
    type: str,
    id: str,
    presented: FoundToken | FoundKey,
    scopes: ScopeSet,
    environment: str | None,
    origin: Origin,
    act_as_organizations: tuple[str, ...],
) -> Actor:
    return Actor(
        type=type,
        id=id,
        organization_id=presented.organization.id,
        is_operator=presented.organization.is_operator,
        scopes=scopes,
        environment=environment,
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
        act_as_organizations=act_as_organizations,
    )


def _check_query() -> None:
    """No parameter twice, and none at all where the view takes none; its model knows the rest."""
    takes_some = "query" in current_app.view_functions[request.endpoint or ""].__annotations__
    for name, values in request.args.lists():
        if len(values) > 1:
            raise Invalid("Given twice", field=name[:100])
        if not takes_some:
            raise Invalid("No such parameter", field=name[:100])
