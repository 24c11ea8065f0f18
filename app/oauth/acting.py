"""Acting for another organization (CONTRACT §6): who may, where, and what it may do there."""

from __future__ import annotations

from dataclasses import dataclass

from app.admin.rights import LIVE
from app.builtin import administration
from app.oauth.credentials import FoundKey, FoundToken
from app.records import ALLOW, Organization, Origin
from app.storage.directory import Directory
from app.tokens.journal import Asker, TokenJournal
from keyturn.acting import ACT_AS_ORGANIZATION, Acting
from keyturn.errors import ActingRefused, CredentialRefused, InvalidToken, Reason
from keyturn.profiles import PROFILES
from keyturn.scope import ScopeSet


@dataclass(frozen=True, slots=True)
class Service:
    """A service credential: who it is, and what it holds."""

    type: str
    id: str
    organization: Organization
    environment: str | None
    scopes: ScopeSet
    allowed: tuple[str, ...]
    """Whom alone it may act for; none: every organization."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a service credential is in the organization that it acts for."""

    organization: Organization
    environment: str
    scopes: ScopeSet
    """Those of its own that this organization has, and none of the operator's."""


class ActingForOthers:
    """Finds the organization that is acted for, and writes into its log and the actor's own."""

    def __init__(self, directory: Directory, journal: TokenJournal) -> None:
        self._directory = directory
        self._journal = journal

    def service(self, found: FoundToken | FoundKey, scopes: ScopeSet) -> Service:
        """The credential that was found."""
        if found.key is not None:
            key = found.key
            return Service(
                "api_key",
                key.id,
                found.organization,
                key.environment,
                scopes,
                key.act_as_organizations,
            )
        claims = found.claims
        client = self._directory.client(claims.client_id)
        allowed = () if client is None else client.act_as_organizations
        return Service("client", claims.client_id, found.organization, claims.env, scopes, allowed)

    def mode_header(self, organization_id: str) -> str:
        """The header by which the organization's profile has the mode named; "": the usual one."""
        try:
            profile = self._directory.organization(organization_id).profile
        except LookupError:
            return ""
        return PROFILES[profile].mode_header or ""

    def stand(
        self, service: Service, said: Acting, origin: Origin, asker: Asker | None = None
    ) -> Standing:
        """``asker`` is the API at which it acts; None: at our own.

        Raises ActingRefused, InvalidToken and Unavailable; either way it is written down.
        """
        own = service.organization.id
        actor = (service.type, service.id)
        named = ("organization", said.organization)
        try:
            standing = self._standing(service, said)
        except CredentialRefused as refused:
            self._journal.acted(actor, own, named, origin, reason=str(refused.reason))
            raise
        details = {"environment": standing.environment}
        self._journal.acted(actor, own, named, origin, details)
        if standing.organization.id != own:
            at = asker or named
            self._journal.acted(actor, standing.organization.id, at, origin, details)
        return standing

    def _standing(self, service: Service, said: Acting) -> Standing:
        if not service.organization.is_operator or ACT_AS_ORGANIZATION not in service.scopes:
            raise ActingRefused(Reason.ORG_NOT_ALLOWED, detail="no service credential")
        if service.type == "api_key" and service.organization.service_keys != ALLOW:
            # One secret for everything, for ever: only where it is asked for (C-21).
            raise ActingRefused(Reason.ORG_NOT_ALLOWED, detail="the policy allows no service keys")
        if service.allowed and said.organization not in service.allowed:
            raise ActingRefused(Reason.ORG_NOT_ALLOWED, detail="not in act_as_organizations")
        try:
            organization = self._directory.organization(said.organization)
        except LookupError:
            raise ActingRefused(Reason.ORG_NOT_ALLOWED, detail="unknown") from None
        if not organization.is_active:
            raise ActingRefused(Reason.ORG_NOT_ALLOWED, detail="suspended")
        environments = organization.environments
        environment = said.mode or (LIVE if LIVE in environments else environments[0])
        if environment not in environments:
            raise ActingRefused(Reason.MODE_UNKNOWN, detail=f"{environment!a}")
        if service.environment not in (None, LIVE, environment):
            raise InvalidToken(Reason.ENVIRONMENT_MISMATCH, detail=f"of {service.environment}")
        return Standing(
            organization, environment, service.scopes.narrowed_to(_had_by(organization))
        )


def _had_by(organization: Organization) -> ScopeSet:
    """The scopes that there are in it; acting for the operator is no way to the operator's."""
    declared = organization.catalogue.scopes.keys() - administration(operator=True).keys()
    return ScopeSet.of(declared | administration(operator=False).keys())
