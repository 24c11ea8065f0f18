"""What to do about a refusal, for the owner of the credential: by reason, as events carry it.

The one place that says it: the dashboard and the command line show it, and ``docs/errors.md`` is
printed from here (``make docs``). Words between backticks are code.
"""

from __future__ import annotations

from collections.abc import Mapping

_OAUTH: Mapping[str, str] = {
    "invalid_request": "The description says what is missing, repeated, in the URL, or not "
    "understood.",
    "invalid_client": "Id, secret, key or assertion is wrong, ended, or of another method. Where "
    "there is such a client, its owner's log says which.",
    "unauthorized_client": "The client may not use this grant type.",
    "unsupported_grant_type": "Use one of `grant_types_supported` in the metadata.",
    "invalid_scope": "Ask for no more than the client holds, and for scopes that exist.",
    "invalid_target": "`resource` or `audience` names no API that this client may have tokens for.",
    "temporarily_unavailable": "Something that the server needs was away: try again after "
    "`Retry-After`.",
}

_CREDENTIALS: Mapping[str, str] = {
    "missing": "Nothing was presented: look at what the caller does with its configuration.",
    "malformed": "This is no credential: it was cut, quoted or mixed up on its way. Compare its "
    "first and last characters with those shown here, or inspect it (`flask key inspect`).",
    "too_large": "It is longer than any credential that is issued here.",
    "bad_checksum": "The key was mistyped or cut, its checksum does not fit: copy it whole.",
    "unknown": "There is no such credential here: it is another installation's or environment's, "
    "deleted, or a guess.",
    "secret_mismatch": "The client is known and its secret is not: the former one, one that has "
    "expired, or another client's. Make a new one if it is lost; nobody can look it up.",
    "inactive": "The issuer said no more than that it does not hold; its log does.",
    "revoked": "It was revoked for good: use its successor, or make a new one.",
    "rotated": "Its grace after a rotation is over: use its successor.",
    "expired": "It is past its end: make a new one, and rotate earlier next time. A client gets a "
    "new token by itself.",
    "not_yet_valid": "It holds from later on: let both machines follow the same time servers.",
    "disabled": "It is disabled: whoever may change it can enable it again.",
    "environment_mismatch": "A test credential at a live API, or the other way round: use one of "
    "that environment.",
    "origin_mismatch": "The page that sent it is none of its allowed domains: allow the domain, or "
    "find out who uses it there.",
    "ip_not_allowed": "The caller's address is none that it may be used from: allow it, or find "
    "out who uses it there. Behind a proxy, name the proxy in `KEYTURN_TRUSTED_PROXIES`.",
    "insecure_transport": "It came over plain HTTP and may have been read: replace it, and call by "
    "https. Behind a proxy that ends TLS, name the proxy in `KEYTURN_TRUSTED_PROXIES`.",
    "in_query": "It stood in a URL, and so in histories and logs: replace it, and send it in the "
    "header.",
    "insufficient_scope": "The credential does not hold what this needs: use another, or make one "
    "that does. Scopes of an API key are for life, those of a client can be changed.",
    "wrong_audience": "The token is for another API: ask for one with this `resource`.",
    "wrong_issuer": "The API trusts another issuer: its `Verifier` names it.",
    "wrong_type": "This is another kind of JWT, as an ID token.",
    "bad_signature": "The token or assertion was changed, or signed by a key that is not known.",
    "unsupported_algorithm": "It is signed by an algorithm that is not taken here.",
    "unknown_key": "No published key has this `kid`: another issuer's, or long retired.",
    "rate_limited": "Too many requests: wait as long as `Retry-After` says, spread the calls and "
    "keep tokens until they end; or raise the limit of the credential or the plan.",
    "quota_exceeded": "The longer window is used up: wait for its end, or raise the limit.",
    "plan_limit": "The plan allows no more of it: change the plan, or end what is not needed.",
    "org_required": "A service credential must say for which organization it acts.",
    "org_not_allowed": "The organization is unknown or suspended, or not in the service "
    "credential's `act_as_organizations`; or it is an API key, and the policy allows no "
    "`service_keys`.",
    "mode_unknown": "Name an environment that the organization has.",
    "server_only": "A credential for servers came out of a browser: replace it, and give the page "
    "a publishable key.",
    "proof_required": "The token is bound to a key that was not proved to be there.",
    "unavailable": "Nobody could say whether it holds: look at the issuer's health, and ask again.",
}

_CLIENTS: Mapping[str, str] = {
    "organization_suspended": "The organization is suspended: ask the operator.",
    "wrong_method": "The client is registered for another way to authenticate: see its "
    "`token_endpoint_auth_method`.",
    "too_long": "The assertion would live for too long: an hour at the most.",
    "private_key_published": "A private key lies at the client's `jwks_uri`, where anybody can "
    "fetch it: make another key, and publish its public half alone.",
    "replayed": "The assertion was used before: sign one with a `jti` of its own for each request.",
}

_PEOPLE: Mapping[str, str] = {
    "wrong_password": "The password was another, or none is chosen yet: make a new link for "
    "whoever has lost it.",
    "wrong_code": "The code of the authenticator app was wrong or used: look at the clock of the "
    "telephone, or use a recovery code.",
    "not_in_use": "The account is disabled, or its organization suspended.",
    "changed_meanwhile": "The account was changed at the same moment: sign in again.",
    "no_such_link": "There is no such link: it was cut, or it is another installation's.",
    "link_over": "The link was used before, or is too old: make a new one.",
}

ADVICE: Mapping[str, str] = {**_CREDENTIALS, **_CLIENTS, **_PEOPLE, **_OAUTH}
"""By reason. What only the code of an OAuth endpoint says stands where no more is known."""

OTHERWISE = "See the event's details."


def on(reason: str | None) -> str:
    """What to do about a refusal for this reason."""
    return ADVICE.get(reason or "", OTHERWISE)
