"""What a token request gets: scope, audience and lifetime."""

from __future__ import annotations

from datetime import timedelta

from app.builtin import NAMESPACE
from app.errors import InvalidTarget, ScopeRefused
from app.records import Client, Decision, Organization, Resource
from app.settings import Settings
from keyturn.errors import InvalidScope
from keyturn.scope import MAX_SCOPE_LENGTH, MAX_SCOPE_TOKENS, Catalogue, Grant, ScopeSet


def decide(
    client: Client,
    organization: Organization,
    settings: Settings,
    *,
    scope: str | None,
    resources: tuple[str, ...],
    held: ScopeSet | None = None,
) -> Decision:
    """Raises ScopeRefused (RFC 6749 §5.2) and InvalidTarget (RFC 8707 §2).

    ``held`` is what it holds, where that is fixed and does not follow the catalogue.
    """
    if held is None:
        held = organization.catalogue.expand(client.grant)
    granted = narrow(held, organization.catalogue, scope, excess=settings.scope_excess)
    return Decision(
        scope=str(granted),
        audience=audience(client, organization, granted, resources, settings.audience),
        ttl=int(lifetime(client, settings).total_seconds()),
    )


def narrow(
    held: ScopeSet, catalogue: Catalogue, scope: str | None, *, excess: str = "refuse"
) -> ScopeSet:
    """The asked scope within the held one, flat and literal; nothing asked: all that is held.

    With ``narrow`` instead of ``refuse`` what is not held is left out, but never all of it in
    silence: nothing left is an error.
    """
    if scope is None:
        asked = held
    else:
        try:
            wanted = Grant.parse(scope)
        except InvalidScope as error:
            raise ScopeRefused(detail=error.description) from None
        asked = catalogue.expand(wanted)
        missing = catalogue.unknown(wanted) or not asked <= held
        if missing and excess == "refuse":
            raise ScopeRefused(detail=f"unknown or not held: {asked.without(held)}")
    granted = asked.narrowed_to(held)
    if not granted:
        raise ScopeRefused(detail="no scope is left")
    if len(granted) > MAX_SCOPE_TOKENS or len(str(granted)) > MAX_SCOPE_LENGTH:
        # A verifier reads no longer one, and a token that nobody takes is a riddle.
        raise ScopeRefused("The scope is too long for a token: ask for less of it")
    return granted


def audience(
    client: Client,
    organization: Organization,
    scope: ScopeSet,
    resources: tuple[str, ...],
    default: str,
) -> tuple[str, ...]:
    """The resources asked for, else those that own the granted scopes, else the default.

    Administration belongs to the server itself, so its scopes are owned by the default audience.
    """
    within = tuple(
        resource
        for resource in organization.resources
        if not client.audiences or resource.identifier in client.audiences
    )
    reachable = {resource.identifier for resource in within if takes(resource, client.environment)}
    if not client.audiences or default in client.audiences:
        reachable.add(default)
    if resources:
        chosen = tuple(dict.fromkeys(resources))
    else:
        chosen = owners(within, scope, client.environment)
        if default in reachable and any(one.startswith(NAMESPACE) for one in scope):
            chosen = (*chosen, default)
        chosen = chosen or client.audiences[:1] or (default,)
    for identifier in chosen:
        if identifier not in reachable:
            raise InvalidTarget(detail=f"not a resource of this client: {identifier[:200]!r}")
    return chosen


def owners(
    resources: tuple[Resource, ...], scope: ScopeSet, environment: str | None
) -> tuple[str, ...]:
    """The resources that own any of these scopes, in their order."""
    return tuple(
        resource.identifier
        for resource in resources
        if takes(resource, environment) and any(resource.scopes.covers(one) for one in scope)
    )


def takes(resource: Resource, environment: str | None) -> bool:
    """Whether tokens of this environment are meant for the resource."""
    return not resource.environments or environment in resource.environments


def lifetime(client: Client, settings: Settings) -> timedelta:
    """The client's own token life or the default; never above the installation's longest."""
    return min(client.token_ttl or settings.token_ttl, settings.max_token_ttl)
