"""Ask the issuer whether a credential is active, and what it may (RFC 7662)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn import wire
from keyturn.acting import Acting
from keyturn.asking import FetchFailed, basic, told_to_wait
from keyturn.errors import InvalidScope, Reason, VerifierUnavailable
from keyturn.limits.values import RateLimits
from keyturn.profiles import NAMEABLE
from keyturn.restrictions import Restrictions
from keyturn.scope import ScopeSet
from keyturn.talks import Request, Talk

# RFC 7662 §2.2 would have nothing said of an inactive token, lest a third party learn the server's
# state. Our server tells an API of the same organization, if it asks, why a whole key is no good.
_ACTING = (Reason.ORG_NOT_ALLOWED, Reason.MODE_UNKNOWN, Reason.ENVIRONMENT_MISMATCH)
_TOLD = {str(reason): reason for reason in (*NAMEABLE, *_ACTING)}


@dataclass(frozen=True, slots=True)
class Introspection:
    """What the issuer says about an active credential (RFC 7662 §2.2)."""

    client_id: str
    sub: str
    scope: ScopeSet
    iss: str | None
    aud: tuple[str, ...]
    exp: int | None
    nbf: int | None
    org: str | None
    env: str | None
    restrictions: Restrictions
    rate_limits: RateLimits
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: bytes) -> Introspection | Reason:
        """For an inactive credential the reason, as far as it is told. Raises Unreadable or
        InvalidScope.

        >>> str(Introspection.read(b'{"active": false}'))
        'inactive'
        >>> str(Introspection.read(b'{"active": true, "client_id": "key_1", "scope": "a:b"}').scope)
        'a:b'
        """
        members = wire.json_object(body)
        active = members.get("active")
        if type(active) is not bool:  # "false" is a string that counts as true
            raise wire.Unreadable(detail="active is not a boolean")
        if not active:
            return _TOLD.get(str(members.get("reason")), Reason.INACTIVE)
        # Unlike in a token, null is absence here: that is how servers write a field they have not.
        members = {name: value for name, value in members.items() if value is not None}
        client_id = wire.text(members, "client_id")
        scope = members.get("scope", "")
        if type(scope) is not str:
            raise wire.Unreadable(detail="scope is not a string")
        return cls(
            client_id=client_id,
            sub=wire.optional_text(members, "sub") or client_id,
            scope=ScopeSet.parse(scope),
            iss=wire.optional_text(members, "iss"),
            aud=wire.texts(members, "aud"),
            exp=wire.optional_instant(members, "exp"),
            nbf=wire.optional_instant(members, "nbf"),
            org=wire.optional_text(members, "org"),
            env=wire.optional_text(members, "env"),
            restrictions=Restrictions.of(
                wire.texts(members, "allowed_ips"),
                wire.texts(members, "allowed_domains"),
                allow_missing_origin=wire.optional_text(members, "missing_origin") == "allow",
                server_only=wire.optional_text(members, "browser_origin") == "deny",
            ),
            rate_limits=RateLimits.read(members.get("rate_limits", [])),
            raw=members,
        )


class Introspector:
    """Asks an introspection endpoint in the name of one client, by HTTP Basic."""

    def __init__(
        self, endpoint: Callable[[], Talk[str]], client_id: str, client_secret: str
    ) -> None:
        self._endpoint = endpoint
        self._authorization = basic(client_id, client_secret)

    def ask(
        self, credential: str, acting: Acting | None = None, *, exposed: str | None = None
    ) -> Talk[Introspection | Reason]:
        """Why not, when it is inactive. Raises VerifierUnavailable when nobody can say.

        `acting`: for whom a service credential would act; then the answer is about that.
        `exposed` tells the issuer that the credential was seen where others can read it.
        A 401 is about us, not about the credential: our settings are wrong, and the caller who
        presented it must not be told to get another one.
        """
        try:
            url = yield from self._endpoint()
            headers = {"authorization": self._authorization}
            form = {"token": credential, "include_reason": "true"}
            if exposed is not None:
                form["exposed"] = exposed
            if acting is not None:
                form["organization"] = acting.organization
                form |= {} if acting.mode is None else {"mode": acting.mode}
            answer = yield Request("POST", url, headers, {"data": form})
            if answer.status == 200:
                return Introspection.read(answer.body)
        except (FetchFailed, wire.Unreadable, InvalidScope) as error:
            raise VerifierUnavailable(detail=f"introspection: {error.detail}") from None
        detail = f"introspection: status {answer.status}"
        if answer.status in (401, 403):
            detail += ": client_id, client_secret or the scope keyturn:introspect of this API"
        raise VerifierUnavailable(detail=detail, retry_after=told_to_wait(answer))
