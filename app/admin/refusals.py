"""Why was I refused? The exact reason of a request, for those who may read the activity (C-3).

The stranger who was refused is told no cause; with the request's id, which every answer carries,
the owner of the credential finds it here, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.admin import activity, request_records
from app.admin.activity import EventFilter
from app.admin.desk import Desk
from app.admin.pages import MAX_LIMIT
from app.admin.request_records import RequestFilter
from app.builtin import USAGE_READ
from app.records import REFUSED, SUCCESS, Actor, Event

ADVICE: Mapping[str, str] = {
    "missing": "Nothing was presented: send an Authorization header.",
    "malformed": "What was presented is no credential: it was cut, quoted or encoded on its way. "
    "Compare its first and last characters with those shown here.",
    "bad_checksum": "The key was mistyped or cut: its checksum does not fit. Copy it anew.",
    "too_large": "The credential is longer than any that is issued here.",
    "unknown": "There is no such credential here: look at issuer and environment, then make one.",
    "secret_mismatch": "The client_id is right and the secret is not, or it has expired. Make a "
    "new secret if it is lost; nobody can look it up.",
    "inactive": "The credential does not hold any more. Look at its status.",
    "revoked": "It was revoked for good: make a new one.",
    "rotated": "Its grace after a rotation is over: use its successor.",
    "expired": "It has expired: make a new one, and rotate before the end next time.",
    "not_yet_valid": "It holds from later on: compare the clocks of both machines.",
    "disabled": "It is disabled. Whoever may change it can enable it again.",
    "suspended": "The organization is suspended. Ask the operator.",
    "organization_suspended": "The organization is suspended. Ask the operator.",
    "environment_mismatch": "A credential of one environment was used in another: take the one "
    "that was made for this environment.",
    "wrong_method": "The client is registered for another way to authenticate "
    "(token_endpoint_auth_method).",
    "origin_mismatch": "The page that sent it is none of the key's allowed domains.",
    "ip_not_allowed": "The caller's address is none of those that the key may be used from. Behind "
    "a proxy, see that the proxy is trusted.",
    "insecure_transport": "It came over plain HTTP: use https. Rotate it, it may have been read.",
    "in_query": "It stood in a URL, where logs keep it: send it in a header, and rotate it.",
    "insufficient_scope": "The credential does not hold what this needs: grant the scope, or use "
    "another credential.",
    "wrong_audience": "The token was issued for another API: ask for one with this resource.",
    "wrong_issuer": "The token comes from another issuer.",
    "wrong_type": "This is a JWT, but no access token.",
    "bad_signature": "The token was changed, or somebody else has signed it.",
    "unsupported_algorithm": "The token is signed by an algorithm that is not taken here.",
    "unknown_key": "No published key has signed this token: it may be older than a rotation.",
    "rate_limited": "Too many requests: wait for as long as Retry-After says, and keep tokens "
    "until they end.",
    "quota_exceeded": "The quota of the period is used up.",
    "plan_limit": "The plan does not allow this.",
    "org_required": "A service credential must name the organization it acts for.",
    "org_not_allowed": "The service credential may not act for this organization.",
    "mode_unknown": "The organization has no such mode.",
    "server_only": "A credential for servers was used out of a browser: rotate it, and use a "
    "publishable key there.",
    "proof_required": "The token is bound to a key that was not proved.",
    "unavailable": "The server could not decide: ask again.",
    "invalid_client": "The client could not be authenticated: look at id, secret and method.",
    "invalid_request": "The request is not formed as the endpoint takes it.",
    "invalid_scope": "A scope was asked for that does not exist or is not held by the client.",
    "invalid_target": "A resource was asked for that the client may have no token for.",
    "unauthorized_client": "The client may not use this grant.",
    "unsupported_grant_type": "The endpoint knows no such grant type.",
    "invalid_grant": "What was to be exchanged does not hold any more.",
    "temporarily_unavailable": "The database was away: ask again.",
}
"""By reason, as events carry it: what it means for the one who has to mend it."""

OTHERWISE = "See the event's details."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request, and what to do about it."""

    event: Event
    advice: str


def why(
    desk: Desk, actor: Actor, request_id: str, *, organization_id: str | None = None
) -> tuple[Refusal, ...]:
    """What was refused under this request id, the youngest first; none where nothing was, or it
    was nobody's of this organization. Raises Forbidden, Invalid, NotFound.

    An event says so, or the usage log: it has what lacked a scope at ``/v1``, and what resource
    servers report. The operator finds the events of strangers and of every organization.
    """
    request_id = request_id.strip()
    found = activity.list_page(
        desk,
        actor,
        EventFilter(request_id=request_id, outcome=REFUSED),
        limit=MAX_LIMIT,
        organization_id=organization_id,
        everywhere=organization_id is None and activity.sees_everything(actor),
    )
    events = found.data or _reported(desk, actor, request_id, organization_id)
    return tuple(Refusal(event, advice(event)) for event in events)


def _reported(
    desk: Desk, actor: Actor, request_id: str, organization_id: str | None
) -> tuple[Event, ...]:
    """What the usage log has of it, for those who may read that, in the shape of events."""
    if USAGE_READ not in actor.scopes:
        return ()
    wanted = RequestFilter(request_id=request_id)
    found = request_records.list_page(desk, actor, wanted, organization_id=organization_id)
    return tuple(
        Event(
            id=one.id,
            time=one.at,
            type=f"{one.method} {one.route}",
            actor_type=one.credential_type,
            actor_id=one.credential_id,
            organization_id=one.organization_id,
            outcome=one.outcome,
            reason=one.reason,
            ip=one.ip,
            user_agent=one.user_agent,
            request_id=one.request_id,
            details={"status": one.status},
        )
        for one in found.data
        if one.outcome != SUCCESS
    )


def advice(event: Event) -> str:
    """What to do about a refusal."""
    return ADVICE.get(event.reason or "", OTHERWISE)
