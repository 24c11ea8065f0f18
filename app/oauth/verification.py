"""May this API key do this, here and now? For APIs that do not have the library (CONTRACT §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.admin.desk import Desk
from app.admin.rate_limits import is_route_class
from app.admin.rights import reach, require
from app.builtin import INTROSPECT
from app.errors import KeyRefused, NotFound, RateLimited
from app.oauth.credentials import Credentials
from app.observe.tally import Tally
from app.policy.limits import Allowance, Limiter, allowance
from app.records import Actor, ApiKey, Organization, Origin
from app.tokens.journal import seen
from keyturn.errors import CredentialRefused, InvalidToken, Reason
from keyturn.limits.values import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a request that presents the key would do, and from where."""

    scopes: Sequence[str] = ()
    ip: str | None = None
    origin: str | None = None
    environment: str | None = None
    """That of the API; None: any."""
    route_class: str = ""
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may; ``key`` and ``limits`` for a whole key that the asker may see."""

    reason: Reason | None
    key: ApiKey | None = None
    limits: tuple[Usage, ...] = ()


UNKNOWN = Verdict(Reason.UNKNOWN)
"""Of every key that is not a whole one, or another organization's: its cause is not told."""


class Verification:
    """The asker holds ``keyturn:introspect``."""

    def __init__(
        self, desk: Desk, credentials: Credentials, limiter: Limiter, tally: Tally
    ) -> None:
        self._desk = desk
        self._credentials = credentials
        self._limiter = limiter
        self._tally = tally

    def verify(self, actor: Actor, presented: str, use: Use) -> Verdict:
        """The verdict, counted and in the journal. Raises Forbidden and Unavailable."""
        require(actor, INTROSPECT)
        verdict = self._verdict(actor, presented, use)
        self._tally.verified("api_key", verdict.reason or "active")
        if verdict.key is not None:
            asker = (actor.type, actor.id)
            origin = Origin(actor.request_id, use.ip or actor.ip, actor.user_agent)
            if verdict.reason is None:
                self._desk.journal.key_used(verdict.key, asker, origin, _said(use))
            else:
                self._desk.journal.key_refused(
                    verdict.key, verdict.reason, origin, asker, _said(use)
                )
        return verdict

    def _verdict(self, actor: Actor, presented: str, use: Use) -> Verdict:
        refusal: CredentialRefused | None = None
        try:
            key = self._credentials.api_key(presented).key
        except KeyRefused as refused:
            key, refusal = refused.key, refused
        except InvalidToken:
            return UNKNOWN
        try:
            reach(actor, key.organization_id, write=False)
        except NotFound:
            return UNKNOWN
        organization = self._desk.directory.organization(key.organization_id)
        allowed = allowance(key.id, use.route_class, organization, key)
        try:
            if refusal is not None:
                raise refusal
            _check_place(key, organization, use)
        except CredentialRefused as refused:
            return Verdict(refused.reason, key, self._limiter.left(allowed))
        return self._counted(key, use, allowed)

    def _counted(self, key: ApiKey, use: Use, allowed: Allowance) -> Verdict:
        """Once a request, and for whoever may be here at all, as at our own API."""
        try:
            limits = self._limiter.take(allowed, use.cost)
        except RateLimited as error:
            return Verdict(Reason.RATE_LIMITED, key, error.usages)
        missing = set(use.scopes) - key.scopes.tokens
        return Verdict(Reason.INSUFFICIENT_SCOPE if missing else None, key, limits)


def _said(use: Use) -> dict[str, str]:
    """What usage counts of it: whatever class the asker names, it is one of a resource server."""
    route_class = use.route_class if is_route_class(use.route_class) else ""
    scope = " ".join(sorted(set(use.scopes)))
    return seen(route_class, use.ip) | ({"scope": scope} if scope else {})


def _check_place(key: ApiKey, organization: Organization, use: Use) -> None:
    if use.environment not in (None, key.environment):
        raise InvalidToken(Reason.ENVIRONMENT_MISMATCH)
    key.restrictions_in(organization).check(use.ip, use.origin)
